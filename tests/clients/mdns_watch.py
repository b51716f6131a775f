"""Prints what is announced of MQTT by mDNS: `found KIND PORT HOST KEY=VALUE …`, `gone KIND NAME`."""

import sys

from zeroconf import IPVersion, ServiceBrowser, ServiceStateChange, Zeroconf

KINDS = ["_secure-mqtt._tcp.local.", "_mqtt._tcp.local."]


def told(zeroconf, service_type, name, state_change):
    if state_change is ServiceStateChange.Removed:
        print(f"gone {service_type} {name}", flush=True)
        return
    info = zeroconf.get_service_info(service_type, name, timeout=5000)
    if info is None:
        return
    text = [f"{key.decode()}={value.decode()}" for key, value in info.properties.items()]
    addresses = ",".join(sorted(info.parsed_scoped_addresses()))
    print("found", service_type, info.port, info.server, *text, f"at={addresses}", flush=True)


zeroconf = Zeroconf(ip_version=IPVersion.All)
browser = ServiceBrowser(zeroconf, KINDS, handlers=[told])
print("looking", flush=True)
sys.stdin.read()
zeroconf.close()

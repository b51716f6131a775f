"""What is to be seen of the gateway in an emulated Raspberry Pi: see `tests/emulated-pi`, which
starts this. Arguments: the folder with programs and image, and the kernel.

Prints a line for each expectation, PASS or FAIL; its status is 1 if any failed.
"""
import contextlib
import json
import queue
import signal
import socket
import sys
import time

from machine import Machine, Subscriber

LOG = "journalctl --unit maison --output cat"
PROBE = "28-01131e858aef"
# What each room whose sensor cannot be read says of it.
FAULTS = {
    "salon": "stuck-low",  # the kernel reads nine zeros, whose checksum is right
    "chambre": "wrong-chip",
    "jardin": "absent",
    "entree": "bus",  # the kernel's driver has the address
    "garage": "permission",
    "veranda": "no-bus",
    "serre": "permission",  # /dev/gpiomem is missing, and /dev/mem is root's
}
# Its own; how much of the program is in memory besides depends on how it was built.
MEMORY_MIB_MAX = 8


class Story:
    def __init__(self):
        self.begin = time.monotonic()
        self.failed = []

    def say(self, word, text):
        print(f"{word:<4} {time.monotonic() - self.begin:6.1f} s  {text}", flush=True)

    def fail(self, what):
        self.failed.append(what)
        self.say("FAIL", what)

    def check(self, what, action):
        """Passes if the action comes to a result that is not false; prints what it came to."""
        try:
            result = action()
        except (queue.Empty, RuntimeError) as error:
            result = None
            what = f"{what}: {error or 'it did not come'}"
        if result is None or result is False:
            self.fail(what)
        else:
            self.say("PASS", what if result is True else f"{what}: {result}")
        return result


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def prepare(pi):
    """The network, and what would have been found on the buses."""
    interface = pi.run("until ls /sys/class/net | grep -v '^lo$'; do sleep 1; done")[-1]
    pi.run(f"ifconfig {interface} 10.0.2.15 netmask 255.255.255.0 up")
    # What udev does late would undo the next line.
    pi.run("udevadm settle --timeout=240", seconds=300)
    pi.run("chgrp root /dev/i2c-0")
    pi.run("echo tmp105 0x49 >/sys/bus/i2c/devices/i2c-1/new_device")
    pi.run(f"echo {PROBE} >/sys/bus/w1/devices/w1_bus_master1/w1_master_add")


def start(pi, password):
    """The gateway as its unit says, and what it takes to subscribe."""
    pi.run(f"echo {password} | maison user add alice", seconds=120)
    # It is active when systemd has heard READY; if it does not come to that, the log says why.
    pi.run("systemctl start --no-block maison")
    waiting = "until systemctl is-active --quiet maison || [ $((tries += 1)) -gt 90 ]; do sleep 2; done"
    pi.run(f"tries=0; {waiting}", seconds=400)
    pi.run(f"systemctl is-active maison || {{ systemctl status maison; {LOG}; false; }}")
    return "\n".join(pi.run("cat /var/lib/maison/ca.pem")) + "\n"


def main_process(pi):
    return pi.run("systemctl show --property MainPID --value maison")[-1]


def it_is_confined(story, pi):
    """What the kernel says of the process; the sensors below are read by it."""
    lines = pi.run(f"cat /proc/{main_process(pi)}/status")
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    for key, expected in {"CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}.items():
        story.check(f"{key} is {expected}", lambda: status[key] == expected)
    user = pi.run("id -u maison")[-1]
    story.check("its user is maison", lambda: status["Uid"].split() == [user] * 4)
    groups = pi.run("stat -c %G /dev/i2c-1 /dev/gpiochip0")
    story.check("udev gave the buses to their groups", lambda: groups == ["i2c", "gpio"])


def values_are_seen(story, pi, outside):
    """Each temperature of a chip comes out as a number of its room."""
    for celsius, shown in [(21.5, "21.5"), (-10.5, "-10.5"), (85, "85.0"), (42, "42.0")]:
        for room in ("cave", "bureau", "grenier"):
            pi.expose(room, celsius)
        for room in ("cave", "bureau", "grenier"):
            topic = f"maison/{room}/temperature"
            story.check(
                f"{topic}, {celsius} °C at the chip",
                lambda: outside.wait_for(topic, lambda payload: payload == shown),
            )


def faults_are_named(story, outside):
    for room, fault in FAULTS.items():
        def named(payload):
            return bool(payload) and json.loads(payload).get("error") == fault

        story.check(
            f"maison/{room}/status says `{fault}`",
            lambda: outside.wait_for(f"maison/{room}/status", named),
        )


def the_rest_of_the_house(story, pi, outside):
    story.check(
        "the processor's temperature",
        lambda: outside.wait_for("maison/baie/temperature", lambda text: 0 < float(text) < 85),
    )
    pi.run("echo 0x49 >/sys/bus/i2c/devices/i2c-1/delete_device")
    story.check(
        "a chip that the kernel lets go of is read by us",
        lambda: outside.wait_for("maison/entree/temperature", lambda text: text == "42.0"),
    )
    story.check(
        "and what the kernel read of it is absent",
        lambda: outside.wait_for("maison/grenier/status", lambda text: '"absent"' in text),
    )


def the_clock_is_set(story, pi, outside):
    """A leap of half a century, as NTP makes it."""
    def stamp(text):
        return json.loads(text)["t"]

    story.check(
        "readings are of 1970",
        lambda: stamp(outside.wait_for("maison/cave/temperature/json", lambda text: "1970" in text)),
    )
    pi.run(f"date -s @{int(time.time())}")
    year = time.strftime("%Y")
    pi.expose("cave", 19)
    story.check(
        "after the clock is set they are of today",
        lambda: stamp(outside.wait_for("maison/cave/temperature/json", lambda text: year in text)),
    )
    story.check(
        "and the room is online",
        lambda: outside.wait_for("maison/cave/availability", lambda text: True) == "online",
    )


def seconds_on_the_processor(pi, process):
    """Of all its threads, by the scheduler's own count."""
    # A thread may end meanwhile.
    lines = pi.run(f"cat /proc/{process}/task/*/schedstat 2>/dev/null; true")
    return sum(int(line.split()[0]) for line in lines) / 1e9


def the_gateway_is_small(story, pi):
    process = main_process(pi)
    before, begin = seconds_on_the_processor(pi, process), time.monotonic()
    time.sleep(10)
    used = seconds_on_the_processor(pi, process) - before
    share = 100 * used / (time.monotonic() - begin)
    story.say("", f"10 sensors each second: {share:.1f} % of an emulated core")
    lines = pi.run(f"grep -E '^(VmRSS|RssAnon)' /proc/{process}/status")
    resident, own = (int(line.split()[1]) / 1024 for line in lines)
    what = f"{own:.1f} MiB of memory, {resident:.1f} with what it has of its files"
    story.check(what, lambda: own <= MEMORY_MIB_MAX)


def play(story, pi, cache, port):
    pi.wait_for("^console ready$", 600)
    story.check("the kernel is up, and it is 1970", lambda: pi.run("date +%Y") == ["1970"])
    prepare(pi)
    password = "emulated"
    authority = start(pi, password)
    story.say("", "the gateway is ready")
    with open(f"{cache}/ca.pem", "w", encoding="utf-8") as file:
        file.write(authority)
    with Subscriber(cache, port, "alice", password) as outside:
        it_is_confined(story, pi)
        values_are_seen(story, pi, outside)
        faults_are_named(story, outside)
        the_rest_of_the_house(story, pi, outside)
        the_gateway_is_small(story, pi)
        the_clock_is_set(story, pi, outside)


def main():
    cache, kernel = sys.argv[1:]
    story, port = Story(), free_port()
    # So that the guest ends with this, however it is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Machine(cache, kernel, port) as pi:
        try:
            play(story, pi, cache, port)
        except (queue.Empty, RuntimeError) as error:
            story.fail(f"the guest: {error or 'it did not answer'}")
        # For who looks into the log of the console afterwards.
        with contextlib.suppress(queue.Empty, RuntimeError):
            pi.run(LOG)
    story.say("", f"{len(story.failed)} failed")
    sys.exit(1 if story.failed else 0)


if __name__ == "__main__":
    main()

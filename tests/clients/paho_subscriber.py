"""Prints `topic payload` of each message that paho-mqtt is sent, over TLS with a login.

Arguments: port, certificate authority, user, password, filter, quality of service, and, unless it
is `mqtts`, the scheme: `ws` or `wss`.
Ends with 5 if the broker refuses the login.
"""
import os
import sys

import paho.mqtt.client as mqtt

port, authority, user, password, topic_filter, qos = sys.argv[1:7]
scheme = (sys.argv[7:] or ["mqtts"])[0]


def on_connect(client, _userdata, _flags, reason, _properties):
    if reason.is_failure:
        print(f"refused: {reason}", file=sys.stderr, flush=True)
        os._exit(5)
    client.subscribe(topic_filter, int(qos))


def on_message(_client, _userdata, message):
    print(message.topic, message.payload.decode(), flush=True)


transport = "tcp" if scheme == "mqtts" else "websockets"
version = mqtt.CallbackAPIVersion.VERSION2
client = mqtt.Client(version, protocol=mqtt.MQTTv311, transport=transport)
client.username_pw_set(user, password)
if scheme != "ws":
    client.tls_set(authority)
client.on_connect = on_connect
client.on_message = on_message
client.connect("localhost", int(port))
client.loop_forever()

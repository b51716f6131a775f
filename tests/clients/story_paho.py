"""The story of `story.md`, by paho-mqtt."""
import os
import queue

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

LONGEST_WAIT = 20


def setting(name):
    return os.environ[f"MQTT_{name}"]


QOS, COUNT = int(setting("QOS")), int(setting("COUNT"))
V5 = setting("VERSION") == "5"


def say(*words):
    print(*words, flush=True)


class Client:
    """A connected client; what it is told waits in `facts`."""

    def __init__(self, client_id, stays):
        self.facts = queue.Queue()
        transport = "websockets" if setting("TRANSPORT") == "websocket" else "tcp"
        version = mqtt.MQTTv5 if V5 else mqtt.MQTTv311
        clean = None if V5 else not stays
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, clean, None, version, transport)
        if setting("USER"):
            client.username_pw_set(setting("USER"), setting("PASSWORD"))
        if setting("CA"):
            client.tls_set(setting("CA"))
        client.on_connect = lambda _c, _u, flags, reason, _p: self.facts.put((reason, flags.session_present))
        client.on_subscribe = lambda _c, _u, _m, reasons, _p: self.facts.put(reasons[0].value)
        client.on_message = lambda _c, _u, message: self.facts.put(message)
        fresh = {}
        if V5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 3600 if stays else 0
            fresh = {"clean_start": not stays, "properties": properties}
        client.connect(setting("HOST"), int(setting("PORT")), **fresh)
        client.loop_start()
        reason, self.session_present = self.next()
        assert not reason.is_failure, reason
        self.client = client

    def next(self):
        return self.facts.get(timeout=LONGEST_WAIT)

    def receive(self, last):
        """Says each message until this one."""
        payload = None
        while payload != last:
            message = self.next()
            payload = message.payload.decode()
            say("received", message.topic, message.qos, int(message.retain), payload)

    def publish(self, part):
        sent = []
        for number in range(COUNT):
            payload = f"{part} {number}" + ("." * 20_000 if number == 7 else "")
            sent.append(self.client.publish(setting("TOPIC"), payload, QOS))
        sent.append(self.client.publish(setting("ID"), "all of QoS 0 has arrived before this", 1))
        for one in sent:
            one.wait_for_publish(LONGEST_WAIT)
            assert one.is_published()
        say("published", part)

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


def come():
    client = Client(setting("ID"), stays=True)
    say(f"connected session={int(client.session_present)}")
    return client


subscriber = come()
subscriber.client.subscribe(setting("FILTER"), QOS)
say("granted", subscriber.next())
publisher = Client(setting("ID") + "-publisher", stays=False)
publisher.publish("here")
subscriber.receive(f"here {COUNT - 1}")
subscriber.leave()
say("left")
publisher.publish("away")
subscriber = come()
publisher.publish("back")
subscriber.receive(f"back {COUNT - 1}")
subscriber.leave()
publisher.leave()

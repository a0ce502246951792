"""A paho-mqtt program as people write it, for paho.test.ts and everyone.test.ts: a sensor that publishes JSON, or a monitor that
prints what arrives, one line per event on stdout. Runs in one thread and comes back when its connection breaks."""

import argparse
import json
import sys
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

arguments = argparse.ArgumentParser()
arguments.add_argument("role", choices=["sensor", "monitor"])
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--version", type=int, default=4, help="protocol version: 3, 4 or 5")
arguments.add_argument("--id", default="")
arguments.add_argument("--durable", action="store_true")
arguments.add_argument("--topic", default="/sensors/temperature")
arguments.add_argument("--qos", type=int, default=1)
arguments.add_argument("--count", type=int, default=0, help="messages to send; 0 for as many as there is time for")
arguments.add_argument("--interval", type=float, default=1.0, help="seconds between them")
arguments.add_argument("--name", default="", help="goes into each message")
arguments.add_argument("--keepalive", type=int, default=60)
arguments.add_argument("--will-topic")
arguments.add_argument("--username")
arguments.add_argument("--password")
options = arguments.parse_args()


def say(*words):
    print(*words, flush=True)


def on_connect(client, userdata, flags, code, properties=None):
    value = code if isinstance(code, int) else code.value
    say("connected", value, flags["session present"])
    if options.role == "monitor" and not (options.durable and flags["session present"]):
        client.subscribe(options.topic, options.qos)


def on_subscribe(client, userdata, mid, granted, properties=None):
    say("subscribed", *[each if isinstance(each, int) else each.value for each in granted])


def on_message(client, userdata, message):
    say("message", message.topic, message.qos, int(message.retain), message.payload.decode())


def on_publish(client, userdata, mid):
    # At QoS 0 paho calls this before publish() has returned.
    if mid in sent:
        say("acked", sent.pop(mid))


sent = {}
is_5 = options.version == 5
client = mqtt.Client(
    options.id,
    protocol=options.version,
    clean_session=None if is_5 else not options.durable,
)
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.on_publish = on_publish
client.max_queued_messages_set(0)
if options.username:
    client.username_pw_set(options.username, options.password)
if options.will_topic:
    client.will_set(options.will_topic, "gone", qos=1, retain=True)

connect = {"keepalive": options.keepalive}
if is_5:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 600 if options.durable else 0
    connect.update(clean_start=not options.durable, properties=properties)
client.connect("127.0.0.1", options.port, **connect)

number = 0
due = time.monotonic()
while True:
    if client.loop(0.01) != mqtt.MQTT_ERR_SUCCESS:
        say("lost")
        while True:
            try:
                client.reconnect()
                break
            except OSError:
                time.sleep(0.05)
    if options.role == "monitor":
        continue
    if options.count > 0 and number == options.count:
        if not sent:
            break
    elif client.is_connected() and time.monotonic() >= due:
        due += options.interval
        text = json.dumps({"name": options.name, "n": number, "celsius": 20 + number / 10})
        info = client.publish(options.topic, text, options.qos)
        if options.qos > 0:
            sent[info.mid] = number
        number += 1
client.disconnect()
client.loop(0.1)
sys.exit(0)

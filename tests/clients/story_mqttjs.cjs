// The story of `story.md`, by MQTT.js, which is found by NODE_PATH.
const fs = require("node:fs");
const mqtt = require("mqtt");

const setting = (name) => process.env[`MQTT_${name}`];
const qos = Number(setting("QOS"));
const count = Number(setting("COUNT"));
const v5 = setting("VERSION") === "5";

const say = (...words) => console.log(...words);
const fail = (error) => {
  console.error(error);
  process.exit(1);
};

// A connected client. What arrives is said at once; `seen(payload)` resolves when that one has.
const come = (clientId, stays) =>
  new Promise((resolve) => {
    const secure = setting("CA") !== "";
    const schemes = setting("TRANSPORT") === "websocket" ? ["ws", "wss"] : ["mqtt", "mqtts"];
    const path = setting("TRANSPORT") === "websocket" ? "/mqtt" : "";
    const client = mqtt.connect(
      `${schemes[Number(secure)]}://${setting("HOST")}:${setting("PORT")}${path}`,
      {
        clientId,
        clean: !stays,
        protocolVersion: v5 ? 5 : 4,
        properties: v5 ? { sessionExpiryInterval: stays ? 3600 : 0 } : undefined,
        ...(setting("USER") && { username: setting("USER"), password: setting("PASSWORD") }),
        ca: secure ? fs.readFileSync(setting("CA")) : undefined,
        reconnectPeriod: 0,
      },
    );
    const waiting = new Map();
    client.seen = (payload) => new Promise((done) => waiting.set(payload, done));
    client.on("message", (topic, payload, packet) => {
      say("received", topic, packet.qos, Number(packet.retain), payload.toString());
      waiting.get(payload.toString())?.();
    });
    client.on("error", fail);
    client.on("connect", (answer) => {
      if (stays) say(`connected session=${Number(answer.sessionPresent)}`);
      resolve(client);
    });
  });

const publish = async (client, part) => {
  const sent = [];
  for (let number = 0; number < count; number += 1) {
    const payload = `${part} ${number}${number === 7 ? ".".repeat(20000) : ""}`;
    sent.push(client.publishAsync(setting("TOPIC"), payload, { qos }));
  }
  sent.push(client.publishAsync(setting("ID"), "all of QoS 0 has arrived before this", { qos: 1 }));
  await Promise.all(sent);
  say("published", part);
};

const story = async () => {
  let subscriber = await come(setting("ID"), true);
  const [granted] = await subscriber.subscribeAsync(setting("FILTER"), { qos });
  say("granted", granted.qos);
  const publisher = await come(`${setting("ID")}-publisher`, false);
  const here = subscriber.seen(`here ${count - 1}`);
  await publish(publisher, "here");
  await here;
  await subscriber.endAsync();
  say("left");
  await publish(publisher, "away");
  subscriber = await come(setting("ID"), true);
  const back = subscriber.seen(`back ${count - 1}`);
  await publish(publisher, "back");
  await back;
  await subscriber.endAsync();
  await publisher.endAsync();
};

story().catch(fail);

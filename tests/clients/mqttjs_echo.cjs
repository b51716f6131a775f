// Publishes messages of several sizes over a WebSocket without TLS, and a burst of short ones, and
// prints a line for each kind that comes back as it was. Arguments: port, largest size in bytes.
// MQTT.js is found by NODE_PATH.
const mqtt = require("mqtt");

const [port, largest] = process.argv.slice(2).map(Number);
const sizes = [0, 1, 100, 125, 126, 16384, 65535, 65536, 70000, largest];
const burst = 2000;

const payload = (size) => Buffer.alloc(size, "maison through a WebSocket, ");
const client = mqtt.connect(`ws://localhost:${port}/any/path`, { reconnectPeriod: 0 });
let short = 0;
client.on("connect", () => {
  client.subscribe("echo/#", { qos: 1 }, () => {
    for (const size of sizes) client.publish(`echo/size/${size}`, payload(size), { qos: 1 });
    for (let i = 0; i < burst; i++) client.publish("echo/burst", String(i), { qos: 1 });
  });
});
client.on("message", (topic, received) => {
  if (topic === "echo/burst") {
    if (String(received) !== String(short)) throw new Error(`${received} after ${short}`);
    short += 1;
    if (short === burst) console.log(`burst ${burst}`);
    if (short === burst) client.end(false, () => console.log("closed"));
    return;
  }
  const size = Number(topic.split("/")[2]);
  if (!received.equals(payload(size))) throw new Error(`${topic} came back changed`);
  console.log(`size ${size}`);
});
client.on("error", (error) => {
  console.error(error.message);
  process.exit(5);
});

// Prints `topic payload` of each message that MQTT.js is sent, over TLS with a login.
// Arguments: port, certificate authority, user, password, filter, quality of service, and, unless
// it is `mqtts`, the scheme: `ws` or `wss`.
// Ends with 5 if the broker refuses the login. MQTT.js is found by NODE_PATH.
const fs = require("node:fs");
const mqtt = require("mqtt");

const [port, authority, username, password, filter, qos, scheme = "mqtts"] = process.argv.slice(2);

const client = mqtt.connect(`${scheme}://localhost:${port}`, {
  ca: fs.readFileSync(authority),
  username,
  password,
  protocolVersion: 4,
  reconnectPeriod: 0,
});
client.on("connect", () => client.subscribe(filter, { qos: Number(qos) }));
client.on("message", (topic, payload) => console.log(`${topic} ${payload}`));
client.on("error", (error) => {
  console.error(`refused: ${error.message}`);
  process.exit(5);
});
client.on("close", () => process.exit(0));

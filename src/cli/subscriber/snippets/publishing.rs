//! The same words for a device that has something to say: a number, once a minute, retained.

use std::fmt::Write as _;

use super::super::place::{literal, shell};
use super::{At, Deeds, Snippets};
use crate::net::ClientIdentity;

impl Snippets<'_> {
    /// One number of an example.
    pub(super) fn mosquitto_pub(&self, topic: &str, at: &At<'_>) -> String {
        format!("mosquitto_pub -q 1 -r -t {} -m 21.5 {}", shell(topic), self.reached(at))
    }

    /// A program for paho-mqtt that publishes there.
    pub(in super::super) fn python_publishing(&self, topic: &str) -> String {
        let mut text = format!("import pathlib\nimport time\n{}", self.python_client());
        let _ = write!(
            text,
            "client.connect(\"{}\", {})\n\
             client.loop_start()\n\n\
             while True:\n    \
                 celsius = 21.5  # here comes what the probe says\n    \
                 said = client.publish({}, f\"{{celsius:.1f}}\", qos=1, retain=True)\n    \
                 said.wait_for_publish()\n    \
                 time.sleep(60)\n",
            self.door.host,
            self.door.port,
            literal(topic)
        );
        text
    }

    /// A sketch for arduino-mqtt that publishes there.
    pub(in super::super) fn sketch_publishing(
        &self,
        topic: &str,
        ca: Option<&[u8]>,
        identity: Option<&ClientIdentity>,
    ) -> String {
        let ever = format!(
            "  if (millis() - said < 60000) return;\n  \
             said = millis();\n  \
             float celsius = 21.5;  // here comes what the probe says\n  \
             char text[16];\n  \
             snprintf(text, sizeof text, \"%.1f\", celsius);\n  \
             client.publish({}, text, true, 1);\n",
            literal(topic)
        );
        let deeds = Deeds {
            remembers: "unsigned long said;\n",
            connected: "  said = millis() - 60000;\n",
            before: "",
            ever: &ever,
        };
        self.sketch_that(ca, identity, &deeds)
    }
}

//! How the gateway itself is, in one JSON text: for a dashboard, and for an alarm.

use std::sync::Arc;
use std::time::Duration;

use crate::mqtt::QoS;
use crate::time::Timestamp;
use crate::units::MilliCelsius;

use super::retained::{named, retained};
use super::store::Store;
use super::{Publication, payload};

/// How the gateway is. What cannot be known here is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// When that was so.
    pub at: Timestamp,
    /// Since the start.
    pub uptime: Duration,
    /// Memory of the process that is in the machine's RAM, in bytes.
    pub resident: Option<u64>,
    /// Of the processor.
    pub cpu: Option<MilliCelsius>,
    /// Whether the supply of a Raspberry Pi was too weak lately.
    pub under_voltage: Option<bool>,
    /// Bytes that the gateway can still write to the file system of its state folder.
    pub disk_free: Option<u64>,
    /// The store, where there is one.
    pub store: Option<Store>,
    /// What was wrong with the store at the start, and what became of it.
    pub store_damage: Option<Arc<str>>,
    /// Messages that full queues lost since the start.
    pub queue_drops: u64,
    /// Sensors whose last reading was good.
    pub sensors_ok: usize,
    /// Sensors that were tried and are not well.
    pub sensors_failed: usize,
    /// When the certificate that our own authority made for this host ends.
    pub certificate_expires: Option<Timestamp>,
}

impl Health {
    /// `<root>/_gateway/health`, retained, QoS 0.
    pub fn publication(&self, root: &str) -> Publication {
        let topic = named(&format!("{root}/_gateway/health"));
        retained(topic, QoS::AtMostOnce, self.json(), Some(payload::json()))
    }

    fn json(&self) -> String {
        let Self { sensors_ok, sensors_failed, .. } = self;
        let sensors = format!("{{\"ok\":{sensors_ok},\"failed\":{sensors_failed}}}");
        let known = [
            ("uptime_s", Some(self.uptime.as_secs().to_string())),
            ("rss_bytes", self.resident.map(|bytes| bytes.to_string())),
            ("cpu_temperature", self.cpu.map(|temperature| temperature.to_decimal(1))),
            ("under_voltage", self.under_voltage.map(|alarm| alarm.to_string())),
            ("disk_free_bytes", self.disk_free.map(|bytes| bytes.to_string())),
            ("store", self.store.map(|store| store.json())),
            ("store_damage", self.store_damage.as_deref().map(payload::text)),
            ("queue_drops", Some(self.queue_drops.to_string())),
            ("sensors", Some(sensors)),
            (
                "certificate_expires",
                self.certificate_expires.map(|at| payload::text(&at.to_string())),
            ),
        ];
        let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let fields: Vec<_> = known.chain(payload::time(self.at)).collect();
        payload::object(&fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Health = Health {
        at: Timestamp::new(17_000, false),
        uptime: Duration::from_millis(61_900),
        resident: None,
        cpu: None,
        under_voltage: None,
        disk_free: None,
        store: None,
        store_damage: None,
        queue_drops: 0,
        sensors_ok: 0,
        sensors_failed: 0,
        certificate_expires: None,
    };

    #[track_caller]
    fn check(health: &Health, expected: &str) {
        let publication = health.publication("maison");
        assert_eq!(publication.message.topic.as_str(), "maison/_gateway/health");
        assert_eq!((publication.qos, publication.retained_for), (QoS::AtMostOnce, None));
        assert_eq!(str::from_utf8(&publication.message.payload).unwrap(), expected);
        serde_json::from_str::<serde_json::Value>(expected).unwrap();
    }

    #[test]
    fn what_is_known_is_told_and_the_rest_is_absent() {
        check(
            &NOTHING,
            concat!(
                r#"{"uptime_s":61,"queue_drops":0,"sensors":{"ok":0,"failed":0}"#,
                r#","t":"1970-01-01T00:00:17Z","clock":"unsynchronised"}"#,
            ),
        );
        let all = Health {
            at: Timestamp::new(1_795_352_405_999, true),
            resident: Some(9_437_184),
            cpu: Some(MilliCelsius::new(48_312)),
            under_voltage: Some(true),
            disk_free: Some(25_000_000_000),
            store: Some(Store { state: "full", commits: 3, ..Store::default() }),
            store_damage: Some("its log is \"gone\"".into()),
            queue_drops: 7,
            sensors_ok: 4,
            sensors_failed: 1,
            certificate_expires: Some(Timestamp::new(1_826_888_405_000, true)),
            ..NOTHING
        };
        check(
            &all,
            concat!(
                r#"{"uptime_s":61,"rss_bytes":9437184,"cpu_temperature":48.3"#,
                r#","under_voltage":true,"disk_free_bytes":25000000000"#,
                r#","store":{"state":"full","bytes_written":0,"syncs":0,"commits":3,"failures":0"#,
                r#","changes_noted":0,"changes_spared":0,"refused":0,"queued":0}"#,
                r#","store_damage":"its log is \"gone\"","queue_drops":7"#,
                r#","sensors":{"ok":4,"failed":1},"certificate_expires":"2027-11-22T13:00:05Z""#,
                r#","t":"2026-11-22T13:00:05Z"}"#,
            ),
        );
    }
}

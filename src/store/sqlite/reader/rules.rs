//! What must be so among rows that are each what was written.

use rusqlite::Connection;

use super::super::payloads::PART_BITS;
use super::super::trouble::SqlResult;
use super::number;

/// A question whose answer is a number of offences, and what they are.
const RULES: &[(&str, &str)] = &[
    (
        "large payloads are spoken of more or less often than they say",
        "SELECT count(*) FROM payloads LEFT JOIN (
             SELECT large, count(*) AS rows FROM (
                 SELECT large FROM queued WHERE large IS NOT NULL
                 UNION ALL SELECT large FROM retained WHERE large IS NOT NULL
             ) GROUP BY large
         ) AS spoken ON spoken.large = payloads.id
         WHERE refs <> coalesce(spoken.rows, 0)",
    ),
    (
        "slots are of a session and of one that is over",
        "SELECT count(*) FROM ended JOIN sessions USING (slot)",
    ),
    (
        "sessions have a number that is still to be given",
        "SELECT count(*) FROM sessions WHERE id >=
             coalesce((SELECT value FROM store WHERE name = 'next_session'), 0)",
    ),
    (
        "packet identifiers are in flight twice in one session",
        "SELECT count(*) FROM (
             SELECT 1 FROM (
                 SELECT key >> 43 AS slot, packet_id FROM queued WHERE packet_id IS NOT NULL
                 UNION ALL SELECT slot, packet_id FROM released JOIN sessions ON id = session
             ) GROUP BY slot, packet_id HAVING count(*) > 1
         )",
    ),
    (
        "places are taken twice in the order of release",
        "SELECT count(*) FROM (
             SELECT 1 FROM released GROUP BY session, place HAVING count(*) > 1
         )",
    ),
    (
        "messages in flight have a QoS that needs no packet identifier",
        "SELECT count(*) FROM queued WHERE packet_id IS NOT NULL AND qos = 0",
    ),
];

/// The rules that are broken, each with how often.
pub(super) fn broken(connection: &Connection) -> SqlResult<Vec<String>> {
    let mut broken = Vec::new();
    for (what, sql) in RULES {
        note(number(connection, sql)?, what, &mut broken);
    }
    let first = format!("id << {PART_BITS}");
    let partless = number(
        connection,
        &format!(
            "SELECT count(*) FROM payloads WHERE bytes > 0 AND NOT EXISTS (SELECT 1 FROM \
             payload_parts WHERE key BETWEEN {first} AND (({first}) | {}))",
            (1_u32 << PART_BITS) - 1
        ),
    )?;
    note(partless, "large payloads are not there", &mut broken);
    Ok(broken)
}

fn note(offences: u64, what: &str, broken: &mut Vec<String>) {
    if offences > 0 {
        broken.push(format!("{offences} {what}"));
    }
}

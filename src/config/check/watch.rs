//! `[log]`, `[metrics]` and `[mdns]`: what the gateway tells of itself.

use super::listeners::address;
use super::word;
use crate::config::complaint::{Complaint, Complaints};
use crate::config::log::{LogFilter, LogFormat};
use crate::config::words::{ANNOUNCEMENTS, LOG_FORMATS};
use crate::config::written::{At, Field};
use crate::config::{Announce, Log, Metrics, schema};

/// `[log]`.
pub(super) fn log(field: &Field<schema::Log>, complaints: &mut Complaints) -> Log {
    let default = Log::default();
    let Some(written) = field.value() else { return default };
    Log {
        level: level(&written.level, default.level, complaints),
        format: word(&written.format, "`format`", &LOG_FORMATS, LogFormat::Text, complaints),
    }
}

fn level(field: &Field<String>, default: LogFilter, complaints: &mut Complaints) -> LogFilter {
    let Some(At { place, value }) = field.given() else { return default };
    LogFilter::parse(value).unwrap_or_else(|error| {
        complaints.push(Complaint::value(*place, error.what).found(error.found).hint(error.hint));
        default
    })
}

/// `[mdns]`.
pub(super) fn announce(field: &Field<schema::Mdns>, complaints: &mut Complaints) -> Announce {
    let Some(written) = field.value() else { return Announce::Private };
    word(&written.announce, "`announce`", &ANNOUNCEMENTS, Announce::Private, complaints)
}

/// `[metrics]`; none where the table is not written.
pub(super) fn metrics(
    field: &Field<schema::Metrics>,
    complaints: &mut Complaints,
) -> Option<Metrics> {
    let At { place, value: written } = field.given()?;
    let hint = "an address and a port, as in `bind = \"127.0.0.1:9883\"`";
    let at = written.bind.required("bind", *place, hint, complaints)?;
    let bind = address(at, complaints)?;
    let open = written.open.value().copied().unwrap_or(false);
    if !bind.ip().to_canonical().is_loopback() && !open {
        let complaint = Complaint::shape(at.place, "everyone on the network may read the metrics");
        let hint = "bind to `127.0.0.1`, or `open = true` if that is meant";
        complaints.push(complaint.found(bind.to_string()).hint(hint));
    }
    Some(Metrics { bind })
}

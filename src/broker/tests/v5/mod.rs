//! What only MQTT 5.0 knows.

mod connecting;
mod delivering;
mod publishing;
mod reconfigured;
mod refusing;
mod rights;
mod sessions;
mod shared;
mod subscribing;
mod wills;

use super::house::{self, House, id, message, publish, success, v5, v5_lasting, wanted};
use crate::mqtt::{ConnectProperties, Packet, ReasonCode};

/// The reason and the words of a server's DISCONNECT, which is the last packet.
#[track_caller]
fn sent_away(house: &mut House, client: house::Client) -> (ReasonCode, String) {
    let Packet::Disconnect(farewell) = house.read(client) else { panic!("no DISCONNECT") };
    assert!(house.is_closed(client));
    house.reads_nothing(client);
    let words = farewell.properties.reason_string.expect("words");
    (farewell.reason, words.to_string())
}

/// Properties of a CONNECT with one change.
fn properties(change: impl FnOnce(&mut ConnectProperties)) -> ConnectProperties {
    let mut properties = ConnectProperties::default();
    change(&mut properties);
    properties
}

//! Shared subscriptions (4.8.2).

use std::time::Duration;

use super::*;
use crate::mqtt::QoS;

const FILTER: &str = "$share/crew/jobs/#";

/// Members of one group with lasting sessions, and a publisher.
fn crew(house: &mut House, names: &[&str]) -> (Vec<house::Client>, house::Client) {
    let join = |name: &&str| {
        let client = house.connect_as(v5_lasting(name)).0;
        house.subscribe(client, FILTER, QoS::ExactlyOnce);
        client
    };
    let members = names.iter().map(join).collect();
    (members, house.connect("publisher"))
}

/// Whether each message is with exactly one member.
#[test]
fn each_message_goes_to_one_member_in_turn() {
    let mut house = House::new();
    let (members, publisher) = crew(&mut house, &["a", "b", "c"]);
    let alone = house.connect_as(v5("alone")).0;
    house.subscribe(alone, "jobs/+", QoS::AtMostOnce);
    for number in 0..6 {
        house.publish(publisher, "jobs/x", &number.to_string(), QoS::AtLeastOnce);
    }
    for round in 0..2 {
        for (place, &member) in members.iter().enumerate() {
            house.hears(member, &format!("jobs/x={} q1", round * 3 + place));
        }
    }
    assert_eq!(house.unread(alone), 6, "who does not share gets all");
}

/// 4.8.2: each group is for itself, and apart from the client's own subscriptions.
#[test]
fn groups_do_not_know_of_each_other() {
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    for filter in ["$share/one/t", "$share/two/t", "t"] {
        house.subscribe(client, filter, QoS::AtMostOnce);
    }
    assert_eq!(house.broker.statistics().shared_subscriptions, 2);
    let publisher = house.connect("publisher");
    house.publish(publisher, "t", "1", QoS::AtMostOnce);
    assert_eq!(house.unread(client), 3);
    house.unsubscribe_all(client, &["$share/one/t", "t", "$share/two/t"]);
    assert_eq!(house.broker.statistics().subscriptions, 0);
}

/// 4.8.2: no retained messages for a group.
#[test]
fn a_group_gets_no_retained_messages() {
    let mut house = House::new();
    let publisher = house.connect("publisher");
    house.retain(publisher, "jobs/x", "1", QoS::AtMostOnce);
    let client = house.connect_as(v5("a")).0;
    house.subscribe(client, FILTER, QoS::AtLeastOnce);
    house.reads_nothing(client);
}

#[test]
fn whoever_is_busy_or_away_is_passed_over() {
    let mut house = House::new();
    let (members, publisher) = crew(&mut house, &["a", "b"]);
    house.cut(members[0]);
    for number in 0..3 {
        house.publish(publisher, "jobs/x", &number.to_string(), QoS::AtLeastOnce);
    }
    for number in 0..3 {
        house.hears(members[1], &format!("jobs/x={number} q1"));
    }
    house.is_at_rest();
}

/// A message of QoS 1 waits for a member when all are away.
#[test]
fn when_all_are_away_one_gets_it_on_its_return() {
    let mut house = House::new();
    let (members, publisher) = crew(&mut house, &["a", "b"]);
    for &member in &members {
        house.cut(member);
    }
    house.publish(publisher, "jobs/x", "0", QoS::AtMostOnce);
    house.publish(publisher, "jobs/x", "1", QoS::AtLeastOnce);
    house.publish(publisher, "jobs/x", "2", QoS::AtLeastOnce);
    let one = house.connect_as(v5_lasting("a")).0;
    let other = house.connect_as(v5_lasting("b")).0;
    house.hears(one, "jobs/x=1 q1");
    house.hears(other, "jobs/x=2 q1");
    house.is_at_rest();
}

/// [MQTT-4.8.2-4]: a QoS 2 message stays with whom it was sent to; what is of QoS 1 goes to
/// another, acknowledged or not, and so does what was not sent.
#[test]
fn the_work_of_a_member_that_is_gone_goes_to_another() {
    let mut house = House::with(|settings| settings.bounds.inflight_to_client = 2);
    let (members, publisher) = crew(&mut house, &["a"]);
    house.publish(publisher, "jobs/x", "once", QoS::ExactlyOnce);
    house.publish(publisher, "jobs/x", "often", QoS::AtLeastOnce);
    house.publish(publisher, "jobs/x", "waiting", QoS::ExactlyOnce);
    let other = house.connect_as(v5_lasting("b")).0;
    house.subscribe(other, FILTER, QoS::ExactlyOnce);
    house.cut(members[0]);
    house.hears(other, "jobs/x=often q1");
    house.hears(other, "jobs/x=waiting q2");
    let back = house.connect_as(v5_lasting("a")).0;
    house.hears(back, "jobs/x=once q2 dup");
    house.is_at_rest();
}

/// [MQTT-4.8.2-5]: a QoS 2 message that was sent is not sent to anybody else.
#[test]
fn the_end_of_a_session_leaves_its_work_to_the_others() {
    let mut house = House::with(|settings| settings.bounds.inflight_to_client = 2);
    let (members, publisher) = crew(&mut house, &["a", "b"]);
    house.cut(members[1]);
    house.publish(publisher, "jobs/x", "once", QoS::ExactlyOnce);
    house.publish(publisher, "jobs/x", "often", QoS::AtLeastOnce);
    house.publish(publisher, "jobs/x", "waiting", QoS::ExactlyOnce);
    house.cut(members[0]);
    house.pass(Duration::from_secs(30));
    let back = house.connect_as(v5_lasting("b")).0;
    house.reads_nothing(back);
    house.pass(Duration::from_secs(31));
    house.hears(back, "jobs/x=often q1");
    house.hears(back, "jobs/x=waiting q2");
    house.is_at_rest();
}

#[test]
fn what_waits_for_a_member_that_leaves_the_group_goes_to_the_others() {
    let mut house = House::with(|settings| settings.bounds.inflight_to_client = 1);
    let (members, publisher) = crew(&mut house, &["a"]);
    house.publish(publisher, "jobs/x", "1", QoS::AtLeastOnce);
    house.publish(publisher, "jobs/x", "2", QoS::AtLeastOnce);
    let other = house.connect_as(v5_lasting("b")).0;
    house.subscribe(other, FILTER, QoS::ExactlyOnce);
    house.send_unsubscribe(members[0], FILTER);
    house.hears(other, "jobs/x=2 q1");
    house.hears(members[0], "jobs/x=1 q1");
    assert!(matches!(house.read(members[0]), Packet::UnsubAck(_)));
    house.is_at_rest();
}

/// The last one keeps it, and an UNSUBSCRIBE that finds nothing changes nothing (3.10.4).
#[test]
fn what_waits_for_the_last_member_stays_with_it() {
    let mut house = House::with(|settings| settings.bounds.inflight_to_client = 1);
    let (members, publisher) = crew(&mut house, &["a"]);
    house.publish(publisher, "jobs/x", "1", QoS::AtLeastOnce);
    house.publish(publisher, "jobs/x", "2", QoS::AtLeastOnce);
    house.send_unsubscribe(members[0], FILTER);
    let other = house.connect_as(v5_lasting("b")).0;
    house.subscribe(other, FILTER, QoS::ExactlyOnce);
    house.send_unsubscribe(members[0], FILTER);
    house.hears(members[0], "jobs/x=1 q1");
    for _ in 0..2 {
        assert!(matches!(house.read(members[0]), Packet::UnsubAck(_)));
    }
    house.hears(members[0], "jobs/x=2 q1");
    house.reads_nothing(other);
    house.is_at_rest();
}

/// [MQTT-4.8.2-6]
#[test]
fn a_message_that_a_member_refuses_is_offered_to_nobody_else() {
    let mut house = House::new();
    let (members, publisher) = crew(&mut house, &["a", "b"]);
    house.publish(publisher, "jobs/x", "1", QoS::AtLeastOnce);
    let packet_id = house.gets(members[0], "jobs/x=1 q1");
    let (reason, properties) = (ReasonCode::ImplementationSpecificError, None);
    let refusal = crate::mqtt::Acknowledgement { packet_id, reason, properties };
    house.send(members[0], Packet::PubAck(refusal));
    house.reads_nothing(members[1]);
    house.is_at_rest();
}

/// [MQTT-4.8.2-3]
#[test]
fn each_member_has_its_own_quality() {
    let mut house = House::new();
    let one = house.connect_as(v5("a")).0;
    house.subscribe(one, FILTER, QoS::AtMostOnce);
    let other = house.connect_as(v5("b")).0;
    house.subscribe(other, FILTER, QoS::AtLeastOnce);
    let publisher = house.connect("publisher");
    for number in 0..2 {
        house.publish(publisher, "jobs/x", &number.to_string(), QoS::ExactlyOnce);
    }
    house.hears(one, "jobs/x=0 q0");
    house.hears(other, "jobs/x=1 q1");
}

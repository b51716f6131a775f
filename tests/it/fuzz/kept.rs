//! The inputs that are kept, through the same functions as those that are new.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// Runs all kept inputs of a target, and names those that fail.
#[track_caller]
fn check(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut kept: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    kept.sort();
    assert!(!kept.is_empty(), "no inputs are kept for `{target}`");
    let fails = |path: &&_| {
        let bytes = fs::read(path).unwrap();
        catch_unwind(|| run(&bytes)).is_err()
    };
    let failed: Vec<_> = kept.iter().filter(fails).collect();
    assert!(failed.is_empty(), "`{target}` fails with {failed:?}");
}

#[test]
fn kept_bytes_are_decoded_alike_in_any_chunks() {
    check("decode", super::decode);
}

#[test]
fn kept_packets_come_out_as_they_went_in() {
    check("round_trip", super::round_trip);
}

#[test]
fn kept_topics_reach_whom_the_standard_says() {
    check("topic_filter", super::topic_filter);
}

#[test]
fn kept_users_may_what_their_scopes_say_and_no_more() {
    check("users", super::users);
}

#[test]
fn kept_certificates_let_in_whom_they_name_and_nobody_else() {
    check("certificates", super::certificates);
}

#[test]
fn kept_files_of_mosquitto_give_nobody_more_than_before() {
    check("mosquitto", super::mosquitto);
}

#[test]
fn kept_conversations_leave_nothing_behind() {
    check("conversation", super::conversation);
}

#[test]
fn kept_websockets_come_to_what_the_standard_says() {
    check("websocket", super::websocket);
}

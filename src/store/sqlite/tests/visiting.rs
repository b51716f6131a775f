//! Visitors of a store: what they see is right, and what they leave is what was there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::types::ValueRef;

use super::super::aside::{beside, log_of};
use super::super::message::integer;
use super::super::row::{Table, put};
use super::super::{check, compact};
use super::round_trip::compare;
use super::*;
use crate::broker::record::{Change, Place, SessionId};
use crate::mqtt::PacketId;
use crate::store::tests::model::Model;
use crate::store::tests::records::{batch, batches, plain, session_of, waits};
use crate::store::{Exported, Progress, VisitError};

fn reader(path: &Path) -> Reader {
    Reader::open(path, WALL, &Progress::default()).unwrap()
}

fn export(path: &Path) -> (Vec<Change>, Exported) {
    let mut changes = Vec::new();
    let mut take = |change| {
        changes.push(change);
        Ok(())
    };
    let exported = reader(path).export(&mut take).unwrap();
    (changes, exported)
}

#[track_caller]
fn faults(path: &Path) -> Vec<String> {
    check(path, WALL, &Progress::default()).unwrap().faults
}

/// A message of more than fits into its row.
fn large(byte: u8) -> Vec<u8> {
    vec![byte; 200_000]
}

/// Two sessions, one of them with a thousand messages, and large payloads.
fn filled() -> [Batch; 2] {
    let received = Change::Received { session: SessionId(1), packet_id: PacketId::MIN };
    let messages = (0..1000).map(|place| waits(1, place, plain("salon", "21.4")));
    let large = [waits(1, 1000, plain("a", large(1))), waits(2, 0, plain("a", large(2)))];
    [
        batch([session_of(1, "anna", "phone"), session_of(2, "anna", "tablet"), received]),
        batch(messages.chain(large)),
    ]
}

/// A store as `filled` left it, and what is in it.
fn house() -> (Room, SqliteStore, Model) {
    let (room, mut model) = (Room::new(), Model::default());
    let mut store = room.open();
    store.restore(NOW, WALL).unwrap();
    for batch in filled() {
        store.commit(&batch, NOW, WALL).unwrap();
        model.commit(&batch);
    }
    (room, store, model)
}

fn content(room: &Room) -> [Vec<u8>; 2] {
    [room.path(), log_of(&room.path())].map(|path| fs::read(path).unwrap())
}

#[test]
fn visits_of_a_store_at_work_see_all_of_it_and_change_nothing() {
    let (room, mut store, model) = house();
    let before = content(&room);
    let findings = check(&room.path(), WALL, &Progress::default()).unwrap();
    assert_eq!((findings.faults, findings.notes), (Vec::new(), Vec::new()));
    assert_eq!((findings.contents.sessions, findings.contents.messages), (2, 1002));
    let stats = reader(&room.path()).stats().unwrap();
    let of = |it: &crate::store::SessionStats| (it.queued, it.in_flight, it.received);
    assert_eq!(stats.sessions.iter().map(of).collect::<Vec<_>>(), [(1001, 0, 1), (1, 0, 0)]);
    assert_eq!((stats.payloads, stats.payload_bytes), (2, 400_000));
    let (changes, exported) = export(&room.path());
    assert_eq!((changes.len(), exported.contents.messages), (1005, 1002));
    assert!(exported.is_of_one_moment && exported.damaged.is_empty());
    assert!(content(&room) == before);
    compare(&mut store, &model).unwrap();
}

#[test]
fn an_export_beside_a_store_at_work_tells_that_it_is_not_of_one_moment() {
    let (room, mut store, _) = house();
    let mut end = Some(batch([Change::SessionEnd(SessionId(2))]));
    let mut take = |change: Change| {
        if let Some(end) = end.take() {
            store.commit(&end, NOW, WALL).unwrap();
            store.settle().unwrap();
            // It takes the slot of the one that is over.
            let other = [session_of(3, "eve", "other"), waits(3, 0, plain("a", "of another"))];
            store.commit(&batch(other), NOW, WALL).unwrap();
        }
        assert!(!format!("{change:?}").contains("of another"), "a message of another session");
        Ok(())
    };
    let exported = reader(&room.path()).export(&mut take).unwrap();
    assert!(!exported.is_of_one_moment);
    assert_eq!((exported.contents.messages, exported.passed_over), (1001, 1));
}

#[test]
fn a_backup_of_a_store_at_work_is_a_store_of_that_moment() {
    let (room, mut store, model) = house();
    let copy = room.folder.path().join("copy.db");
    let findings = reader(&room.path()).backup(&copy).unwrap();
    assert_eq!((findings.faults, findings.contents.messages), (Vec::new(), 1002));
    store.commit(&batch([Change::SessionEnd(SessionId(1))]), NOW, WALL).unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(room.folder.path()).unwrap().flatten().collect();
    assert!(left.iter().all(|it| !it.file_name().to_str().unwrap().contains(".new")), "{left:?}");
    let (mut opened, report) = SqliteStore::open(&copy, Durability::Crash, NOW, WALL).unwrap();
    assert!(report.is_clean() && report.notes.is_empty(), "{report:?}");
    compare(&mut opened, &model).unwrap();
    let again = reader(&room.path()).backup(&copy).unwrap_err();
    assert!(matches!(again, VisitError::Exists { .. }), "{again}");
}

#[test]
fn work_that_is_stopped_leaves_nothing() {
    let (room, store, model) = house();
    let progress = Progress::default();
    let reader = Reader::open(&room.path(), WALL, &progress).unwrap();
    progress.stop();
    let copy = room.folder.path().join("copy.db");
    assert!(matches!(reader.backup(&copy), Err(VisitError::Stopped)));
    assert!(matches!(reader.export(&mut |_| Ok(())), Err(VisitError::Stopped)));
    drop((reader, store));
    assert!(matches!(compact(&room.path(), WALL, &progress), Err(VisitError::Stopped)));
    for file in [&copy, &beside(&copy, ".new"), &beside(&room.path(), ".new")] {
        assert!(fs::symlink_metadata(file).is_err(), "{}", file.display());
    }
    compare(&mut room.open(), &model).unwrap();
}

#[test]
fn a_compacted_store_is_smaller_and_has_everything() {
    let (room, mut store, mut model) = house();
    let end = batch([Change::SessionEnd(SessionId(1))]);
    store.commit(&end, NOW, WALL).unwrap();
    model.commit(&end);
    store.settle().unwrap();
    let busy = compact(&room.path(), WALL, &Progress::default()).unwrap_err();
    assert!(matches!(busy, VisitError::Busy { .. }), "{busy}");
    // As a kill leaves it: with a log.
    let killed = Room::new();
    for file in [room.path(), log_of(&room.path())] {
        fs::copy(&file, killed.folder.path().join(file.file_name().unwrap())).unwrap();
    }
    fs::set_permissions(killed.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let done = compact(&killed.path(), WALL, &Progress::default()).unwrap();
    assert!(done.after < done.before * 2 / 3, "{done:?}");
    assert_eq!(fs::metadata(killed.path()).unwrap().len(), done.after);
    assert_eq!(fs::metadata(killed.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(killed.folder.path()).unwrap().count(), 1);
    let (mut opened, report) =
        SqliteStore::open(&killed.path(), Durability::Crash, NOW, WALL).unwrap();
    assert!(report.is_clean() && report.notes.is_empty(), "{report:?}");
    compare(&mut opened, &model).unwrap();
}

/// Each row is what was written; together they cannot be.
#[test]
fn a_check_knows_what_must_be_so_among_rows() {
    #[track_caller]
    fn broken(expected: &str, change: impl FnOnce(&Connection)) {
        let (room, store, _) = house();
        change(&store.connection);
        let faults = faults(&room.path());
        assert_eq!(faults, [expected], "{faults:?}");
    }
    let row = |table, fields: &'static [u64]| {
        move |connection: &Connection| {
            let fields: Vec<ValueRef> = fields.iter().map(|field| integer(*field)).collect();
            put(connection, table, &fields).unwrap();
        }
    };
    let run =
        |sql: &'static str| move |connection: &Connection| connection.execute_batch(sql).unwrap();
    broken(
        "1 large payloads are spoken of more or less often than they say",
        row(Table::Payloads, &[1, 7, 200_000]),
    );
    broken("1 slots are of a session and of one that is over", row(Table::Ended, &[1]));
    broken("2 sessions have a number that is still to be given", |connection| {
        let name = ValueRef::Text(b"next_session");
        put(connection, Table::Store, &[name, integer(1)]).unwrap();
    });
    broken("1 packet identifiers are in flight twice in one session", |connection| {
        for place in [0, 1] {
            let write = |row: &[ValueRef]| put(connection, Table::Queued, row);
            let (life, payload) = (LifeId(1), message::Payload::Inline(b"b"));
            let packet_id = Some(PacketId::MIN);
            message::queued(place, life, packet_id, &plain("a", "b"), payload, write).unwrap();
        }
    });
    broken("1 places are taken twice in the order of release", |connection| {
        row(Table::Released, &[1, 7, 3])(connection);
        row(Table::Released, &[1, 8, 3])(connection);
    });
    broken(
        "1 of table `payloads`: its parts are not what it says",
        run("DELETE FROM payload_parts WHERE key = (1 << 13) + 2"),
    );
    broken("1 large payloads are not there", run("DELETE FROM payload_parts WHERE key >> 13 = 1"));
    broken("1002 of table `queued`: its checksum is wrong", run("UPDATE queued SET qos = 2"));
}

#[test]
fn what_is_no_store_is_told_by_a_check_and_refused_by_the_rest() {
    #[track_caller]
    fn check_fault(content: Option<&[u8]>, expected: &str) {
        let room = Room::new();
        if let Some(content) = content {
            fs::write(room.path(), content).unwrap();
        }
        fs::write(log_of(&room.path()), "").unwrap();
        assert_eq!(faults(&room.path()), [expected]);
        let opened = Reader::open(&room.path(), WALL, &Progress::default());
        assert!(opened.is_err());
        assert_eq!(fs::read(room.path()).ok().as_deref(), content);
    }
    check_fault(None, "the file is gone, only its log is there");
    check_fault(Some(b""), "the file is empty");
    check_fault(Some(b"SQLite"), "the file is cut off");
    check_fault(Some(&[0; 8192]), "its beginning is not that of a store");
    let absent = check(&Room::new().path(), WALL, &Progress::default()).unwrap_err();
    assert!(matches!(absent, VisitError::Absent { .. }), "{absent}");
}

/// Without ticks, which are others in each life.
fn timeless(mut told: Vec<Batch>) -> Vec<Batch> {
    for change in told.iter_mut().flat_map(|batch| &mut batch.changes) {
        match change {
            Change::Session(record) => (record.expires, record.will_at) = (None, None),
            Change::Queued { message, .. } => Arc::make_mut(message).expires = None,
            Change::Retained(record) => record.expires = None,
            _ => {}
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn an_export_is_what_would_make_the_store_anew(told in batches()) {
        let (room, mut model) = (Room::new(), Model::default());
        let mut store = room.open();
        for batch in timeless(told) {
            store.commit(&batch, NOW, WALL).unwrap();
            model.commit(&batch);
        }
        drop(store);
        let (changes, exported) = export(&room.path());
        prop_assert!(exported.is_of_one_moment);
        let next = SessionId(store_next(&room));
        let other = Room::new();
        let mut copy = other.open();
        copy.restore(NOW, WALL).unwrap();
        copy.commit(&batch(changes), NOW, WALL).unwrap();
        copy.next_session = next.0;
        let mut restored = copy.restore(NOW, WALL).unwrap();
        restored.next_session = next;
        prop_assert_eq!(
            crate::store::tests::model::sorted(restored),
            crate::store::tests::model::sorted(model.restored())
        );
        for session in model.sessions() {
            let (from, to) = (Place(0), Place(u64::MAX));
            let (messages_max, bytes_max) = (usize::MAX, usize::MAX);
            let request = PageRequest { session, from, to, messages_max, bytes_max };
            let page = copy.page(&request, NOW, WALL).unwrap();
            prop_assert_eq!(&page, &model.page(&request));
        }
    }
}

/// The number of the next session, which an export does not tell: numbers are a store's own.
fn store_next(room: &Room) -> u64 {
    room.open().restore(NOW, WALL).unwrap().next_session.0
}

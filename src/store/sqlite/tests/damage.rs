//! Whatever happens to the files: the store opens, what it has is right, and what it lost is told.

mod own_log;
mod side_by_side;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use bytes::Bytes;

use super::super::aside::{beside, index_of, log_of};
use super::*;
use crate::broker::record::{Change, Place, RetainedRecord, SessionId, Subscription};
use crate::mqtt::{Message, QoS, TopicName};
use crate::sim::chance::Chance;
use crate::store::Contents;
use crate::store::tests::model::{Model, sorted};
use crate::store::tests::records::{batch, plain, session_of, waits};

const MESSAGES: u64 = 600;

/// A store with something in each table, and what is in it.
struct House {
    room: Room,
    model: Model,
}

/// How the gateway ended that worked on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    InPeace,
    Killed,
}

impl House {
    fn new(end: End) -> Self {
        let mut house = Self { room: Room::new(), model: Model::default() };
        let mut store = house.room.open();
        for batch in batches() {
            store.commit(&batch, NOW, WALL).unwrap();
            house.model.commit(&batch);
        }
        match end {
            End::InPeace => drop(store),
            // What is on the disk while it runs is what a kill leaves.
            End::Killed => {
                let killed = Room::new();
                for file in [house.room.path(), log_of(&house.room.path())] {
                    fs::copy(&file, killed.folder.path().join(file.file_name().unwrap())).unwrap();
                }
                house.room = killed;
            }
        }
        house
    }

    fn path(&self) -> PathBuf {
        self.room.path()
    }

    fn read(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    fn write(&self, content: impl AsRef<[u8]>) {
        fs::write(self.path(), content).unwrap();
    }

    fn log(&self) -> PathBuf {
        log_of(&self.path())
    }

    /// Opens it, and holds what must be so after any damage.
    #[track_caller]
    fn open(&self) -> (Found, OpenReport) {
        let (mut store, report) =
            SqliteStore::open(&self.path(), Durability::Crash, NOW, WALL).unwrap();
        let found = Found::of(&mut store);
        let known = Found::of_model(&self.model);
        for thing in &found.0 {
            assert!(known.0.contains(thing), "never written: {thing}\n{report}");
        }
        assert!(found == known || !report.is_clean(), "lost without a word: {report:?}");
        for path in &report.put_aside {
            assert!(fs::symlink_metadata(path).is_ok(), "{}", path.display());
        }
        let next = store.next_session;
        let more = batch([session_of(next, "eve", "new"), waits(next, 0, plain("a", "b"))]);
        store.commit(&more, NOW, WALL).unwrap();
        let all = sorted(store.restore(NOW, WALL).unwrap());
        drop(store);
        let (mut store, second) =
            SqliteStore::open(&self.path(), Durability::Crash, NOW, WALL).unwrap();
        assert!(second.is_clean(), "{second}");
        assert_eq!(sorted(store.restore(NOW, WALL).unwrap()), all);
        (found, report)
    }
}

/// Everything in a store, a line for each thing.
#[derive(Debug, PartialEq, Eq)]
struct Found(BTreeSet<String>);

impl Found {
    fn of(store: &mut SqliteStore) -> Self {
        let restored = store.restore(NOW, WALL).unwrap();
        let sessions: Vec<_> = restored.sessions.iter().map(|it| it.record.id).collect();
        let mut page = |session| store.page(&everything(session), NOW, WALL).unwrap();
        let pages = sessions.into_iter().map(|session| (session, page(session))).collect();
        Self::new(restored, pages)
    }

    fn of_model(model: &Model) -> Self {
        let pages = model.sessions().map(|session| (session, model.page(&everything(session))));
        Self::new(model.restored(), pages.collect())
    }

    fn new(restored: Restored, pages: Vec<(SessionId, Vec<(Place, Queued)>)>) -> Self {
        let mut found: BTreeSet<String> = BTreeSet::new();
        found.extend(restored.retained.iter().map(|it| format!("{it:?}")));
        for it in restored.sessions {
            let id = it.record.id.0;
            found.insert(format!("{:?}", it.record));
            found.extend(it.subscriptions.iter().map(|it| format!("{id} {it:?}")));
            found.extend(it.received.iter().map(|it| format!("{id} received {it}")));
            found.extend(it.released.iter().map(|it| format!("{id} released {it}")));
            found.extend(it.sent.iter().map(|it| format!("{id} sent {it:?}")));
        }
        for (id, page) in pages {
            found.extend(page.iter().map(|it| format!("{} waits {it:?}", id.0)));
        }
        Self(found)
    }

    fn messages(&self) -> usize {
        self.0.iter().filter(|thing| thing.contains(" waits ")).count()
    }
}

fn everything(session: SessionId) -> PageRequest {
    let (from, to) = (Place(0), Place(1 << 40));
    PageRequest { session, from, to, messages_max: usize::MAX, bytes_max: usize::MAX }
}

fn batches() -> Vec<Batch> {
    let topic = |name: String| TopicName::new(name).unwrap();
    let picture = Bytes::from(vec![7; 200_000]);
    let mut changes = vec![];
    for id in 1..=3 {
        changes.push(session_of(id, "anna", &format!("phone {id}")));
        changes.push(waits(id, 9_999, plain("door/picture", picture.clone())));
        let session = SessionId(id);
        for number in 1..20 {
            let packet_id = number.try_into().unwrap();
            changes.push(Change::Received { session, packet_id });
            changes.push(Change::Released { session, packet_id, order: 100 - u64::from(number) });
            let subscription = Subscription {
                qos: QoS::ExactlyOnce,
                id: None,
                no_local: false,
                retain_as_published: true,
            };
            let filter = format!("room{number}/#").into();
            changes.push(Change::Subscription { session, filter, subscription });
        }
    }
    for number in 0..200 {
        let topic = topic(format!("room{}/sensor{number}/temperature", number % 7));
        let message = Message { topic, ..plain("a", format!("{number}.5")).message };
        let record = RetainedRecord { message, qos: QoS::AtLeastOnce, expires: None };
        changes.push(Change::Retained(record.into()));
    }
    let first = batch(changes);
    let messages = (0..MESSAGES).map(|place| {
        let text = format!("{place} {}", "degrees ".repeat(8));
        let packet_id = (place % 50 == 0).then(|| u16::try_from(place + 1).unwrap());
        let packet_id = packet_id.and_then(|id| id.try_into().ok());
        let message = plain("room1/temperature", text).into();
        let (session, place) = (SessionId(place % 3 + 1), Place(place));
        Change::Queued { session, place, packet_id, message }
    });
    let messages: Vec<_> = messages.collect();
    let steps = messages.chunks(40).map(|chunk| batch(chunk.to_vec()));
    std::iter::once(first).chain(steps).collect()
}

/// Damages a store that ended so; then it opens with such a fault, and so much is left.
#[track_caller]
fn check(
    end: End,
    damage: impl FnOnce(&House),
    fault: &str,
    messages: std::ops::RangeInclusive<usize>,
) -> OpenReport {
    let house = House::new(end);
    damage(&house);
    let (found, report) = house.open();
    let messages_left = found.messages();
    assert!(report.to_string().contains(fault), "{report}");
    assert!(messages.contains(&messages_left), "{messages_left} messages\n{report}");
    report
}

/// Those that were not sent, and three pictures.
const ALL: usize = 600 - 12 + 3;

#[test]
fn a_file_that_is_whole_is_opened_without_a_word() {
    for end in [End::InPeace, End::Killed] {
        let (found, report) = House::new(end).open();
        assert_eq!(report, OpenReport::default(), "{end:?}");
        assert_eq!(found.messages(), ALL);
    }
}

#[test]
fn a_file_that_is_gone_or_none_is_replaced() {
    let report = check(
        End::Killed,
        |house| fs::remove_file(house.path()).unwrap(),
        "the file is gone, only its log is there",
        0..=0,
    );
    assert_eq!(report.put_aside.len(), 1);
    check(End::InPeace, |house| house.write(b""), "the file is empty", 0..=0);
    check(End::InPeace, |house| house.write(b"SQLite"), "the file is cut off", 0..=0);
    let picture = |house: &House| house.write(vec![0xFF; 100_000]);
    check(End::InPeace, picture, "its beginning is not that of a store", 0..=0);
    let folder = |house: &House| {
        fs::remove_file(house.path()).unwrap();
        fs::create_dir(house.path()).unwrap();
        fs::write(house.path().join("x"), "mine").unwrap();
    };
    let report = check(End::InPeace, folder, "it is not a file", 0..=0);
    assert!(report.put_aside[0].join("x").parent().is_some());
    let foreign = |house: &House| {
        fs::remove_file(house.path()).unwrap();
        let connection = Connection::open(house.path()).unwrap();
        connection
            .execute_batch("CREATE TABLE songs (name); INSERT INTO songs VALUES (1);")
            .unwrap();
    };
    check(End::InPeace, foreign, "it is a database of another program", 0..=0);
}

#[test]
fn the_name_of_what_is_put_aside_is_dated_and_new() {
    let house = House::new(End::InPeace);
    house.write(b"");
    let first = house.open().1.put_aside;
    house.write(b"");
    let second = house.open().1.put_aside;
    let name = |paths: &[PathBuf]| paths[0].file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(name(&first), "broker.db.damaged-2026-11-18T11-06-40");
    assert_eq!(name(&second), "broker.db.damaged-2026-11-18T11-06-40-2");
}

#[test]
fn only_the_newest_damaged_files_are_kept() {
    let house = House::new(End::InPeace);
    for second in 0..10 {
        house.write(b"");
        let wall = Timestamp::new(WALL.unix_ms() + second * 1000, true);
        SqliteStore::open(&house.path(), Durability::Crash, NOW, wall).unwrap();
    }
    let entries = fs::read_dir(house.room.folder.path()).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut damaged: Vec<_> = names.filter(|name| name.contains("damaged")).collect();
    damaged.sort();
    assert_eq!(damaged.len(), crate::limits::STORE_DAMAGED_KEPT_MAX);
    assert_eq!(damaged[0], "broker.db.damaged-2026-11-18T11-06-46");
}

#[test]
fn a_file_that_is_cut_keeps_what_is_before_the_cut() {
    for percent in [95, 75, 50, 25] {
        let cut = |house: &House| {
            let content = house.read();
            house.write(&content[..content.len() * percent / 100]);
        };
        let report = check(End::InPeace, cut, "there is: ", 0..=ALL - 1);
        assert!(report.uncounted, "{report}");
        assert_eq!(report.put_aside.len(), 1);
        assert!(!report.saved.is_empty(), "{percent} {report}");
    }
}

#[test]
fn a_first_page_that_is_gone_costs_nothing_else() {
    for (from, to) in [(0, 100), (0, 2048), (16, 18), (100, 2048), (0, 512)] {
        let zero = |house: &House| {
            let mut content = house.read();
            content[from..to].fill(0);
            house.write(content);
        };
        let report = check(End::InPeace, zero, "there is: ", ALL..=ALL);
        assert_eq!(report.saved.sessions, 3, "{from}..{to}: {report}");
        assert_eq!(report.saved.retained, 200);
        assert_eq!(report.saved.subscriptions, 57);
    }
}

/// Rows are read as the file describes them: a flipped bit there would make all of them wrong.
#[test]
fn a_description_of_the_tables_that_is_damaged_costs_nothing() {
    for (from, to) in [("user TEXT,", "user TEXT."), ("CREATE TABLE lives", "CREATE TABLE livez")] {
        let flip = |house: &House| {
            let mut content = house.read();
            let places = 0..content.len() - from.len();
            let places = places.filter(|at| content[*at..].starts_with(from.as_bytes()));
            for at in places.collect::<Vec<_>>() {
                content[at..at + to.len()].copy_from_slice(to.as_bytes());
            }
            house.write(content);
        };
        let report = check(End::InPeace, flip, "there is: ", ALL..=ALL);
        assert_eq!(report.saved.sessions, 3, "{report}");
    }
}

#[test]
fn a_page_that_is_gone_costs_what_was_in_it() {
    let pages = House::new(End::InPeace).read().len() / 2048;
    let mut silent = 0;
    for page in (1..pages).step_by(7) {
        let house = House::new(End::InPeace);
        let mut content = house.read();
        content[page * 2048..(page + 1) * 2048].fill(0);
        house.write(content);
        let (found, report) = house.open();
        silent += usize::from(report.is_clean());
        assert!(found.messages() > ALL / 2 || page < 30, "page {page}: {report}");
    }
    assert!(silent <= pages / 50, "{silent} of {pages} pages are not used");
}

/// One bit anywhere: either it means nothing, or it is told; and what remains is right.
#[test]
fn no_flipped_bit_goes_unnoticed() {
    let seeds: u64 = std::env::var("MAISON_SEEDS").map_or(40, |seeds| seeds.parse().unwrap());
    let whole = House::new(End::InPeace);
    let content = whole.read();
    let mut told = 0;
    for seed in 0..seeds {
        let mut chance = Chance::new(seed);
        let house = House { room: Room::new(), model: whole.model.clone() };
        let mut content = content.clone();
        for _ in 0..=chance.below(3) {
            let length = u64::try_from(content.len()).unwrap();
            let byte = usize::try_from(chance.below(length)).unwrap();
            content[byte] ^= 1 << chance.below(8);
        }
        house.write(&content);
        let (found, report) = house.open();
        told += usize::from(!report.is_clean());
        assert!(found.messages() > ALL / 2, "seed {seed}: {report}");
    }
    assert!(told > 0);
}

#[test]
fn a_log_that_is_gone_is_told_only_if_there_must_be_one() {
    let remove = |house: &House| fs::remove_file(house.log()).unwrap();
    check(End::Killed, remove, "its log is gone", 0..=ALL - 1);
    let empty = |house: &House| fs::write(house.log(), b"").unwrap();
    check(End::Killed, empty, "its log is gone", 0..=ALL - 1);
    let folder = |house: &House| {
        fs::remove_file(house.log()).unwrap();
        fs::create_dir(house.log()).unwrap();
    };
    check(End::Killed, folder, "something stood in the way", 0..=ALL - 1);
}

#[test]
fn a_log_with_a_wrong_beginning_is_put_aside() {
    let damage = |house: &House| {
        let mut log = fs::read(house.log()).unwrap();
        log[17] ^= 4;
        fs::write(house.log(), log).unwrap();
    };
    let report = check(End::Killed, damage, "its log is damaged at the beginning", 0..=ALL - 1);
    assert_eq!(report.put_aside.len(), 1);
    let cut = |house: &House| {
        let log = fs::read(house.log()).unwrap();
        fs::write(house.log(), &log[..20]).unwrap();
    };
    check(End::Killed, cut, "its log is damaged at the beginning", 0..=ALL - 1);
    let foreign = |house: &House| fs::write(house.log(), vec![9; 100_000]).unwrap();
    check(End::Killed, foreign, "its log is damaged at the beginning", 0..=ALL - 1);
}

#[test]
fn a_log_that_is_damaged_in_the_middle_is_put_aside_and_told() {
    let damage = |house: &House| {
        let mut log = fs::read(house.log()).unwrap();
        let middle = log.len() / 2;
        log[middle] ^= 1;
        fs::write(house.log(), log).unwrap();
    };
    let report = check(End::Killed, damage, "its log is damaged in the middle", 1..=ALL - 1);
    assert!(report.uncounted);
    assert_eq!(report.put_aside.len(), 1);
}

/// What a pulled plug leaves of a batch that was under way is no damage.
#[test]
fn a_log_whose_last_batch_is_unfinished_is_whole_without_it() {
    let mut house = House::new(End::Killed);
    let log = fs::read(house.log()).unwrap();
    fs::write(house.log(), &log[..log.len() - 1000]).unwrap();
    let all = batches();
    house.model = Model::default();
    all[..all.len() - 1].iter().for_each(|batch| house.model.commit(batch));
    let (mut store, report) =
        SqliteStore::open(&house.path(), Durability::Crash, NOW, WALL).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.notes, ["the last batch was not finished, and is left out"]);
    assert_eq!(Found::of(&mut store), Found::of_model(&house.model));
}

#[test]
fn a_journal_or_an_index_that_is_none_of_ours_is_no_hindrance() {
    let journal = |house: &House| fs::write(beside(&house.path(), "-journal"), "x").unwrap();
    check(End::InPeace, journal, "something stood in the way", ALL..=ALL);
    let folder = |house: &House| fs::create_dir(index_of(&house.path())).unwrap();
    check(End::Killed, folder, "something stood in the way", ALL..=ALL);
    let house = House::new(End::Killed);
    fs::write(index_of(&house.path()), vec![9; 32_768]).unwrap();
    let (found, report) = house.open();
    assert_eq!((found.messages(), report.is_clean()), (ALL, true));
}

#[test]
fn a_later_schema_is_put_aside_and_what_it_writes_as_we_do_is_saved() {
    let later = |house: &House| {
        let connection = Connection::open(house.path()).unwrap();
        let sql = "CREATE TABLE moods (mood); ALTER TABLE retained ADD COLUMN mood;
            PRAGMA user_version = 99;";
        connection.execute_batch(sql).unwrap();
    };
    let report = check(End::InPeace, later, "schema 99, this program knows 1", ALL..=ALL);
    assert_eq!((report.saved.sessions, report.saved.retained, report.lost.retained), (3, 0, 200));
}

/// Nothing was written in between, and nothing is wrong.
#[test]
fn a_life_without_a_batch_leaves_the_file_as_whole_as_it_was() {
    let house = House::new(End::Killed);
    for _ in 0..2 {
        let (store, report) =
            SqliteStore::open(&house.path(), Durability::Crash, NOW, WALL).unwrap();
        assert_eq!(report, OpenReport::default());
        drop(store);
    }
    let (found, report) = house.open();
    assert_eq!((found.messages(), report.is_clean()), (ALL, true));
}

#[test]
fn a_file_that_is_open_to_others_is_closed_to_them() {
    let house = House::new(End::InPeace);
    fs::set_permissions(house.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let (_, report) = house.open();
    assert_eq!(report.notes, ["was open to others, with mode 644"]);
    assert_eq!(fs::metadata(house.path()).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_new_file_is_private_and_so_are_those_beside_it() {
    let room = Room::new();
    let mut store = room.open();
    store.commit(&batch([session_of(1, "anna", "phone")]), NOW, WALL).unwrap();
    for path in [room.path(), log_of(&room.path()), index_of(&room.path())] {
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "{}", path.display());
    }
    assert_eq!(fs::read_dir(room.folder.path()).unwrap().count(), 3);
}

//! Whether a log is the file's own, where a torn file or a reader makes it hard to say.

use super::*;

/// Makes the file, without its log, say of that log what `value` says.
fn say(house: &House, value: u64) {
    let alone = Room::new();
    fs::copy(house.path(), alone.path()).unwrap();
    let connection = Connection::open(alone.path()).unwrap();
    fact(&connection, Fact::Open, value).unwrap();
    connection.close().unwrap();
    assert!(!log_of(&alone.path()).exists());
    house.write(fs::read(alone.path()).unwrap());
}

/// A plug was pulled while the log was moved: half of each page is there, but for those that say
/// what the file knows of its log.
fn tear(house: &House) {
    let mut content = house.read();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'store'";
    let alone = round::alone(&house.path()).unwrap();
    let spared: usize = alone.query_row(sql, [], |row| row.get(0)).unwrap();
    let moved = moved(house);
    let pages = content.chunks_mut(2048).zip(moved.chunks(2048)).zip(1..);
    for ((page, moved), _) in pages.filter(|(_, number)| ![1, spared].contains(number)) {
        page[..1024].copy_from_slice(&moved[..1024]);
    }
    house.write(content);
}

/// What the file is when all of the log is in it.
fn moved(house: &House) -> Vec<u8> {
    let room = Room::new();
    fs::copy(house.path(), room.path()).unwrap();
    fs::copy(house.log(), log_of(&room.path())).unwrap();
    let connection = Connection::open(room.path()).unwrap();
    let rows = "SELECT count(*) FROM queued";
    assert_ne!(connection.query_row(rows, [], |row| row.get(0)), Ok(0));
    connection.close().unwrap();
    fs::read(room.path()).unwrap()
}

#[test]
fn a_file_that_is_torn_is_not_believed_what_it_says_of_its_log() {
    let closed = 0;
    let long_ago = round::open(Some(1));
    for said in [closed, long_ago] {
        let whole = House::new(End::Killed);
        say(&whole, said);
        let (_, report) = whole.open();
        assert!(report.to_string().contains("is not its own"), "{said}: {report}");
        let torn = House::new(End::Killed);
        say(&torn, said);
        tear(&torn);
        let (found, report) = torn.open();
        assert_eq!((found.messages(), report), (ALL, OpenReport::default()), "{said}");
    }
}

/// What is not yet in the file would be taken for another's, if the file said that it is closed.
#[test]
fn a_reader_in_the_way_of_the_last_move_leaves_the_round_said() {
    for is_read in [true, false] {
        let room = Room::new();
        let mut store = room.open();
        store.commit(&batch([session_of(1, "anna", "phone")]), NOW, WALL).unwrap();
        let reader = Connection::open(room.path()).unwrap();
        if is_read {
            let begin = "BEGIN; SELECT count(*) FROM sqlite_schema";
            reader.execute_batch(begin).unwrap();
        }
        store.commit(&batch([waits(1, 0, plain("a", "b"))]), NOW, WALL).unwrap();
        drop(store);
        reader.execute_batch(if is_read { "COMMIT" } else { "" }).unwrap();
        let said = round::value(&reader).unwrap();
        assert_eq!(said != Some(0), is_read, "{said:?}");
        // And the end of the reader is no end in peace.
        let killed = Room::new();
        for (from, to) in
            [(room.path(), killed.path()), (log_of(&room.path()), log_of(&killed.path()))]
        {
            fs::copy(from, to).unwrap();
        }
        let (mut store, report) =
            SqliteStore::open(&killed.path(), Durability::Crash, NOW, WALL).unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!(Found::of(&mut store).messages(), 1);
    }
}

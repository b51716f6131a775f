//! What is committed is what comes back, whatever it is.

use proptest::prelude::*;

use super::*;
use crate::broker::record::Place;
use crate::broker::record::{Change, SessionId};
use crate::store::tests::model::{Model, sorted};
use crate::store::tests::records::{batch, batches, plain, session_of, waits};

/// All pages of a session, a few messages at a time.
fn pages(store: &mut SqliteStore, request: &PageRequest) -> Vec<(Place, Queued)> {
    let mut all = Vec::new();
    let mut request = *request;
    loop {
        let page = store.page(&request, NOW, WALL).unwrap();
        let Some((last, _)) = page.last() else { return all };
        request.from = Place(last.0 + 1);
        all.extend(page);
    }
}

/// What is in a store is what is in the model.
pub(super) fn compare(store: &mut SqliteStore, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(sorted(store.restore(NOW, WALL).unwrap()), sorted(model.restored()));
    for session in model.sessions() {
        let (from, to) = (Place(0), Place(u64::MAX));
        for (messages_max, bytes_max) in [(1, usize::MAX), (3, 300), (100, 1)] {
            let request = PageRequest { session, from, to, messages_max, bytes_max };
            let page = store.page(&request, NOW, WALL).unwrap();
            prop_assert_eq!(&page, &model.page(&request));
        }
        let request = PageRequest { session, from, to, messages_max: 2, bytes_max: usize::MAX };
        let all = PageRequest { messages_max: usize::MAX, ..request };
        prop_assert_eq!(pages(store, &request), model.page(&all));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_committed_comes_back_in_this_life_and_the_next(batches in batches()) {
        let room = Room::new();
        let mut model = Model::default();
        let mut store = room.open();
        store.restore(NOW, WALL).unwrap();
        for batch in &batches {
            store.commit(batch, NOW, WALL).unwrap();
            model.commit(batch);
            store.settle().unwrap();
        }
        compare(&mut store, &model)?;
        drop(store);
        compare(&mut room.open(), &model)?;
    }
}

#[test]
fn a_new_store_is_empty() {
    let restored = Room::new().open().restore(NOW, WALL).unwrap();
    assert_eq!(sorted(restored), sorted(Model::default().restored()));
}

#[test]
fn a_session_that_is_over_takes_its_messages_along_a_thousand_at_a_time() {
    let room = Room::new();
    let mut store = room.open();
    let messages = (0..2500).map(|place| waits(1, place, plain("salon", "21.4")));
    store.commit(&batch([session_of(1, "anna", "phone")]), NOW, WALL).unwrap();
    store.commit(&batch(messages), NOW, WALL).unwrap();
    let end = Change::SessionEnd(SessionId(1));
    store.commit(&batch([end, session_of(2, "anna", "phone")]), NOW, WALL).unwrap();
    let left = |store: &SqliteStore| -> u64 {
        let count = "SELECT count(*) FROM queued";
        store.connection.query_row(count, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(left(&store), 1500);
    drop(store);

    let mut store = room.open();
    let restored = store.restore(NOW, WALL).unwrap();
    assert_eq!(restored.sessions.len(), 1);
    assert_eq!(restored.sessions[0].waiting, []);
    store.commit(&batch([waits(2, 0, plain("salon", "21.5"))]), NOW, WALL).unwrap();
    store.settle().unwrap();
    assert_eq!(left(&store), 501);
    store.settle().unwrap();
    assert_eq!(left(&store), 1);
    store.settle().unwrap();
}

//! The store beside the hub: opened before anybody connects, told what to keep, closed last.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tracing::{error, info, warn};

use super::hub::Hub;
use super::state::StateDir;
use crate::broker::Input;
use crate::broker::record::{Page, Restored, Trouble};
use crate::bus::Clock;
use crate::config::Durability;
use crate::store::{self, OpenError, SqliteStore, Store};
use crate::time::{Tick, Timestamp};

/// A store that was opened, and what earlier lives left in it.
pub(super) struct Opened {
    store: SqliteStore,
    pub(super) restored: Restored,
    /// What was wrong with it, and what became of that.
    pub(super) damage: Option<Arc<str>>,
}

impl Opened {
    /// Opens the store of a state folder; nothing where all is to be in memory.
    pub(super) fn open(
        state: &StateDir,
        durability: Durability,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Self>, OpenError> {
        let path = state.path().join(store::FILE);
        let durability = match durability {
            Durability::PowerCut => store::Durability::PowerCut,
            Durability::Crash => store::Durability::Crash,
            Durability::Memory => {
                if path.exists() {
                    warn!(
                        file = %path.display(),
                        "what is kept there is left alone: with `durability = \"memory\"` nothing \
                         is read or written"
                    );
                }
                return Ok(None);
            }
        };
        let (now, wall) = (clock.now(), clock.wall());
        let (mut store, report) = SqliteStore::open(&path, durability, now, wall)?;
        for note in &report.notes {
            info!(note, "store was opened");
        }
        if !report.is_clean() {
            error!(%report, "store was damaged");
        }
        let restored =
            store.restore(now, wall).map_err(|failure| OpenError::Failed { path, failure })?;
        let runs = restored.sessions.iter().flat_map(|session| &session.waiting);
        info!(
            sessions = restored.sessions.len(),
            messages = runs.map(|run| run.messages).sum::<u64>(),
            retained = restored.retained.len(),
            "store holds what earlier lives left"
        );
        let damage = (!report.is_clean()).then(|| report.to_string().into());
        Ok(Some(Self { store, restored, damage }))
    }

    /// Lets the store work for the hub, and tells the subscribers of events what was wrong.
    pub(super) fn start(self, hub: &Arc<Hub>, clock: &Arc<dyn Clock>) -> std::io::Result<()> {
        let answers = Answers(Arc::downgrade(hub));
        let clock = Box::new(Times(Arc::clone(clock)));
        hub.keep_in(store::spawn(Box::new(self.store), clock, Box::new(answers))?);
        if let Some(damage) = &self.damage {
            hub.tell_damage(damage);
        }
        Ok(())
    }
}

/// The store's answers go to the brain like everything else.
struct Answers(Weak<Hub>);

impl Answers {
    fn tell(&self, input: Input) {
        if let Some(hub) = self.0.upgrade() {
            hub.enter([input]);
        }
    }
}

impl store::Answers for Answers {
    fn committed(&self, number: u64, outcome: Result<(), Trouble>) {
        self.tell(Input::Committed { number, outcome });
    }

    fn paged(&self, page: Page) {
        self.tell(Input::Paged(page));
    }

    fn slept(&self, time: Duration) {
        self.tell(Input::Slept(time));
    }
}

struct Times(Arc<dyn Clock>);

impl store::Clock for Times {
    fn now(&self) -> Tick {
        self.0.now()
    }

    fn wall(&self) -> Timestamp {
        self.0.wall()
    }
}

/// Tells that the store did not even take an order: our own fault, which the broker treats as the
/// disk's.
pub(super) fn refused(what: &'static str) -> Trouble {
    error!(what, "store takes no order");
    Trouble::Failed
}

//! A disk whose plug is pulled: what was synced is there; of what was not, some.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::recording::Call;
use crate::sim::chance::Chance;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// Files and their names, as the disk has them and as they were to become.
#[derive(Default)]
pub(super) struct Disk {
    files: Vec<Image>,
    /// As the process sees them.
    names: BTreeMap<String, usize>,
    /// As they were when the folder was last synced, …
    synced: BTreeMap<String, usize>,
    /// … and what has become of them since.
    renamed: Vec<NameChange>,
}

#[derive(Clone)]
enum NameChange {
    Add(String, usize),
    Move(String, String),
    Remove(String),
}

#[derive(Default)]
struct Image {
    synced: Vec<u8>,
    /// Since it was synced.
    pending: Vec<Pending>,
}

enum Pending {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// What is kept of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Nothing,
    Everything,
    /// What came first.
    Beginning,
    /// Whole writes, some of them.
    Some,
    /// Sectors, some of them.
    Torn,
    /// The same, and where the file grew there is what lay on the disk before.
    TornOverNoise,
}

const ALL: [Kept; 6] =
    [Kept::Nothing, Kept::Everything, Kept::Beginning, Kept::Some, Kept::Torn, Kept::TornOverNoise];

/// Which kinds came up.
#[derive(Debug, Default)]
pub(super) struct Seen([bool; ALL.len()]);

impl Seen {
    pub(super) fn add(&mut self, what: &str) {
        for (seen, kept) in self.0.iter_mut().zip(ALL) {
            *seen |= what.ends_with(&format!(" {kept:?}"));
        }
    }

    pub(super) fn is_all(&self) -> bool {
        self.0.iter().all(|seen| *seen)
    }
}

impl Disk {
    /// A call has returned.
    pub(super) fn hear(&mut self, call: &Call) {
        match call {
            Call::Create(name) => {
                self.file(name);
            }
            Call::Write { file, at, bytes } => {
                let write = Pending::Write { at: *at, bytes: bytes.clone() };
                self.file(file).pending.push(write);
            }
            Call::Truncate { file, length } => {
                self.file(file).pending.push(Pending::Truncate(*length));
            }
            Call::Sync(file) => self.file(file).sync(),
            Call::SyncFolder => {
                self.synced.clone_from(&self.names);
                self.renamed.clear();
            }
            Call::Rename { from, to } => {
                let file = self.names.remove(from).expect("what is renamed is there");
                self.names.insert(to.clone(), file);
                self.renamed.push(NameChange::Move(from.clone(), to.clone()));
            }
            Call::Unlink(name) => {
                self.names.remove(name);
                self.renamed.push(NameChange::Remove(name.clone()));
            }
            Call::Acknowledge(_) => {}
        }
    }

    fn file(&mut self, name: &str) -> &mut Image {
        let index = *self.names.entry(name.to_owned()).or_insert_with(|| {
            self.files.push(Image::default());
            let index = self.files.len() - 1;
            self.renamed.push(NameChange::Add(name.to_owned(), index));
            index
        });
        &mut self.files[index]
    }

    /// Pulls the plug: writes what is left into a folder, and says what was kept.
    pub(super) fn leave(&self, folder: &Path, chance: &mut Chance) -> String {
        let length = u64::try_from(ALL.len()).unwrap();
        let kept = ALL[usize::try_from(chance.below(length)).unwrap()];
        for (name, index) in self.names_left(kept, chance) {
            let content = self.files[index].left(kept, chance);
            fs::write(folder.join(name), content).unwrap();
        }
        format!("{kept:?}")
    }

    /// File systems with a journal keep the changes of names in their order.
    fn names_left(&self, kept: Kept, chance: &mut Chance) -> BTreeMap<String, usize> {
        let all = u64::try_from(self.renamed.len()).unwrap();
        let count = match kept {
            Kept::Nothing => 0,
            Kept::Everything => all,
            _ => chance.below(all + 1),
        };
        let mut names = self.synced.clone();
        for change in self.renamed.iter().take(usize::try_from(count).unwrap()) {
            match change.clone() {
                NameChange::Add(name, index) => drop(names.insert(name, index)),
                NameChange::Move(from, to) => {
                    let index = names.remove(&from).expect("changes are in order");
                    names.insert(to, index);
                }
                NameChange::Remove(name) => drop(names.remove(&name)),
            }
        }
        names
    }
}

impl Image {
    fn sync(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        for change in &pending {
            change.apply(&mut self.synced, 0, |_| true);
        }
    }

    fn left(&self, kept: Kept, chance: &mut Chance) -> Vec<u8> {
        let mut content = self.synced.clone();
        let noise = if kept == Kept::TornOverNoise { 0xA5 } else { 0 };
        let all = u64::try_from(self.pending.len()).unwrap();
        let beginning = chance.below(all + 1);
        for (number, change) in (0..).zip(&self.pending) {
            let is_kept = match kept {
                Kept::Nothing => false,
                Kept::Everything | Kept::Torn | Kept::TornOverNoise => true,
                Kept::Beginning => number < beginning,
                Kept::Some => chance.below(2) == 0,
            };
            let is_torn = matches!(kept, Kept::Torn | Kept::TornOverNoise);
            if is_kept {
                change.apply(&mut content, noise, |_| !is_torn || chance.below(2) == 0);
            }
        }
        content
    }
}

impl Pending {
    /// Does to a file what of it `is_kept`, a sector at a time.
    fn apply(&self, content: &mut Vec<u8>, noise: u8, mut is_kept: impl FnMut(usize) -> bool) {
        match self {
            Self::Truncate(length) => {
                if is_kept(0) {
                    content.resize(*length, 0);
                }
            }
            Self::Write { at, bytes } => {
                let (mut from, end) = (*at, at + bytes.len());
                while from < end {
                    let to = ((from / SECTOR + 1) * SECTOR).min(end);
                    if is_kept(from / SECTOR) {
                        if content.len() < to {
                            content.resize(to, noise);
                        }
                        content[from..to].copy_from_slice(&bytes[from - at..to - at]);
                    }
                    from = to;
                }
            }
        }
    }
}

#[test]
fn what_was_synced_stays_and_what_was_not_may_be_torn() {
    let write = |file: &str, at, byte| Call::Write {
        file: file.to_owned(),
        at,
        bytes: vec![byte; 2 * SECTOR],
    };
    let mut disk = Disk::default();
    let file = || "a".to_owned();
    for call in [Call::Create(file()), write("a", 0, 1), Call::Sync(file()), Call::SyncFolder] {
        disk.hear(&call);
    }
    disk.hear(&write("a", SECTOR, 2));
    disk.hear(&write("b", 0, 3));
    let (mut lengths, mut mixed) = (std::collections::BTreeSet::new(), false);
    for seed in 0..200 {
        let folder = tempfile::tempdir().unwrap();
        disk.leave(folder.path(), &mut Chance::new(seed));
        let left = fs::read(folder.path().join("a")).unwrap();
        assert!(left[..SECTOR].iter().all(|byte| *byte == 1), "what was synced is gone");
        lengths.insert(left.len());
        mixed |= left[SECTOR] == 1 && left.len() > 2 * SECTOR;
        let is_there = folder.path().join("b").exists();
        lengths.insert(usize::from(is_there));
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [0, 1, 2 * SECTOR, 3 * SECTOR]);
    assert!(mixed, "a write was never torn");
}

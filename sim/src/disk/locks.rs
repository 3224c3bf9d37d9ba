//! Advisory locks on the model disk, as installs beside each other take them.

use super::inodes::Ino;
use installer::rt::simulated::Locks;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who holds what. Not part of an image: locks end with the machine.
#[derive(Debug, Clone, Default)]
pub(super) struct LockTable(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    holders: usize,
    /// Inode and place → who has it.
    places: BTreeMap<(Ino, u64), By>,
    /// Inode → the word that was left there last.
    words: BTreeMap<Ino, String>,
}

/// Who has a place.
#[derive(Debug)]
enum By {
    One(usize),
    Sharing(BTreeSet<usize>),
}

impl By {
    /// Whether somebody else than this holder has it.
    fn another_than(&self, number: usize) -> bool {
        match self {
            By::One(holder) => *holder != number,
            By::Sharing(holders) => holders.iter().any(|holder| *holder != number),
        }
    }
}

/// An open file on which one holder takes locks.
#[derive(Debug)]
struct Holder {
    table: LockTable,
    number: usize,
    ino: Ino,
}

impl LockTable {
    /// One more holder of locks on this inode.
    pub(super) fn holder(&self, ino: Ino) -> Box<dyn Locks> {
        let mut held = self.held();
        held.holders += 1;
        Box::new(Holder { table: self.clone(), number: held.holders, ino })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holder {
    /// Whether another holder has a place.
    fn is_excluded(&self, held: &Held, place: u64) -> bool {
        held.places.get(&(self.ino, place)).is_some_and(|by| by.another_than(self.number))
    }
}

impl Locks for Holder {
    fn try_lock(&self, place: u64) -> io::Result<bool> {
        let mut held = self.table.held();
        let excluded = self.is_excluded(&held, place);
        if !excluded {
            held.places.insert((self.ino, place), By::One(self.number));
        }
        Ok(!excluded)
    }

    fn try_share(&self, place: u64) -> io::Result<bool> {
        let mut held = self.table.held();
        let by = held.places.entry((self.ino, place)).or_insert_with(|| By::Sharing(BTreeSet::new()));
        match by {
            By::One(holder) if *holder != self.number => return Ok(false),
            By::One(_) => *by = By::Sharing(BTreeSet::from([self.number])),
            By::Sharing(holders) => {
                holders.insert(self.number);
            }
        }
        Ok(true)
    }

    fn unlock(&self, place: u64) {
        self.table.held().give_back(self.number, |at| *at == (self.ino, place));
    }

    fn is_held_elsewhere(&self, place: u64) -> io::Result<bool> {
        Ok(self.is_excluded(&self.table.held(), place))
    }

    fn sign(&self, word: &str) -> io::Result<()> {
        self.table.held().words.insert(self.ino, word.to_owned());
        Ok(())
    }

    fn is_signed(&self, word: &str) -> io::Result<bool> {
        Ok(self.table.held().words.get(&self.ino).is_some_and(|last| last == word))
    }
}

impl Held {
    /// Takes those of a holder's places back that are meant.
    fn give_back(&mut self, number: usize, is_meant: impl Fn(&(Ino, u64)) -> bool) {
        self.places.retain(|at, by| match by {
            By::One(holder) => *holder != number || !is_meant(at),
            By::Sharing(holders) => {
                if is_meant(at) {
                    holders.remove(&number);
                }
                !holders.is_empty()
            }
        });
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.table.held().give_back(self.number, |_| true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_holder_and_comes_back_with_it() {
        let table = LockTable::default();
        let (ours, theirs) = (table.holder(1), table.holder(1));
        assert!(ours.try_lock(7).unwrap() && ours.try_lock(7).unwrap());
        assert!(!theirs.try_lock(7).unwrap() && theirs.try_lock(8).unwrap());
        assert!(table.holder(2).try_lock(7).unwrap(), "another file");
        theirs.unlock(7);
        assert!(!theirs.try_lock(7).unwrap(), "nobody gives back what another holds");
        drop(ours);
        assert!(theirs.try_lock(7).unwrap());
    }

    #[test]
    fn a_place_can_be_shared_and_everybody_sees_that() {
        let table = LockTable::default();
        let (ours, theirs) = (table.holder(1), table.holder(1));
        assert!(ours.try_lock(0).unwrap() && !theirs.try_share(0).unwrap());
        assert!(ours.try_share(0).unwrap() && !ours.is_held_elsewhere(0).unwrap());
        assert!(!theirs.try_lock(0).unwrap() && theirs.is_held_elsewhere(0).unwrap() && theirs.try_share(0).unwrap());
        assert!(ours.is_held_elsewhere(0).unwrap() && !ours.is_held_elsewhere(8).unwrap());
        drop(ours);
        assert!(!theirs.is_held_elsewhere(0).unwrap() && theirs.try_lock(0).unwrap());
    }

    #[test]
    fn the_last_word_stays_whoever_left_it() {
        let table = LockTable::default();
        let (ours, theirs) = (table.holder(1), table.holder(1));
        ours.sign("10").unwrap();
        assert!(theirs.is_signed("10").unwrap() && !ours.is_signed("1").unwrap());
        theirs.sign("1").unwrap();
        drop(theirs);
        assert!(!ours.is_signed("10").unwrap() && ours.is_signed("1").unwrap());
        assert!(!table.holder(2).is_signed("1").unwrap());
    }
}

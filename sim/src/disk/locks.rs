//! Advisory locks on the model disk, as installs beside each other take them.

use super::inodes::Ino;
use installer::rt::simulated::Locks;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who holds what. Not part of an image: locks end with the machine.
#[derive(Debug, Clone, Default)]
pub(super) struct LockTable(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    holders: usize,
    /// Inode and place → holder.
    places: BTreeMap<(Ino, u64), usize>,
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

impl Locks for Holder {
    fn try_lock(&self, place: u64) -> io::Result<bool> {
        let mut held = self.table.held();
        Ok(*held.places.entry((self.ino, place)).or_insert(self.number) == self.number)
    }

    fn unlock(&self, place: u64) {
        let mut held = self.table.held();
        if held.places.get(&(self.ino, place)) == Some(&self.number) {
            held.places.remove(&(self.ino, place));
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.table.held().places.retain(|_, holder| *holder != self.number);
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
}

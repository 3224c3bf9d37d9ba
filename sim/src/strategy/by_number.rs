//! Something for each task, found by the task's number: a strategy is asked so often that names would be looked up for most of a run.

/// See the module.
#[derive(Debug)]
pub(super) struct ByNumber<T>(Vec<Option<T>>);

impl<T> Default for ByNumber<T> {
    fn default() -> Self {
        ByNumber(Vec::new())
    }
}

impl<T> ByNumber<T> {
    /// What this task has; made first where it has nothing.
    pub(super) fn get_or_insert_with(&mut self, number: usize, make: impl FnOnce() -> T) -> &mut T {
        if self.0.len() <= number {
            self.0.resize_with(number + 1, || None);
        }
        self.0[number].get_or_insert_with(make)
    }

    /// What this task has, which has something.
    pub(super) fn get(&self, number: usize) -> &T {
        self.0[number].as_ref().expect("the task has something")
    }

    /// From now on this task has nothing.
    pub(super) fn remove(&mut self, number: usize) {
        self.0[number] = None;
    }

    /// From now on no task has anything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

//! What tasks are called: schedules and traces know them by name, so no two have the same one.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// The task that an install begins with.
pub const MAIN: &str = "install";

/// The names that are taken.
#[derive(Default)]
pub(super) struct TaskNames {
    counts: RefCell<BTreeMap<String, usize>>,
}

impl TaskNames {
    /// A name that no other task has: the second of one name gets a `#2`.
    pub(super) fn distinct(&self, name: String) -> String {
        let mut counts = self.counts.borrow_mut();
        match counts.get_mut(&name) {
            None => {
                counts.insert(name.clone(), 1);
                name
            }
            Some(count) => {
                *count += 1;
                format!("{name}#{count}")
            }
        }
    }
}

/// A task's name among those of all installs: the first one's keep theirs, the second one's get a `2: `.
pub(super) fn owned(install: usize, name: String) -> String {
    if install == 0 { name } else { format!("{}: {name}", install + 1) }
}

/// Which install a task belongs to, by its name: 0 is the first one.
pub fn install_of(task: &str) -> usize {
    if !task.starts_with(|first: char| first.is_ascii_digit()) {
        return 0;
    }
    let number = task.split_once(": ").and_then(|(number, _)| number.parse::<usize>().ok());
    number.map_or(0, |number| number.saturating_sub(1))
}

/// A task's name within its install.
pub fn own_name(task: &str) -> &str {
    if install_of(task) == 0 { task } else { task.split_once(": ").map_or(task, |(_, name)| name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tasks_have_one_name() {
        let names = TaskNames::default();
        let taken: Vec<_> = ["import", "import", "warm"].into_iter().map(|name| names.distinct(name.into())).collect();
        assert_eq!(taken, ["import", "import#2", "warm"]);
    }

    #[test]
    fn a_name_says_whose_it_is() {
        for install in [0, 1, 7] {
            let name = owned(install, "cold a@1.0.0(b@2.0.0)".to_owned());
            assert_eq!((install_of(&name), own_name(&name)), (install, "cold a@1.0.0(b@2.0.0)"));
        }
    }
}

//! Loads packuments before the walk comes to them.
//!
//! The walk takes one dependency after another, in an order that does not depend on the network. What it will need is
//! guessed meanwhile: a packument that has arrived says which packages its likely version depends on, and those are asked for
//! at once. A guess that is wrong costs a packument that nobody needs; it has no part in the result.

use super::loader::{Loaded, Loader};
use super::packuments::Detail;
use super::preferences::Preferences;
use super::specifier::target_of;
use super::version_pick::pick;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Package name and range, and how much has to be known of the package.
type Guess = (String, String, Detail);

/// What a packument that has arrived makes likely, below the same project.
type Guesses = (Rc<Preferences>, Vec<Guess>);

/// How much has to be known of a dependency.
pub(super) fn detail_of(optional: bool) -> Detail {
    if optional { Detail::Full } else { Detail::Abbreviated }
}

/// See the module.
pub(super) struct LookAhead<'l> {
    loader: &'l Loader<'l>,
    asked: BTreeSet<Guess>,
    running: FuturesUnordered<LocalBoxFuture<'l, Guesses>>,
}

impl<'l> LookAhead<'l> {
    pub fn new(loader: &'l Loader<'l>) -> Self {
        LookAhead { loader, asked: BTreeSet::new(), running: FuturesUnordered::new() }
    }

    /// Asks for a packument that will be needed, and for those behind it.
    pub fn ask(&mut self, preferences: &Rc<Preferences>, name: &str, range: &str, detail: Detail) {
        let guess = (name.to_owned(), range.to_owned(), detail);
        if self.asked.insert(guess.clone()) {
            self.running.push(Box::pin(load(self.loader, preferences.clone(), guess)));
        }
    }

    /// The packument of a package of which `range` is asked, while all others that are asked for go on.
    pub async fn packument(
        &mut self,
        preferences: &Rc<Preferences>,
        name: &str,
        range: &str,
        detail: Detail,
    ) -> Loaded {
        self.ask(preferences, name, range, detail);
        loop {
            if let Some(loaded) = self.loader.loaded(name, detail) {
                return loaded;
            }
            match self.running.next().await {
                Some((preferences, guesses)) => {
                    guesses.iter().for_each(|(name, range, detail)| self.ask(&preferences, name, range, *detail));
                }
                None => return self.loader.load(name, detail).await,
            }
        }
    }
}

/// Loads a packument; what its likely version depends on.
async fn load(loader: &Loader<'_>, preferences: Rc<Preferences>, (name, range, detail): Guess) -> Guesses {
    // What went wrong is told when the walk comes to it.
    let Ok(Some(packument)) = loader.load(&name, detail).await else { return (preferences, Vec::new()) };
    let likely = pick(&packument, &range, &preferences.weights(&packument, &range));
    let manifest = likely.and_then(|version| packument.version(&version));
    let edges = manifest.iter().flat_map(|manifest| manifest.edges());
    let target = |(alias, specifier, optional)| {
        let (name, range) = target_of(alias, specifier)?;
        Some((name.to_owned(), range.to_owned(), detail_of(optional)))
    };
    let guesses = edges.filter_map(target).collect();
    (preferences, guesses)
}

//! A coordinator that is not ours under our contract: what docs/bring-your-own-coordinator.md shows.

#![cfg(madsim)]

use installer::rt::Point;
use sim::exhaust::{Fault, exhaust};

// begin
use installer::tarball::{CacheKey, Caller, Coordinator, Download, Fetched, TarballError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;

/// tokio's `OnceCell`, one for each tarball.
#[derive(Clone, Default)]
struct OnceCells(Arc<Mutex<BTreeMap<CacheKey, Cell>>>);

type Cell = Arc<OnceCell<Arc<Fetched>>>;

impl Coordinator for OnceCells {
    async fn fetch<D: Download>(
        &self,
        key: &CacheKey,
        caller: Caller,
        download: D,
    ) -> Result<Arc<Fetched>, Arc<TarballError>> {
        let cell = self.0.lock().unwrap().entry(key.clone()).or_default().clone();
        let downloaded = async || download.run(caller.demand()).await.map(Arc::new).map_err(Arc::new);
        cell.get_or_try_init(downloaded).await.cloned()
    }

    async fn close(&self) -> usize {
        0
    }
}
// end

/// What breaks under some schedule of three callers, and what holds under all of them.
#[test]
fn what_a_once_cell_guarantees() {
    let broken = |fault| exhaust::<OnceCells>(3, fault).violation.map(|(_, violation)| violation.to_string());
    assert_eq!(broken(Fault::None), None);
    assert_eq!(broken(Fault::FailsForNow(Point::BodyComplete)), None);
    assert_eq!(broken(Fault::LeaderPanics(Point::BodyComplete)), None);
    let stalled = broken(Fault::CallerStalls).expect("the download belongs to the caller that began it");
    assert!(stalled.contains("never go on"), "{stalled}");
    let again = broken(Fault::CallerLeaves).expect("the download goes with the caller that began it");
    assert!(again.contains("2 downloads were run"), "{again}");
    let ladders = broken(Fault::FailsForGood(Point::BodyComplete)).expect("each caller tries for itself");
    assert!(ladders.contains("downloads were run; 1 is the most"), "{ladders}");
}

#[test]
fn the_page_shows_this_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bring-your-own-coordinator.md");
    let page = std::fs::read_to_string(path).unwrap();
    let here = include_str!("own_coordinator.rs");
    let (_, code) = here.split_once("// begin\n").unwrap();
    let (code, _) = code.split_once("// end\n").unwrap();
    assert!(page.contains(code.trim()), "docs/bring-your-own-coordinator.md shows other code");
}

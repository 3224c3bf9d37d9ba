//! Which address a name has: asked once for all who want to know it, and for a bounded time.
//!
//! The system's question cannot be taken back, and holds one of few threads until it is answered; the disk's work needs them too. So
//! there is at most one for each name: who comes while it is asked waits for the same answer, also after others gave up. The answer is
//! kept until nobody can connect with it.

use super::connector::ConnectError;
use crate::rt;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One question, and its answer once it is there.
type Lookup = Shared<BoxFuture<'static, Result<Arc<rt::Addresses>, Arc<io::Error>>>>;

/// See the module.
pub(super) struct Names {
    lookups: Mutex<BTreeMap<String, Lookup>>,
    patience: Duration,
}

impl Names {
    /// A name may take half of the longest silence that a request allows: so it is known what was silent.
    pub fn new(silence_max: Duration) -> Self {
        Names { lookups: Mutex::default(), patience: silence_max / 2 }
    }

    /// A TCP stream to `host` and `port`.
    ///
    /// # Errors
    /// [`ConnectError::Name`] when the name's address does not become known in time, [`ConnectError::Tcp`] when it is unknown or
    /// nobody answers there.
    pub async fn connect(&self, host: &str, port: u16) -> Result<rt::Stream, ConnectError> {
        let lookup = self.lookup(host);
        let found = rt::timeout(self.patience, lookup.clone()).await;
        let found = found.map_err(|rt::Elapsed| ConnectError::Name { host: host.to_owned(), waited: self.patience })?;
        let connected = match found {
            Ok(addresses) => rt::connect(&addresses, port).await.map_err(Arc::new),
            Err(cause) => Err(cause),
        };
        connected.map_err(|cause| {
            self.forget(host, &lookup);
            ConnectError::Tcp { host: host.to_owned(), port, cause }
        })
    }

    fn lookup(&self, host: &str) -> Lookup {
        let ask = |host: String| async move { rt::lookup(&host).await.map(Arc::new).map_err(Arc::new) };
        self.lookups().entry(host.to_owned()).or_insert_with(|| ask(host.to_owned()).boxed().shared()).clone()
    }

    /// The next one asks anew, unless somebody does already.
    fn forget(&self, host: &str, lookup: &Lookup) {
        let mut lookups = self.lookups();
        if lookups.get(host).is_some_and(|known| known.ptr_eq(lookup)) {
            lookups.remove(host);
        }
    }

    fn lookups(&self) -> MutexGuard<'_, BTreeMap<String, Lookup>> {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("names", &self.lookups().keys()).finish_non_exhaustive()
    }
}

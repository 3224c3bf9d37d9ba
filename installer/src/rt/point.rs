//! The labelled interleaving points: where the simulator may let another task go first, or let time pass.
//!
//! A point stands where two tasks that share something can be ordered either way. In real builds it is an empty inlined
//! function. ARCHITECTURE.md lists them all; `cargo test` compares that table with [`Point::ALL`].

macro_rules! points {
    ($($name:ident = $label:literal, $doc:literal;)*) => {
        /// Where a schedule can branch.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Point { $(#[doc = $doc] $name,)* }

        impl Point {
            /// Every point, in the order of a package's way through the installer.
            pub const ALL: &[Point] = &[$(Point::$name,)*];

            /// The stable name used in traces, replay files and ARCHITECTURE.md.
            pub const fn label(self) -> &'static str {
                match self { $(Point::$name => $label,)* }
            }

            /// What lies on either side of it.
            pub const fn meaning(self) -> &'static str {
                match self { $(Point::$name => $doc,)* }
            }

            /// The point with this label.
            pub fn from_label(label: &str) -> Option<Point> {
                Point::ALL.iter().copied().find(|point| point.label() == label)
            }
        }
    };
}

points! {
    ProjectLock = "project:lock", "an install is about to try for its project's lock";
    StoreEntered = "store:entered", "an install has made itself known to the others on its store; it is about to look whether there are any";
    PrefetchStart = "prefetch:start", "a prefetch task runs for the first time; the resolver has gone on";
    LeaderStart = "leader:start", "a slot is taken and its leader is about to look for the tarball";
    WaiterRegister = "waiter:register", "a caller found the slot in progress and is about to register for the wake-up";
    WaiterPark = "waiter:park", "a waiter is registered and has re-checked the slot; it is about to sleep";
    PermitQueue = "permit:queue", "a request is about to queue for a network permit";
    PermitHeld = "permit:held", "a request holds a permit; nothing is sent yet";
    LockBusy = "lock:busy", "another install downloads this tarball; the permit is free again, and the wait is about to begin";
    LockHeld = "lock:held", "a download holds its tarball's lock among all installs on the store; the request is about to be sent";
    BodyComplete = "body:complete", "the last byte of a body has arrived and its permit is free again";
    FilesWritten = "files:written", "a tarball is verified and extracted; its index row is not queued yet";
    RowQueued = "row:queued", "an index row is queued with the writer; the slot still says in progress";
    LeaderPublish = "leader:publish", "a leader has its result and is about to publish it in the slot";
    LeaderNotify = "leader:notify", "the slot is flipped; the waiters are not woken yet";
    WriterBatch = "writer:batch", "the index writer has gathered a batch and is about to commit it";
    WriterCommitted = "writer:committed", "a batch is committed; its rows are visible to readers";
    PartitionRead = "partition:read", "CreateVirtualStore is about to read the committed rows";
    PartitionDone = "partition:done", "warm and cold are decided; neither batch has started";
    ColdStart = "cold:start", "a cold package's task runs for the first time";
    ColdFiles = "cold:files", "a cold package has its files and is about to be imported";
    InstallFinish = "install:finish", "the tree is built; what nobody needed is about to be cancelled";
}

//! The simulator: it runs the real installer under chosen schedules and judges what each run came to.
//!
//! | module | what |
//! |---|---|
//! | `scenario` | what is run, read from JSON |
//! | `registry` | the model registry: real HTTP on a simulated network, and the log that downloads are counted in |
//! | `disk` | the model disk |
//! | `prepare` | a scenario made ready: packages published, store warmed, lockfile written |
//! | `scheduler`, `strategy`, `schedule` | who runs next; how that is chosen; the choices as data |
//! | `run`, `life`, `observation`, `committed`, `trace` | one run, and what it came to |
//! | `oracles` | what must hold of every run |
//! | `planted` | changes of a copy of the sources, as files |
//! | `bugs` | planted bugs that the oracles must find |
//! | `promises` | broken promises that the installer's tests must find |
//! | `explore`, `coverage`, `report` | many runs, on all cores; what they have seen; what it comes to |
//! | `shard` | what several machines explored, joined |
//! | `exhaust` | every schedule of a small world |
//! | `coordinators` | other people's coordinators in that world; optional |
//! | `shrink` | a failure made small |
//! | `explain`, `html`, `perfetto`, `replay_file` | a failure for people, for trace viewers, and for doing it again |
//! | `cli` | the command line |
//! | `threads` | work for many numbers on several threads |
//! | `cargo`, `launcher` | simulation builds; the program in an ordinary build, which makes one |
//!
//! All but the last line exists in builds with `--cfg madsim` only.

#[cfg(madsim)]
pub mod bugs;
pub mod cargo;
#[cfg(madsim)]
pub mod cli;
#[cfg(madsim)]
mod clock;
#[cfg(madsim)]
pub mod committed;
#[cfg(madsim)]
pub mod coordinators;
#[cfg(madsim)]
pub mod cost;
#[cfg(madsim)]
pub mod coverage;
#[cfg(madsim)]
pub mod disk;
#[cfg(madsim)]
mod edit;
#[cfg(madsim)]
pub mod exhaust;
#[cfg(madsim)]
pub mod explain;
#[cfg(madsim)]
pub mod explore;
#[cfg(madsim)]
pub mod html;
#[cfg(not(madsim))]
pub mod launcher;
#[cfg(madsim)]
mod life;
#[cfg(madsim)]
pub mod observation;
#[cfg(madsim)]
pub mod oracles;
#[cfg(madsim)]
pub mod perfetto;
#[cfg(madsim)]
pub mod planted;
#[cfg(madsim)]
pub mod prepare;
#[cfg(madsim)]
pub mod promises;
#[cfg(madsim)]
pub mod registry;
#[cfg(madsim)]
pub mod replay_file;
#[cfg(madsim)]
pub mod report;
#[cfg(madsim)]
pub mod run;
#[cfg(madsim)]
pub mod scenario;
#[cfg(madsim)]
pub mod schedule;
#[cfg(madsim)]
pub mod scheduler;
#[cfg(madsim)]
pub mod shard;
#[cfg(madsim)]
pub mod shrink;
#[cfg(madsim)]
pub mod strategy;
#[cfg(madsim)]
mod threads;
#[cfg(madsim)]
pub mod trace;
#[cfg(madsim)]
mod yield_once;

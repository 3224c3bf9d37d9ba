//! Benches of the installer's public API; `README.md` beside this crate says how to run and read them.

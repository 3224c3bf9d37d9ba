//! Benches live in `benches/`; see `benches/README.md`.

//! Choosing versions.

//! Git dependencies, as far as the repository's host gives an archive of every commit: GitHub, GitLab and Bitbucket.
//!
//! A [`GitSpecifier`] says which repository is meant and which of its commits, [`RemoteRefs`] what its commits are called now.
//! The archive of a commit is a tarball like any other, under a URL of its own; only that nobody packed it: see
//! [`is_archive`] and [`crate::packlist`].

mod preparation;
mod refs;
mod specifier;

pub use preparation::script_that_makes_it;
pub use refs::RemoteRefs;
pub use specifier::{GitSpecifier, Host, Wanted, is_archive};

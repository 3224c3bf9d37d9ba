//! Why a workspace cannot be read, or asks for what it does not have.

use crate::config::redact_url;
use crate::manifest::ManifestError;
use crate::patch::PatchError;
use miette::Diagnostic;

/// See each case.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum WorkspaceError {
    /// A package.json is missing or wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Manifest(#[from] ManifestError),
    /// A patch cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Patch(#[from] PatchError),
    /// A glob of `packages` is none.
    #[error("the glob {glob:?} in pnpm-workspace.yaml makes no sense: {message}")]
    #[diagnostic(
        code(lockstep::workspace::glob),
        help("`packages` is a list of globs such as packages/* or !**/test/**")
    )]
    Glob {
        /// As it is written.
        glob: String,
        /// What is wrong with it.
        message: String,
    },
    /// A `workspace:` dependency on a package that is not there.
    #[error("{importer} asks for {dependency}@{}, and {reason}", redact_url(specifier))]
    #[diagnostic(
        code(lockstep::workspace::no_package),
        help("add the package's directory to `packages` in pnpm-workspace.yaml, or ask for a version of the registry")
    )]
    NoPackage {
        /// Whose dependency it is.
        importer: String,
        /// Its name under node_modules.
        dependency: String,
        /// What is asked for.
        specifier: String,
        /// What the workspace has instead.
        reason: String,
    },
    /// A `catalog:` dependency that the catalog does not have.
    #[error(
        "{importer} asks for {dependency}@{}, and the catalog {catalog} has no {dependency}",
        redact_url(specifier)
    )]
    #[diagnostic(
        code(lockstep::workspace::no_catalog_entry),
        help("add it under `catalog` or `catalogs` in pnpm-workspace.yaml")
    )]
    NoCatalogEntry {
        /// Whose dependency it is.
        importer: String,
        /// Its name under node_modules.
        dependency: String,
        /// What is asked for.
        specifier: String,
        /// The catalog's name.
        catalog: String,
    },
    /// An override that makes no sense.
    #[error("the override {selector:?} in pnpm-workspace.yaml makes no sense: {reason}")]
    #[diagnostic(
        code(lockstep::workspace::overrides),
        help("keys are name, name@range or parent>name; values are a range, an npm: alias, $name, or - for none")
    )]
    Override {
        /// As it is written.
        selector: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A `--filter` that is not understood.
    #[error("--filter {selector} is not understood")]
    #[diagnostic(
        code(lockstep::workspace::selector),
        help(
            "a filter is a name (@x/a, @x/*) or a directory (./packages/*), perhaps with ... after it (its dependencies) or \
             before it (what depends on it), or with a ! in front"
        )
    )]
    Selector {
        /// As it was written.
        selector: String,
    },
    /// No project is left by the filters.
    #[error("no project matches --filter {selectors}")]
    #[diagnostic(code(lockstep::workspace::nothing_selected), help("the projects here are {projects}"))]
    NothingSelected {
        /// All of them.
        selectors: String,
        /// The names of all projects.
        projects: String,
    },
}

//! Settings, from the command line, the environment and .npmrc files, lifted into one typed value.

//! Single settings, lifted from text into what they mean.

use super::error::ConfigError;
use super::sources::{Found, Sources};
use std::str::FromStr;

/// A setting that is a number.
pub(super) fn number<T: FromStr>(
    sources: &Sources<'_>,
    key: &str,
    expected: &'static str,
) -> Result<Option<T>, ConfigError> {
    let parse = |found: Found| found.value.trim().parse().map_err(|_| invalid(key, &found, &found.value, expected));
    sources.get(key).map(parse).transpose()
}

/// A setting that is a yes or a no.
pub(super) fn flag(sources: &Sources<'_>, key: &str) -> Result<Option<bool>, ConfigError> {
    let parse = |found: Found| match found.value.trim() {
        "true" | "1" => Ok(true),
        "false" | "0" | "null" => Ok(false),
        _ => Err(invalid(key, &found, &found.value, "true or false")),
    };
    sources.get(key).map(parse).transpose()
}

/// What to say of a value that means nothing.
pub(super) fn invalid(key: &str, found: &Found, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::Invalid { key: key.to_owned(), origin: found.origin.clone(), value: value.to_owned(), expected }
}

//! Subresource integrity: whether a tarball's bytes are those that were promised.

use ssri::{Algorithm, Integrity, IntegrityChecker, IntegrityOpts};

/// The bytes are not those that were promised.
#[derive(Debug, Clone, thiserror::Error, miette::Diagnostic)]
#[error("its bytes hash to {actual}, not to {expected}")]
#[diagnostic(
    code(lockstep::tarball::integrity),
    help(
        "the registry serves other bytes than it announced or than pnpm-lock.yaml pins: find out why before you trust them"
    )
)]
pub struct IntegrityError {
    /// What they should hash to.
    pub expected: String,
    /// What they hash to.
    pub actual: String,
}

/// A text that is no integrity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a subresource integrity (such as sha512-…)")]
pub struct InvalidIntegrity(pub String);

/// Reads `sha512-…`, or several separated by spaces.
///
/// # Errors
/// When no hash of a known algorithm is in the text.
pub fn parse(text: &str) -> Result<Integrity, InvalidIntegrity> {
    match text.parse::<Integrity>() {
        Ok(integrity) if !integrity.hashes.is_empty() => Ok(integrity),
        _ => Err(InvalidIntegrity(text.to_owned())),
    }
}

/// The SHA-512 of these bytes.
pub fn of(bytes: &[u8]) -> Integrity {
    IntegrityOpts::new().algorithm(Algorithm::Sha512).chain(bytes).result()
}

/// Whether `bytes` hash to `expected`, by the strongest algorithm in it.
///
/// # Errors
/// When they do not.
pub fn verify(bytes: &[u8], expected: &Integrity) -> Result<(), IntegrityError> {
    let mut checker = IntegrityChecker::new(expected.clone());
    checker.input(bytes);
    checker.result().map(drop).map_err(|_| {
        let actual = IntegrityOpts::new().algorithm(expected.pick_algorithm()).chain(bytes).result();
        IntegrityError { expected: expected.to_string(), actual: actual.to_string() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_hash_decides() {
        let right = of(b"right");
        assert!(right.to_string().starts_with("sha512-"), "as registries and pnpm have it: {right}");
        assert!(verify(b"right", &right).is_ok());
        let error = verify(b"wrong", &right).unwrap_err();
        assert_eq!((error.expected, error.actual), (right.to_string(), of(b"wrong").to_string()));
        let sha1 = parse("sha1-C+7Hteo/D9vJXQ3UfzxbwnXaijM=").unwrap();
        assert!(verify(b"foo", &sha1).is_ok());
        assert!(verify(b"bar", &sha1).is_err());
    }

    #[test]
    fn what_is_no_integrity_is_refused() {
        assert!(parse("").is_err());
        assert!(parse("md17-xyz").is_err());
    }
}

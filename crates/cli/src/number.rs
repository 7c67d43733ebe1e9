//! Whole numbers on the command line.

/// A number of 0 or more.
///
/// # Errors
/// What was expected.
pub(crate) fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a whole number of 0 or more".to_owned())
}

/// A number of 1 or more.
///
/// # Errors
/// What was expected.
pub(crate) fn positive(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        Ok(0) | Err(_) => Err("expected a whole number of 1 or more".to_owned()),
    }
}

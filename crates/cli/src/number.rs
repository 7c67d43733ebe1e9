//! Whole numbers and numbers of bytes on the command line.

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

/// A number of bytes, as `750M` or `4G`: the letters are 1024, 1024^2 and 1024^3.
///
/// # Errors
/// What was expected.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        Some(_) | None => (text, 0),
    };
    let number = positive(digits).ok().and_then(|number| number.checked_mul(1 << shift));
    number.ok_or_else(|| "expected a number of bytes of 1 or more, as 750M or 4G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_a_letter() {
        assert_eq!(["1", "3K", "750M", "4g"].map(bytes), [1, 3 << 10, 750 << 20, 4 << 30].map(Ok));
        for text in ["", "0", "0G", "G", "4T", "-1", "1.5G", "99999999999G"] {
            assert!(bytes(text).is_err_and(|why| why.contains("4G")), "{text}");
        }
    }
}

//! Rows of tokens from a JSON file.
//!
//! In: the text of a JSON array of equally long arrays of token ids. Out: [`Tokens`], or what is wrong and where. It
//! knows the vocabulary's size and nothing else of the model.

/// Rows of token ids, all of one length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// Row after row.
    pub(crate) ids: Vec<u32>,
    /// How many rows.
    pub(crate) rows: usize,
    /// Tokens a row; at least two, as a row of `n` has `n - 1` predictions.
    pub(crate) length: usize,
}

/// Reads rows of ids below `vocabulary`.
///
/// # Errors
/// One sentence: what was expected, what was found, where.
pub(crate) fn parse(json: &[u8], vocabulary: u64) -> Result<Tokens, String> {
    let rows: Vec<Vec<u64>> = serde_json::from_slice(json)
        .map_err(|error| format!("expected a JSON array of equally long arrays of token ids: {error}"))?;
    let Some(length) = rows.first().map(Vec::len) else {
        return Err("expected at least one row of tokens, found an empty array".to_owned());
    };
    if let Some((row, found)) = rows.iter().enumerate().find(|(_, row)| row.len() != length) {
        return Err(format!("expected rows of {length} tokens like the first, found {} in row {row}", found.len()));
    }
    if length < 2 {
        return Err(format!("expected rows of at least 2 tokens, found {length}: the first predicts the second"));
    }
    let mut ids = Vec::with_capacity(rows.len() * length);
    for (row, tokens) in rows.iter().enumerate() {
        for (column, &id) in tokens.iter().enumerate() {
            let fits = u32::try_from(id).ok().filter(|_| id < vocabulary);
            ids.push(fits.ok_or_else(|| {
                format!("expected token ids below {vocabulary}, the vocabulary's size; found {id} in row {row}, column {column}")
            })?);
        }
    }
    Ok(Tokens { ids, rows: rows.len(), length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_order() {
        let tokens = parse(b"[[1, 2, 3], [4, 5, 6]]", 7);
        assert_eq!(tokens, Ok(Tokens { ids: vec![1, 2, 3, 4, 5, 6], rows: 2, length: 3 }));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let cases: [(&str, &str); 11] = [
            ("", "a JSON array"),
            ("[[1, 2], [3", "line 1"),
            ("{\"rows\": [[1, 2]]}", "a JSON array"),
            ("[1, 2]", "a JSON array"),
            ("[[1, -2]]", "-2"),
            ("[[1, 2.5]]", "2.5"),
            ("[[1, 99999999999999999999]]", "a JSON array"),
            ("[]", "at least one row"),
            ("[[1], [2]]", "at least 2 tokens, found 1"),
            ("[[1, 2], [3]]", "found 1 in row 1"),
            ("[[1, 2], [3, 7]]", "found 7 in row 1, column 1"),
        ];
        for (json, part) in cases {
            let message = parse(json.as_bytes(), 7).expect_err(json);
            assert!(message.contains(part), "{json}: {message}");
        }
    }
}

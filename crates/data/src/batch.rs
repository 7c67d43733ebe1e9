//! A batch: rows of tokens of one width, with how much of each is text.
//!
//! Row r holds `lengths[r]` tokens of one document; the rest is padding, which is `<eos>` and must not count in a loss.
//! The first token of a row is given, the others are predicted, so a row asks for `lengths[r] - 1` predictions.

/// Rows cut from documents; every row from one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Row-major `[rows, width]`.
    pub tokens: Vec<u32>,
    /// `[rows]`: how many tokens at the start of each row are text, 2 to `width`.
    pub lengths: Vec<u32>,
    /// `[rows]`: how many bytes of text the predicted tokens of each row stand for; `<eos>` stands for none.
    pub bytes: Vec<u64>,
    /// Tokens a row: context + 1.
    pub width: usize,
}

impl Batch {
    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lengths.len()
    }

    /// Whether every row is full, so that no mask is needed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lengths.iter().all(|length| *length as usize == self.width)
    }

    /// How many tokens are predicted: the sum of `length - 1` over rows. A mean loss in nats is over these.
    #[must_use]
    pub fn predictions(&self) -> u64 {
        self.lengths.iter().map(|length| u64::from(length.saturating_sub(1))).sum()
    }

    /// How many bytes of text the predictions cover. With the summed loss in nats,
    /// bits per byte = nats / ln 2 / bytes.
    #[must_use]
    pub fn predicted_bytes(&self) -> u64 {
        self.bytes.iter().sum()
    }

    /// The batch in parts of so many rows, in their order; the last may have fewer. Of 0 rows is read as of 1.
    pub fn parts(&self, rows: usize) -> impl Iterator<Item = Batch> + '_ {
        let rows = rows.max(1);
        let tokens = self.tokens.chunks(rows * self.width);
        let counts = self.lengths.chunks(rows).zip(self.bytes.chunks(rows));
        tokens.zip(counts).map(|(tokens, (lengths, bytes))| Batch {
            tokens: tokens.to_vec(),
            lengths: lengths.to_vec(),
            bytes: bytes.to_vec(),
            width: self.width,
        })
    }

    /// Row-major `[rows, width - 1]`: 1 where the next token counts in the loss, 0 where it is padding.
    #[must_use]
    pub fn mask(&self) -> Vec<f32> {
        let row =
            |length: &u32| (1..self.width as u32).map(|t| if t < *length { 1.0 } else { 0.0 }).collect::<Vec<_>>();
        self.lengths.iter().flat_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_all_rows_in_their_order() {
        let batch =
            Batch { tokens: (0..15).collect(), lengths: vec![3, 2, 3, 3, 2], bytes: vec![5, 1, 4, 9, 0], width: 3 };
        for rows in 0..7 {
            let parts: Vec<Batch> = batch.parts(rows).collect();
            assert_eq!(parts.len(), 5_usize.div_ceil(rows.max(1)));
            assert!(parts.iter().all(|part| part.rows() <= rows.max(1) && part.width == 3));
            let all = |of: fn(&Batch) -> Vec<u64>| parts.iter().flat_map(of).collect::<Vec<u64>>();
            assert_eq!(
                all(|part| part.tokens.iter().map(|token| u64::from(*token)).collect()),
                (0..15).collect::<Vec<_>>()
            );
            assert_eq!(all(|part| part.lengths.iter().map(|length| u64::from(*length)).collect()), [3, 2, 3, 3, 2]);
            assert_eq!(all(|part| part.bytes.clone()), batch.bytes);
        }
    }
}

//! Rows: what a model of one context length reads, and in which order.
//!
//! In: the two shards and a context. Out: batches. A document of n tokens (its `<eos>` is the last) is cut into rows of
//! context + 1 tokens, each beginning with the last token of the one before, so every token but the document's first is
//! predicted once. What is left at the end is a shorter, padded row; validation keeps it, training drops it, unless
//! full rows hold less than half of the train side's predictions (a corpus of short documents), where it keeps all.
//! A row never crosses documents; one that begins inside a document knows nothing of what stood before.
//!
//! Which rows are in which batch is a function of (seed, step): no state to save, and resuming is starting at a step.

use std::sync::Arc;

use crate::batch::Batch;
use crate::error::DataError;
use crate::permute::permute;
use crate::shard::Shard;
use genesys_random::mix;

/// The key of the fixed order of validation rows, so that a limit takes rows from all over the text.
const VALIDATION_ORDER: u64 = 0x76_616c_6964;

/// The rows of a dataset for one context length; cheap to clone and to share between threads.
#[derive(Clone, Debug)]
pub struct Rows {
    context: usize,
    eos: u32,
    byte_lengths: Arc<[u32]>,
    train: Side,
    validation: Side,
}

/// A shard and the rows cut from it.
#[derive(Clone, Debug)]
struct Side {
    shard: Arc<Shard>,
    rows: Arc<[Span]>,
}

/// Consecutive tokens of one document.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u64,
    length: u32,
}

impl Rows {
    /// Cuts both shards into rows of `context` + 1 tokens; a context of 0 is read as 1.
    ///
    /// # Errors
    /// [`DataError::TooShort`] when a side has fewer tokens than one row.
    pub(crate) fn new(
        train: Arc<Shard>,
        validation: Arc<Shard>,
        context: usize,
        eos: u32,
        byte_lengths: Arc<[u32]>,
    ) -> Result<Self, DataError> {
        let context = context.max(1);
        let train = Side::cut(train, context, &format!("tokens to train on for a context of {context}"), false)?;
        let wanted = format!("tokens to validate on for a context of {context}");
        let validation = Side::cut(validation, context, &wanted, true)?;
        Ok(Self { context, eos, byte_lengths, train, validation })
    }

    /// Tokens a row predicts at most; a row has one more.
    #[must_use]
    pub fn context(&self) -> usize {
        self.context
    }

    /// How many train rows an epoch has.
    #[must_use]
    pub fn train_rows(&self) -> u64 {
        self.train.rows.len() as u64
    }

    /// How many validation rows there are.
    #[must_use]
    pub fn validation_rows(&self) -> u64 {
        self.validation.rows.len() as u64
    }

    /// The batch of `rows` train rows at `step` (from 0), a function of its arguments. Every epoch goes through all
    /// train rows in an order of its own; a batch may hold the end of one epoch and the start of the next.
    #[must_use]
    pub fn train_batch(&self, step: u64, rows: usize, seed: u64) -> Batch {
        let n = self.train_rows();
        let first = u128::from(step) * rows as u128;
        let row = |position: u128| {
            let epoch = (position / u128::from(n)) as u64;
            permute((position % u128::from(n)) as u64, n, mix(seed) ^ mix(!epoch))
        };
        self.batch(&self.train, (first..first + rows as u128).map(row))
    }

    /// The validation batches of `rows` rows each (fewer in the last), always the same in the same order. With
    /// `limit_tokens`, they end before the row that would ask for more predictions than that, but hold at least one.
    pub fn validation_batches(&self, rows: usize, limit_tokens: Option<u64>) -> impl Iterator<Item = Batch> + '_ {
        let order = self.validation_order(limit_tokens);
        let rows = rows.max(1);
        (0..order.len().div_ceil(rows)).map(move |b| {
            let rows = &order[b * rows..order.len().min((b + 1) * rows)];
            self.batch(&self.validation, rows.iter().copied())
        })
    }

    /// The validation rows that fit the limit, in their fixed order.
    fn validation_order(&self, limit_tokens: Option<u64>) -> Vec<u64> {
        let n = self.validation_rows();
        let limit = limit_tokens.unwrap_or(u64::MAX);
        let (mut order, mut predictions) = (Vec::new(), 0_u64);
        for row in (0..n).map(|i| permute(i, n, VALIDATION_ORDER)) {
            predictions += u64::from(self.validation.rows[row as usize].length) - 1;
            if predictions > limit && !order.is_empty() {
                break;
            }
            order.push(row);
        }
        order
    }

    fn batch(&self, side: &Side, rows: impl Iterator<Item = u64>) -> Batch {
        let width = self.context + 1;
        let mut batch = Batch { tokens: Vec::new(), lengths: Vec::new(), bytes: Vec::new(), width };
        for row in rows {
            let span = side.rows[row as usize];
            let start = batch.tokens.len();
            side.shard.read(span.start..span.start + u64::from(span.length), &mut batch.tokens);
            batch.bytes.push(self.bytes_of(&batch.tokens[start + 1..]));
            batch.lengths.push(span.length);
            batch.tokens.resize(start + width, self.eos);
        }
        batch
    }

    fn bytes_of(&self, tokens: &[u32]) -> u64 {
        let length = |token: &u32| self.byte_lengths.get(*token as usize).copied().unwrap_or(0);
        tokens.iter().map(|token| u64::from(length(token))).sum()
    }
}

impl Side {
    fn cut(shard: Arc<Shard>, context: usize, what: &str, keep_tails: bool) -> Result<Self, DataError> {
        let needed = context as u64 + 1;
        if shard.tokens() < needed {
            return Err(DataError::TooShort { what: what.to_owned(), needed, found: shard.tokens() });
        }
        let all: Vec<Span> = (0..shard.documents()).flat_map(|d| spans(shard.document(d), context)).collect();
        let full = |span: &Span| span.length as usize == context + 1;
        let predictions = |span: &Span| u64::from(span.length) - 1;
        let of_all: u64 = all.iter().map(predictions).sum();
        let of_full: u64 = all.iter().filter(|span| full(span)).map(predictions).sum();
        let rows: Arc<[Span]> =
            if keep_tails || of_full * 2 < of_all { all.into() } else { all.into_iter().filter(full).collect() };
        if rows.is_empty() {
            return Err(DataError::TooShort { what: what.to_owned(), needed, found: shard.tokens() });
        }
        Ok(Self { shard, rows })
    }
}

/// The rows of one document: full ones, then the tail when it has something to predict.
fn spans(document: std::ops::Range<u64>, context: usize) -> impl Iterator<Item = Span> {
    let last = document.end.saturating_sub(1);
    (document.start..last).step_by(context).map(move |start| {
        let length = (last - start).min(context as u64) + 1;
        Span { start, length: u32::try_from(length).expect("a row is shorter than 4 Gi tokens") }
    })
}

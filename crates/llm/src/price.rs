//! What tokens cost.
//!
//! Money is whole, in 10^-12 USD, so that sums are exact whatever their order; a price of a million tokens in USD with six decimals is
//! a whole number a token. The table is data, `prices.tsv`; a run keeps the one that it was counted by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use serde::{Deserialize, Serialize};

use crate::ensemble::AND;
use crate::error::LlmError;
use crate::message::Usage;

/// Money in 10^-12 USD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(pub u64);

/// So many make a USD.
const USD: u64 = 1_000_000_000_000;

impl Money {
    /// An amount of USD, as `12` or `0.25`, of at most twelve decimals.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > 12 || !digits(whole) || !digits(part) || text.ends_with('.') {
            return None;
        }
        let part: u64 = format!("{part:0<12}").parse().ok()?;
        Some(Self(whole.parse::<u64>().ok()?.checked_mul(USD)?.checked_add(part)?))
    }

    /// So many times as much; no more than fits.
    #[must_use]
    pub fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Money {
    /// `0.0123 USD`: at least two decimals, and all that are not 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:012}", self.0 % USD);
        let shown = part.trim_end_matches('0');
        write!(f, "{}.{shown:0<2} USD", self.0 / USD)
    }
}

/// What a token of a model costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// One that is read.
    pub input: Money,
    /// One that is read, and that the server had kept.
    pub cached: Money,
    /// One that is written.
    pub output: Money,
    /// The day on which it was looked up.
    pub date: String,
    /// Who said so.
    pub source: String,
}

impl Price {
    /// What tokens cost.
    #[must_use]
    pub fn of(&self, usage: Usage) -> Money {
        let cached = usage.cached.min(usage.input);
        self.input.times(usage.input - cached) + self.cached.times(cached) + self.output.times(usage.output)
    }

    /// What costs no less than either.
    #[must_use]
    pub fn dearer(self, other: Self) -> Self {
        let (input, cached, output) =
            (self.input.max(other.input), self.cached.max(other.cached), self.output.max(other.output));
        Self { input, cached, output, date: self.date.max(other.date), source: self.source.max(other.source) }
    }
}

/// Prices by model: a name, or the beginning of one and `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    by_model: BTreeMap<String, Price>,
    /// Models that answer for each other, by what they are called together.
    joint: BTreeMap<String, Vec<String>>,
}

/// The table that comes with the program.
const TABLE: &str = include_str!("../prices.tsv");

impl Prices {
    /// The table that comes with the program.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn shipped() -> Self {
        Self::parse("prices.tsv", TABLE).expect("the shipped table is read by a test")
    }

    /// Reads a table: columns `model`, `input`, `cached`, `output` (USD a million tokens, at most six decimals), `date`, `source`, by tabs;
    /// its first line names them.
    ///
    /// # Errors
    /// The line and the column that cannot be read.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut prices = BTreeMap::new();
        let mut lines = text.lines().zip(1..);
        let head = "model\tinput\tcached\toutput\tdate\tsource";
        if lines.next().map(|(line, _)| line) != Some(head) {
            return Err(format!("{name}:1: expected the columns `{}`", head.replace('\t', "`, `")));
        }
        for (line, number) in lines.filter(|(line, _)| !line.trim().is_empty()) {
            let cells: Vec<&str> = line.split('\t').collect();
            let [model, input, cached, output, date, source] = cells[..] else {
                return Err(format!("{name}:{number}: expected 6 columns, found {}", cells.len()));
            };
            let token = |what: &str, text: &str| {
                let million = Money::parse(text).filter(|money| money.0.is_multiple_of(1_000_000));
                let wanted = "USD a million tokens with at most six decimals, as 0.25";
                million
                    .map(|money| Money(money.0 / 1_000_000))
                    .ok_or_else(|| format!("{name}:{number}: expected in column `{what}` {wanted}, found `{text}`"))
            };
            let price = Price {
                input: token("input", input)?,
                cached: token("cached", cached)?,
                output: token("output", output)?,
                date: date.to_owned(),
                source: source.to_owned(),
            };
            if model.is_empty() || prices.insert(model.to_owned(), price).is_some() {
                return Err(format!("{name}:{number}: expected a model that no other line has, found `{model}`"));
            }
        }
        Ok(Self { by_model: prices, joint: BTreeMap::new() })
    }

    /// These, and those of `other` where both have one.
    #[must_use]
    pub fn overridden(mut self, other: Self) -> Self {
        self.by_model.extend(other.by_model);
        self.joint.extend(other.joint);
        self
    }

    /// A model that costs nothing: one's own server, a person.
    #[must_use]
    pub fn with_free(self, model: &str) -> Self {
        let price = Price {
            input: Money(0),
            cached: Money(0),
            output: Money(0),
            date: String::new(),
            source: "said to be free".to_owned(),
        };
        self.with(model, price)
    }

    /// The same with that price for a model, such as the one that a run began with.
    #[must_use]
    pub fn with(mut self, model: &str, price: Price) -> Self {
        self.by_model.insert(model.to_owned(), price);
        self
    }

    /// The same for models that answer for each other: together they cost what the dearest of them does, if all have a price, and an
    /// answer what the one does that gave it.
    #[must_use]
    pub fn with_joint(mut self, together: &str, models: &[String]) -> Self {
        let each: Option<Vec<Price>> = models.iter().map(|model| self.of(model).ok().cloned()).collect();
        if let Some(dearest) = each.and_then(|each| each.into_iter().reduce(Price::dearer)) {
            let names: BTreeSet<&str> = models.iter().map(String::as_str).collect();
            let source = format!("the dearest of {}", names.into_iter().collect::<Vec<_>>().join(", "));
            self.by_model.insert(together.to_owned(), Price { source, ..dearest });
        }
        self.joint.insert(together.to_owned(), models.to_vec());
        self
    }

    /// The price of an answer that the model `by` gave where `asked` was asked.
    ///
    /// # Errors
    /// [`LlmError::NoPrice`]
    pub fn of_answer(&self, asked: &str, by: &str) -> Result<&Price, LlmError> {
        let is_member = self.joint.get(asked).is_some_and(|models| models.iter().any(|model| model == by));
        self.of(if is_member { by } else { asked })
    }

    /// The price of a model: that of its name, else that of the longest beginning. Several that answer for each other have none by the
    /// beginning of the first.
    ///
    /// # Errors
    /// [`LlmError::NoPrice`]
    pub fn of(&self, model: &str) -> Result<&Price, LlmError> {
        let begins =
            |(pattern, _): &(&String, &Price)| pattern.strip_suffix('*').is_some_and(|part| model.starts_with(part));
        let is_one = !model.contains(AND);
        let longest =
            || self.by_model.iter().filter(begins).max_by_key(|(pattern, _)| pattern.len()).map(|(_, price)| price);
        self.by_model
            .get(model)
            .or_else(|| longest().filter(|_| is_one))
            .ok_or_else(|| LlmError::NoPrice { model: model.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn several_models_have_no_price_by_the_beginning_of_the_first() {
        let table = "model\tinput\tcached\toutput\tdate\tsource\nday-1*\t1\t1\t1\t2026-11-28\tours\n";
        let prices = Prices::parse("p.tsv", table).unwrap();
        assert!(prices.of("day-1-large").is_ok() && prices.of("day-1-large + night").is_err());
        let joint = |names: [&str; 2]| {
            let names = names.map(str::to_owned);
            prices.clone().with_joint(&names.join(AND), &names).of(&names.join(AND)).is_ok()
        };
        assert!(!joint(["day-1-large", "night"]), "what one of them costs is not known");
        assert!(joint(["day-1-large", "day-1-small"]));
    }

    #[test]
    fn the_shipped_table_can_be_read_and_every_price_has_a_source() {
        for (model, price) in &Prices::shipped().by_model {
            assert!(price.source.starts_with("https://") && price.date.len() == 10, "{model}: {price:?}");
            assert!(price.cached <= price.input, "{model}: {price:?}");
        }
    }

    #[test]
    fn a_later_model_does_not_have_the_price_of_the_one_whose_name_it_begins_with() {
        let prices = Prices::shipped();
        let output = |model: &str| prices.of(model).ok().map(|price| price.output);
        let dollars = |n: u64| Some(Money(n * USD / 1_000_000));
        assert_eq!((output("claude-opus-5"), output("claude-opus-5-5")), (dollars(25), dollars(20)));
        assert_eq!((output("claude-opus-4-5-20251101"), output("claude-opus-5-9")), (dollars(25), None));
    }

    #[test]
    fn money_is_read_and_shown_exactly() {
        for (text, shown) in [("0.25", "0.25 USD"), ("12", "12.00 USD"), ("0.000000000001", "0.000000000001 USD")] {
            assert_eq!(Money::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", ".5", "1.", "-1", "1e3", "0.0000000000001", "99999999999999999999"] {
            assert_eq!(Money::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_longest_beginning_counts_and_a_model_without_a_price_is_refused() {
        let text = "model\tinput\tcached\toutput\tdate\tsource\nm-*\t2\t1\t8\t2026-01-01\thttps://a\nm-small*\t0.5\t0.5\t1\t2026-01-01\thttps://a\n";
        let prices = Prices::parse("p.tsv", text).unwrap();
        let usage = Usage { input: 1_000_000, cached: 500_000, output: 250_000, estimated: false };
        assert_eq!(prices.of("m-large").unwrap().of(usage), Money::parse("3.5").unwrap());
        assert_eq!(prices.of("m-small-2").unwrap().of(usage), Money::parse("0.75").unwrap());
        assert!(matches!(prices.of("other"), Err(LlmError::NoPrice { model }) if model == "other"));
        assert_eq!(prices.with_free("other").of("other").unwrap().of(usage), Money(0));
    }

    #[test]
    fn models_that_answer_for_each_other_are_reserved_at_the_dearest_and_counted_each_at_its_own() {
        let text = "model\tinput\tcached\toutput\tdate\tsource\na\t2\t1\t4\t2026-01-01\thttps://a\nb\t1\t1\t8\t2026-01-01\thttps://b\n";
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let prices = Prices::parse("p.tsv", text).unwrap().with_joint("a + b", &names(&["a", "b"]));
        let million = Usage { input: 1_000_000, cached: 0, output: 1_000_000, estimated: false };
        let dollars = |price: Result<&Price, LlmError>| price.ok().map(|price| price.of(million).0 / USD);
        assert_eq!(dollars(prices.of("a + b")), Some(10));
        assert_eq!(["a", "b", "other"].map(|by| dollars(prices.of_answer("a + b", by))), [Some(6), Some(9), Some(10)]);
        assert_eq!(dollars(prices.of_answer("a", "b")), Some(6), "by its own name a server may be called anything");
        let lacking = prices.with_joint("a + c", &names(&["a", "c"]));
        assert_eq!([lacking.of("a + c"), lacking.of_answer("a + c", "c")].map(dollars), [None, None]);
    }

    #[test]
    fn a_table_that_cannot_be_read_says_where() {
        let told = |line: &str| {
            Prices::parse("p.tsv", &format!("model\tinput\tcached\toutput\tdate\tsource\n{line}\n")).unwrap_err()
        };
        assert_eq!(told("m\t1"), "p.tsv:2: expected 6 columns, found 2");
        assert!(told("m\t1\tx\t2\td\ts").starts_with("p.tsv:2: expected in column `cached` USD a million tokens"));
        assert!(told("m\t0.0000001\t0\t2\td\ts").contains("column `input`"));
        assert!(
            Prices::parse("p.tsv", "a\tb").unwrap_err().starts_with("p.tsv:1: expected the columns `model`, `input`")
        );
    }
}

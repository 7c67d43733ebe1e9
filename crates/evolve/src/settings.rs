//! What decides a run: fixed numbers, the designs it starts from, the text it trains on.
//!
//! The first event of a run records all of it. Two runs of equal settings on equal text give equal results.

use std::collections::BTreeMap;

use genesys_agents::prompt::PROMPTS;
use genesys_agents::{Limits, Variant};
use genesys_data::Dataset;
use genesys_ladder::Scale;
use genesys_llm::price::Price;
use genesys_train::precision::{self, Precision};
use serde::{Deserialize, Serialize};

use crate::random::{Purpose, bits};

/// Raised when the same job would be trained to other numbers: part of every result's key.
pub const TRAINER: u32 = 2;

/// The numbers of a run. No clock, no core count and no luck enters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Decides every draw and every training.
    pub seed: u64,
    /// Generations of offspring.
    pub generations: u64,
    /// Offspring a generation.
    pub population: u64,
    /// How often a place in a generation is tried to be filled.
    pub attempts: u64,
    /// Where designs are trained.
    pub scale: Scale,
    /// How many of the best designs are trained with more seeds at the end.
    pub finalists: u64,
    /// With how many seeds, the first one included.
    pub seeds: u64,
    /// In which numbers designs are trained.
    #[serde(default, skip_serializing_if = "precision::is_plain", with = "precision")]
    pub precision: Precision,
    /// Who designs beside the operators; none in a run that asks no language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<Agents>,
}

/// Language models that design beside the operators. Who answers is not part of a run: only what is asked for, and of which model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agents {
    /// For how many of a hundred places they are asked.
    pub share: u64,
    /// How many dialogues a place has at most; behind them an operator fills it.
    pub dialogues: u64,
    /// The model's name.
    pub model: String,
    /// What it costs, as the run counts it; none where that is not known.
    pub price: Option<Price>,
    /// Where several models answer for each other: what an answer of each costs, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, Option<Price>>,
    /// The versions of the prompts, by their names.
    pub prompts: BTreeMap<String, String>,
    /// Which parts of the work are done.
    pub variant: Variant,
    /// What a dialogue may take.
    pub limits: Limits,
}

impl Agents {
    /// A model that is asked for half of the places, with three dialogues for each at most.
    #[must_use]
    pub fn new(model: &str, price: Option<Price>) -> Self {
        let (variant, limits) = (Variant::default(), Limits::default());
        let (model, members) = (model.to_owned(), BTreeMap::new());
        Self { share: 50, dialogues: 3, model, price, members, prompts: prompts(), variant, limits }
    }
}

impl Agents {
    fn flaw(&self) -> Option<String> {
        let share = self.share;
        let shared = (share > 100).then(|| format!("expected a share of the places in per cent, found {share}"));
        shared.or_else(|| (self.dialogues == 0).then(|| "expected at least 1 dialogue a place, found 0".to_owned()))
    }
}

/// The versions of the prompts of this program.
pub(crate) fn prompts() -> BTreeMap<String, String> {
    PROMPTS.iter().map(|prompt| (prompt.name.to_owned(), prompt.version())).collect()
}

impl Settings {
    /// The settings of the main job: three generations of six at `nano`, three finalists with three seeds.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let scale = Scale::named("nano").expect("`nano` is a rung");
        let precision = Precision::F32;
        Self {
            seed,
            generations: 3,
            population: 6,
            attempts: 20,
            scale,
            finalists: 3,
            seeds: 3,
            precision,
            agents: None,
        }
    }

    /// The seed of training number `index` of any design: all designs see the same data in the same order.
    #[must_use]
    pub fn training_seed(&self, index: u64) -> u64 {
        bits(self.seed, Purpose::Training, &[index])
    }

    /// What keeps these numbers and designs from making a run, if anything.
    #[must_use]
    pub fn flaw(&self, shipped: &[Shipped]) -> Option<String> {
        let baselines = shipped.iter().filter(|design| design.baseline).count();
        let here = self.precision.here();
        if here != self.precision {
            let precision = self.precision;
            return Some(format!("expected a precision that this processor multiplies, as {here}, found {precision}"));
        }
        let least = |what: &str, found: u64| (found == 0).then(|| format!("expected at least 1 {what}, found 0"));
        least("training step", self.scale.steps)
            .or_else(|| least("seed", self.seeds))
            .or_else(|| least("attempt", self.attempts))
            .or_else(|| least("design to start from", shipped.len() as u64))
            .or_else(|| self.agents.as_ref().and_then(Agents::flaw))
            .or_else(|| (baselines != 1).then(|| format!("expected one baseline design, found {baselines}")))
    }

    /// How many trainings the run has at most, with `shipped` designs to start from.
    #[must_use]
    pub fn trainings(&self, shipped: u64) -> u64 {
        let more = self.seeds.saturating_sub(1);
        shipped + self.generations * self.population + (self.finalists + 1) * more
    }
}

/// A design that a run starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shipped {
    /// What it is called.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Whether the others are compared with it; one of them is.
    pub baseline: bool,
}

/// The text that a run trains on, by hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextMark {
    /// The dataset's key.
    pub key: String,
    /// The hash of the corpus.
    pub corpus_hash: String,
    /// The hash of the tokenizer.
    pub tokenizer_hash: String,
    /// Entries of the vocabulary.
    pub vocabulary: u64,
}

impl TextMark {
    /// The mark of a dataset.
    #[must_use]
    pub fn of(data: &Dataset) -> Self {
        let info = data.info();
        Self {
            key: data.key(),
            corpus_hash: info.corpus_hash.clone(),
            tokenizer_hash: info.tokenizer_hash.clone(),
            vocabulary: info.vocab_size,
        }
    }
}

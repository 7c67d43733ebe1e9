//! What `implement`, `design`, `propose`, `review` and `bench agents` share about the answers of models: where what they say has to
//! run, how often it may be mended, how long it may be, what it is drawn from.

use genesys_agents::Limits;
use genesys_ladder::Scale;

use crate::{number, scale};

/// What is asked of answers.
#[derive(Debug, clap::Args)]
pub(crate) struct AnswerArgs {
    /// A rung of the ladder at which the design has to run; may be given more than once [default: nano].
    #[arg(long, value_name = "SCALE", value_parser = scale::parse)]
    scale: Vec<Scale>,
    /// How often each piece may be mended.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u64).range(..=100))]
    mends: u64,
    /// The most tokens of an answer.
    #[arg(long, value_name = "N", default_value_t = 4_000, value_parser = number::positive)]
    tokens: u64,
    /// What the model draws from, where it knows seeds.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number::whole)]
    pub(crate) seed: u64,
}

impl AnswerArgs {
    /// The scales at which a design has to run.
    pub(crate) fn scales(&self) -> Vec<Scale> {
        if self.scale.is_empty() {
            return vec![Scale::named("nano").expect("there is a rung `nano`")];
        }
        self.scale.clone()
    }

    /// These limits, and the usual ones.
    pub(crate) fn limits(&self) -> Limits {
        Limits { mends: self.mends as usize, tokens: self.tokens, ..Limits::default() }
    }
}

//! What a dialogue of a new run may take.
//!
//! In: arguments. Out: the same settings within them. Unlike how many go on at once, it decides the run, and is part of it.

use genesys_agents::Limits;
use genesys_evolve::Agents;

use crate::number;

/// What a dialogue may take.
#[derive(Debug, clap::Args)]
pub(crate) struct DialogueArgs {
    /// Dialogues at a place, behind which an operator fills it [default: 3].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=20), requires = "llm")]
    tries: Option<u64>,
    /// Rounds of searching before a proposal [default: 3].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=20), requires = "llm")]
    searches: Option<u64>,
    /// The most proposals of a dialogue: the first, and those that are written anew behind a review [default: 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=20), requires = "llm")]
    proposals: Option<u64>,
    /// How often each piece may be mended [default: 7].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=100), requires = "llm")]
    mends: Option<u64>,
    /// The most tokens of an answer [default: 4000].
    #[arg(long, value_name = "N", value_parser = number::positive, requires = "llm")]
    answer_tokens: Option<u64>,
}

impl DialogueArgs {
    /// These settings, with what is said here in place of what they have.
    pub(crate) fn within(&self, agents: Agents) -> Agents {
        let count = |given: Option<u64>, known| given.map_or(known, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let limits = Limits {
            searches: count(self.searches, agents.limits.searches),
            proposals: count(self.proposals, agents.limits.proposals),
            mends: count(self.mends, agents.limits.mends),
            tokens: self.answer_tokens.unwrap_or(agents.limits.tokens),
            ..agents.limits
        };
        Agents { dialogues: self.tries.unwrap_or(agents.dialogues), limits, ..agents }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// The options where they stand, beside who answers.
    #[derive(Parser)]
    struct Stand {
        #[arg(long)]
        llm: Option<String>,
        #[command(flatten)]
        dialogue: DialogueArgs,
    }

    fn within(words: &str) -> Result<Agents, String> {
        let read = Stand::try_parse_from(["discover"].into_iter().chain(words.split_whitespace()));
        let read = read.map_err(|error| error.to_string())?;
        Ok(read.dialogue.within(Agents::new(&read.llm.unwrap_or_default(), None)))
    }

    #[test]
    fn what_is_said_of_dialogues_takes_the_place_of_what_they_have() {
        let known = Agents::new("m", None);
        assert_eq!(within("--llm m"), Ok(known.clone()));
        let limits = Limits { searches: 0, proposals: 1, mends: 2, tokens: 300, ..known.limits };
        let small = Agents { dialogues: 5, limits, ..known };
        assert_eq!(within("--llm m --tries 5 --searches 0 --proposals 1 --mends 2 --answer-tokens 300"), Ok(small));
        for wrong in ["--mends 2", "--llm m --tries 0", "--llm m --proposals 0", "--llm m --answer-tokens 0"] {
            assert!(within(wrong).is_err(), "{wrong}");
        }
    }
}

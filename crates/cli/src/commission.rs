//! What `design`, `propose` and `review` share: who answers, what is known, what is wanted.
//!
//! In: arguments. Out: a desk and a commission, and what the answers took. Each answer is told on standard error as it comes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use genesys_agents::offer::UnitWords;
use genesys_agents::{Attempt, Commission, Desk, Known, Limits, Mode, Review, Searches, Variant, Way};
use genesys_check::CheckedDesign;
use genesys_compiler::check_text;
use genesys_family::{Families, Fingerprints};
use genesys_llm::ledger::{Cap, Ledger, Metered, Spent};
use genesys_llm::{LlmError, Transport};
use genesys_registry::Registry;

use crate::answers::AnswerArgs;
use crate::failure::Failure;
use crate::literature::{Live, MeaningArgs, Reading, Shelf};
use crate::llm::{self, LlmArgs};
use crate::{design_file, output, searches, shipped};

/// Who answers, what is known, what is wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct CommissionArgs {
    #[command(flatten)]
    llm: LlmArgs,
    /// A design that the new one is made from: none, one, or two.
    #[arg(long, value_name = "FILE")]
    parent: Vec<PathBuf>,
    /// From how many parents: scratch (none), mutation (one), crossover (two) [default: as many as are given].
    #[arg(long, value_enum, value_name = "MODE")]
    mode: Option<ModeArg>,
    /// A lesson to tell the proposer; may be given more than once.
    #[arg(long, value_name = "TEXT")]
    lesson: Vec<String>,
    /// Rounds of searching before a proposal.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(..=20))]
    searches: u64,
    /// The most proposals: the first, and those that are written anew behind a review.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=20))]
    proposals: u64,
    #[command(flatten)]
    answers: AnswerArgs,
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    meaning: MeaningArgs,
    #[command(flatten)]
    shelf: Shelf,
}

/// From how many parents a design is made.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArg {
    /// None.
    Scratch,
    /// One.
    Mutation,
    /// Two.
    Crossover,
}

/// How a design is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum WayArg {
    /// A sketch, then one unit at a time, with what the checker says.
    ByUnits,
    /// The same, told only that an answer is wrong, not what is wrong with it.
    Unheard,
    /// All at once, with what the checker says.
    Whole,
    /// All at once, and no word from the checker.
    Direct,
}

impl WayArg {
    pub(crate) fn way(self) -> Way {
        match self {
            Self::ByUnits => Way::ByUnits,
            Self::Unheard => Way::Unheard,
            Self::Whole => Way::Whole,
            Self::Direct => Way::Direct,
        }
    }
}

/// All that a dialogue needs.
pub(crate) struct Studio {
    transport: Box<dyn Transport>,
    model: String,
    library: Searches<Reading>,
    registry: Arc<Registry>,
    ledger: Arc<Ledger>,
    priced: bool,
    /// What is wanted.
    pub(crate) commission: Commission,
}

impl CommissionArgs {
    /// Opens everything; nobody is asked yet.
    pub(crate) fn open(&self, way: Way, review: Review) -> Result<Studio, Failure> {
        let parents = self.parents()?;
        let library = self.library()?;
        let opened = self.llm.open()?;
        let (ledger, prices) = (Arc::new(Ledger::new(Cap::default())), opened.prices());
        let llm::Opened { transport, model, .. } = opened;
        let priced = prices.of(&model).is_ok();
        let commission = Commission {
            others: others(&parents),
            parents,
            lessons: self.lesson.clone(),
            scales: self.answers.scales(),
            variant: Variant { way, review },
            limits: Limits {
                searches: self.searches as usize,
                proposals: self.proposals as usize,
                ..self.answers.limits()
            },
            seed: self.answers.seed,
        };
        Ok(Studio {
            transport: Box::new(Metered::new(transport, prices, Arc::clone(&ledger))),
            model,
            library,
            registry: commission.units(Arc::default()),
            ledger,
            priced,
            commission,
        })
    }

    /// What is searched; a recording has its searches beside it.
    fn library(&self) -> Result<Searches<Reading>, Failure> {
        let open = || Reading::open(&self.shelf, &self.live, &self.meaning);
        searches::of(self.llm.targets()?.replayed(), self.llm.record.as_deref(), open)
    }

    /// The parents, as many as the mode asks for.
    fn parents(&self) -> Result<Vec<Known>, Failure> {
        let found = self.parent.len();
        let (least, most, what) = match self.mode {
            None => (0, 2, "at most two parents"),
            Some(ModeArg::Scratch) => (0, 0, "no --parent for a design from scratch"),
            Some(ModeArg::Mutation) => (1, 1, "one --parent FILE to be changed"),
            Some(ModeArg::Crossover) => (2, 2, "two parents, --parent FILE --parent FILE"),
        };
        if found < least || found > most {
            return Err(Failure::Input(format!("expected {what}, found {found}")));
        }
        self.parent.iter().map(|path| parent(path)).collect()
    }
}

fn parent(path: &Path) -> Result<Known, Failure> {
    let (text, design) = design_file::check(path).or_say()?;
    Ok(known(&text, &design))
}

fn known(text: &str, design: &CheckedDesign) -> Known {
    Known { name: design.name().to_owned(), hash: design.hash().to_string(), text: text.to_owned(), score: None }
}

/// The shipped designs that are no parents.
fn others(parents: &[Known]) -> Vec<Known> {
    let shipped = shipped::DESIGNS.iter().filter_map(|(name, text)| Some(known(text, &check_text(name, text).design?)));
    shipped.filter(|one| parents.iter().all(|parent| parent.hash != one.hash)).collect()
}

impl Studio {
    /// Does `work`, and says what its answers took, also where it fails.
    pub(crate) fn work<T>(&self, work: impl FnOnce(&Desk<'_>) -> Result<T, LlmError>) -> Result<T, Failure> {
        let desk = Desk {
            transport: self.transport.as_ref(),
            model: &self.model,
            library: Some(&self.library),
            registry: Some(&self.registry),
            credits: &BTreeMap::new(),
            words: &UnitWords::default(),
            families: &Families::default(),
            prints: &Fingerprints::default(),
        };
        let done = work(&desk).map_err(|error| llm::failure(&error));
        output::say(self.bill());
        done
    }

    /// What the answers took, in a line.
    fn bill(&self) -> String {
        let spent = self.ledger.committed();
        let money =
            if self.priced { spent.money.to_string() } else { format!("what `{}` costs is not known", self.model) };
        format!("{} answers, {} tokens read, {} written; {money}", spent.calls, spent.usage.input, spent.usage.output)
    }

    /// What was spent, by role.
    pub(crate) fn spent(&self) -> BTreeMap<String, Spent> {
        self.ledger.spent()
    }

    /// From how many designs one is made.
    pub(crate) fn mode(&self) -> Mode {
        self.commission.mode()
    }
}

/// Tells an answer, and what became of it.
pub(crate) fn tell(attempt: &Attempt) {
    let Attempt { role, piece, number, answer, errors } = attempt;
    output::say(format_args!("--- {role}: {piece}, answer {number}\n{}", answer.trim()));
    match &errors[..] {
        [] => output::say("--- taken"),
        errors => output::say(format_args!("--- not taken\n{}", errors.join("\n"))),
    }
}

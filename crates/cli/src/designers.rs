//! Who designs in a run beside the operators: what `discover` and `resume` share about language models.
//!
//! In: a target, caps, a run's folder. Out: designers whose every call is in the run's ledger and whose every answer is in its
//! recording, from which a run that was stopped goes on; before it, what it may take at most.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use genesys_agents::card::card;
use genesys_evolve::{Agents, Asked, Designers, Settings};
use genesys_llm::ensemble::Member;
use genesys_llm::ledger::Metered;
use genesys_llm::record::{Lines, Recorder, Replay, exchanges};
use genesys_llm::retry::{Patience, Retry};
use genesys_llm::throttle::{Limits, Throttle, Wall};
use genesys_llm::{Cap, Continued, Ledger, Money, Prices, Spent, Transport};

use crate::failure::Failure;
use crate::literature::ReadingArgs;
use crate::number;
use crate::output;
use crate::priced::{Priced, called};
use crate::searches;
use crate::targets::{Targets, joined};
use crate::well_read::WellRead;

/// The recording of a run, in its folder.
const RECORDING: &str = "exchanges.jsonl";
/// The ledger of a run, in its folder.
const LEDGER: &str = "ledger.jsonl";

/// Who answers, and what may be spent.
#[derive(Debug, clap::Args)]
pub(crate) struct DesignerArgs {
    /// Language models that design beside the operators: `https://HOST/v1#MODEL` (or another target of docs/llm.md), `file:DIR#NAME`
    /// (whoever answers the files there), `replay:RUN` (the recording of a run). May be given several times, each with a weight as
    /// `0.5*TARGET`: which is asked is drawn from the request, and others answer where it fails.
    // Parsed later: what is refused here would be shown with the key that stands in it.
    #[arg(long, value_name = "TARGET")]
    llm: Vec<String>,
    /// The most money that all calls of the run may cost together, as 5USD; without it, no cap.
    #[arg(long, value_name = "USD", value_parser = money, requires = "llm")]
    budget: Option<Money>,
    /// The most tokens that all calls of the run may read and write together; without it, no cap.
    #[arg(long, value_name = "N", value_parser = number::positive, requires = "llm")]
    tokens: Option<u64>,
    /// The most seconds that all calls of the run may take together, those that go on at once added up; without it, no cap. A
    /// call that has begun is not cut off.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000), requires = "llm")]
    call_time: Option<u64>,
    /// The most calls that are begun in a minute; without it, no limit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000), requires = "llm")]
    calls_a_minute: Option<u64>,
    /// The most tokens that are asked for in a minute, read and written, each call with as many as it may write; without it, no
    /// limit.
    #[arg(long, value_name = "N", value_parser = number::positive, requires = "llm")]
    tokens_a_minute: Option<u64>,
    /// Dialogues side by side; they do not change the result.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=256))]
    dialogues: u64,
    /// The most seconds that are waited for an answer [default: 1200; of files, without end].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800), requires = "llm")]
    wait: Option<u64>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Prices besides those that are shipped, in a table as `crates/llm/prices.tsv`.
    #[arg(long, value_name = "FILE", requires = "llm")]
    prices: Option<PathBuf>,
}

/// An amount of money.
fn money(text: &str) -> Result<Money, String> {
    let amount = text.strip_suffix("USD").unwrap_or(text).trim();
    Money::parse(amount).ok_or_else(|| "expected an amount of USD, as 5USD or 0.25".to_owned())
}

/// Who answers, opened.
pub(crate) struct Opened {
    /// The recording that answers, if one does.
    replayed: Option<PathBuf>,
    members: Vec<Member>,
    /// What they are called, and what they cost.
    agents: Agents,
    prices: Prices,
    cap: Cap,
    limits: Limits,
    reading: ReadingArgs,
    at_once: usize,
}

/// What designs in a run, and what it took.
pub(crate) struct Studio {
    /// Who designs.
    pub(crate) designers: Designers,
    /// The ledger; none where a recording answers, which costs nothing.
    pub(crate) ledger: Option<Arc<Ledger>>,
    /// Whether it is known what calls cost.
    is_priced: bool,
}

impl Studio {
    /// What calls took so far, in a line.
    pub(crate) fn bill(&self) -> Option<String> {
        let balance = self.ledger.as_ref()?.balance();
        let total = balance.total();
        let unsettled = match balance.unsettled {
            0 => String::new(),
            n => format!(", {n} of them cut off and counted at their worst"),
        };
        let money = if self.is_priced { total.money.to_string() } else { "at a price that is not known".to_owned() };
        let time = Duration::from_millis(balance.millis).as_secs();
        let (input, output) = (total.usage.input, total.usage.output);
        Some(format!(
            "models: {} calls{unsettled}, {input} tokens read, {output} written, {money}, {time} s",
            total.calls
        ))
    }
}

impl DesignerArgs {
    /// Opens who answers, if anybody is named; nobody is asked yet. A run that has begun counts by the price that it began with, and so does
    /// one that is made again from its folder.
    pub(crate) fn open(&self, began: Option<&Agents>) -> Result<Option<Opened>, Failure> {
        if self.llm.is_empty() {
            return self.reading.unused().map(|()| None);
        }
        let targets = Targets::parse(&self.llm)?;
        let replayed = targets.replayed().map(Path::to_owned);
        let again = replayed.as_deref().filter(|path| path.is_dir()).and_then(agents_of);
        let known = began.or(again.as_ref());
        let members = match &replayed {
            Some(path) => vec![replay(path)?],
            None => targets.open(self.wait.map(Duration::from_secs))?,
        };
        // Who answers here takes no money; in a run that is replayed nobody does.
        let free: Vec<bool> = targets.takes_money().map(|takes| !takes).collect();
        let Priced { prices, agents } = Priced::of(self.table()?, &members, &free, known).held_to(self.budget)?;
        let cap = Cap {
            money: self.budget,
            tokens: self.tokens,
            calls: None,
            millis: self.call_time.map(|seconds| seconds * 1_000),
        };
        let at_once = usize::try_from(self.dialogues).unwrap_or(usize::MAX);
        let (limits, reading) = (self.limits(), self.reading.clone());
        Ok(Some(Opened { replayed, members, agents, prices, cap, limits, reading, at_once }))
    }

    /// What is sent in a minute; how many calls go on at once dialogues decide.
    fn limits(&self) -> Limits {
        let requests = self.calls_a_minute.map(|calls| usize::try_from(calls).unwrap_or(usize::MAX));
        Limits { at_once: None, requests, tokens: self.tokens_a_minute }
    }

    fn table(&self) -> Result<Prices, Failure> {
        let Some(path) = &self.prices else { return Ok(Prices::shipped()) };
        let text = std::fs::read_to_string(path).map_err(Failure::reading(path))?;
        let own = Prices::parse(&path.display().to_string(), &text).map_err(Failure::Input)?;
        Ok(Prices::shipped().overridden(own))
    }
}

/// Who designed in the run in a folder, as far as it can be read.
fn agents_of(dir: &Path) -> Option<Agents> {
    genesys_evolve::read(dir).ok()?.started.settings.agents
}

/// The recording that a replay names: that of a run's folder, or a file.
fn recording(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(RECORDING) } else { path.to_owned() }
}

/// The replies of a recording, of a run's folder or a file.
fn replay(path: &Path) -> Result<Member, Failure> {
    let replay = Replay::settled(exchanges(&recording(path))?);
    Ok(Member { weight: 1.0, model: replay.model().to_owned(), transport: Box::new(replay) })
}

/// The same members, each call of each in the ledger.
fn metered(members: Vec<Member>, prices: &Prices, ledger: &Arc<Ledger>) -> Vec<Member> {
    let one = |member: Member| {
        let transport = Metered::new(member.transport, prices.clone(), Arc::clone(ledger));
        Member { transport: Box::new(transport), ..member }
    };
    members.into_iter().map(one).collect()
}

impl Opened {
    /// The settings of agents in a new run.
    pub(crate) fn agents(&self, share: u64) -> Agents {
        Agents { share, ..self.agents.clone() }
    }

    /// The same for a run that has begun in `dir`, which counts by the price that it began with, and whose models search what they did
    /// where nothing else is named. Another model is refused.
    pub(crate) fn going_on(self, agents: &Agents, dir: &Path) -> Result<Self, Failure> {
        if agents.model == self.agents.model {
            return Ok(Self { agents: agents.clone(), reading: self.reading.or_noted(dir)?, ..self });
        }
        Err(Failure::Input(format!(
            "--llm: the run began with {}, whose answers it is made of, and this is {}: name that one, or begin another run",
            called(&agents.model),
            called(&self.agents.model)
        )))
    }

    /// The same for a new run in `dir`, which notes what its models search.
    pub(crate) fn begun(self, dir: &Path) -> Result<Self, Failure> {
        self.reading.note(dir)?;
        Ok(self)
    }

    /// Who designs in the run in `dir`: first by its recording, then live, each call in its ledger, each answer and each search recorded.
    pub(crate) fn within(self, dir: &Path) -> Result<Studio, Failure> {
        let Self { replayed, members, agents, prices, cap, limits, reading, at_once } = self;
        let is_priced = prices.of(&agents.model).is_ok();
        let (path, open) = (dir.join(RECORDING), || reading.open());
        let (transport, ledger, searches): (Box<dyn Transport>, _, _) = match replayed {
            Some(from) => (joined(members).0, None, searches::of(Some(&recording(&from)), None, open)?),
            None => {
                let ledger = Arc::new(Ledger::open(cap, &dir.join(LEDGER))?);
                let (lines, before) = (Lines::open(&path)?, exchanges(&path)?);
                let live = Recorder::new(joined(metered(members, &prices, &ledger)).0, lines);
                let calm = Throttle::new(live, limits, Box::new(Wall::default()));
                let patient = Retry::new(Continued::new(before, calm), Patience::default(), Box::new(Wall::default()));
                (Box::new(patient), Some(ledger), searches::of(None, Some(&path), open)?)
            }
        };
        let Agents { model, price, members, .. } = agents;
        let designer =
            WellRead::new(searches, |library| Asked::new(transport, model, price, library).with_members(members));
        Ok(Studio { designers: Designers { designer: Arc::new(designer), at_once }, ledger, is_priced })
    }

    /// Says about what the dialogues of a run take, and refuses a cap below a single call.
    pub(crate) fn estimate(&self, settings: &Settings) -> Result<(), Failure> {
        let Some(agents) = &settings.agents else { return Ok(()) };
        let call = self.worst(agents);
        let over = match (self.cap.money, self.cap.tokens) {
            (Some(cap), _) if call.money > cap => Some(format!("--budget {cap}: one call may take {}", call.money)),
            (_, Some(cap)) if call.tokens() > cap => {
                Some(format!("--tokens {cap}: one call may take {}", call.tokens()))
            }
            _ => None,
        };
        if let Some(over) = over {
            return Err(Failure::Input(format!("{over}; allow more, for nothing could be asked")));
        }
        let places = settings.generations * settings.population * agents.share / 100;
        let (least, most) = calls(agents);
        let wanted = places.saturating_mul(least);
        let money = match &self.agents.price {
            Some(_) => format!(" and {}", call.money.times(wanted)),
            None => String::new(),
        };
        output::say(format_args!(
            "models: {} is asked for about {places} places, {wanted} calls if every answer is taken at once; if each has the page \
             about the language, a design, and as long an answer as may be, {} tokens{money}. A place has at most {} dialogues, a \
             dialogue at most {most} calls",
            called(&self.agents.model),
            call.tokens().saturating_mul(wanted),
            agents.dialogues,
        ));
        Ok(())
    }

    /// What a call takes at most whose request has the page about the language and the longest shipped design.
    fn worst(&self, agents: &Agents) -> Spent {
        let longest = crate::shipped::DESIGNS.iter().map(|(_, text)| text.len()).max().unwrap_or(0);
        let input = (card().len() + longest) as u64;
        let usage = genesys_llm::Usage { input, output: agents.limits.tokens, ..genesys_llm::Usage::default() };
        Spent::call(self.agents.price.as_ref().map(|price| price.of(usage)).unwrap_or_default(), usage)
    }
}

/// How many calls a dialogue has: where every answer is taken and the sketch leaves one unit open, and at most.
fn calls(agents: &Agents) -> (u64, u64) {
    let limits = &agents.limits;
    let searches = limits.searches as u64;
    // A proposal, a sketch, a review; a plan; a unit; an observation.
    let least = searches + 3 + 1 + 1 + 1;
    let designs = limits.designs.max(1) as u64;
    let pieces = searches + limits.proposals as u64 * 3 + 1 + designs * (limits.units as u64 + 1);
    (least, pieces.saturating_mul(1 + limits.mends as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_without_a_name_is_told_of_in_words() {
        assert_eq!([called("m"), called("")], ["the model `m`", "the only model of a server"]);
    }

    #[test]
    fn money_is_written_with_or_without_its_name() {
        assert_eq!(money("5USD"), Ok(Money(5_000_000_000_000)));
        assert_eq!(money("0.25 USD"), money("0.25"));
        for text in ["", "USD", "5 EUR", "-1", "5USDUSD"] {
            assert!(money(text).is_err_and(|why| why.contains("5USD")), "{text}");
        }
    }

    #[test]
    fn a_dialogue_has_no_more_calls_than_its_limits_say() {
        let mut agents = Agents::new("m", None);
        agents.limits =
            genesys_agents::Limits { searches: 1, proposals: 2, mends: 1, units: 2, designs: 1, tokens: 10 };
        assert_eq!(calls(&agents), (7, 22));
    }
}

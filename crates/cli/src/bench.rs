//! `genesys bench agents`: how many written proposals a language model makes designs of, and what that takes.
//!
//! In: a folder of proposals, what answers, variants. Out: a table, or JSON; with `--out` every row and every answer as soon as it is there,
//! from which a stopped bench goes on.

use std::fs;
use std::path::{Path, PathBuf};

use genesys_agents::Limits;
use genesys_agents::prompt::{PROMPTS, Prompt};
use genesys_agents_bench::folder::{Folder, FolderError, Setup};
use genesys_agents_bench::measure::{Measured, Setting};
use genesys_agents_bench::{Proposal, Row, Variant, report, run as run_rows, table};
use genesys_ladder::Scale;
use genesys_llm::throttle::Wall;
use genesys_llm::{Prices, Transport};
use serde_json::json;

use crate::answers::AnswerArgs;
use crate::failure::Failure;
use crate::llm::{LlmArgs, Opened};
use crate::{aside, design_file, output};

/// Measure what is made of written proposals.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Agents(AgentsArgs),
}

/// Have a language model implement proposals, by several ways, and compare them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys bench agents --proposals benches/proposals --llm https://openrouter.ai/api/v1#VENDOR/MODEL --out bench
  genesys bench agents --proposals benches/proposals --llm http://localhost:8080/v1 --variants by-units,direct
  genesys bench agents --proposals benches/proposals --llm replay:bench/recording.jsonl --json

A proposal is a file *.md; a design counts as valid that checks and runs at the scales. With --out the folder holds setup.json, rows.jsonl, \
recording.jsonl, the designs, and at the end report.json and table.txt; the same command goes on where it stopped.

Intervals are of 95 %: Wilson's for rates, Newcombe's for differences of paired rates, a bootstrap for means; p is McNemar's exact test. \
docs/bench-agents.md says more.

JSON: {model, rows: [..], report: {variants: [..], differences: [..]}}; money is in 10^-12 USD.

Exit status: 0 all was measured, whatever came of it, 1 the input is at fault, 2 the model cannot be asked.")]
struct AgentsArgs {
    /// A folder of proposals, *.md.
    #[arg(long, value_name = "DIR")]
    proposals: PathBuf,
    /// The ways of asking that are compared [default: by-units,whole,direct,no-feedback].
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = Variant::parse)]
    variants: Vec<Variant>,
    #[command(flatten)]
    llm: LlmArgs,
    #[command(flatten)]
    answers: AnswerArgs,
    /// The folder that keeps rows, answers and designs.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON for programs instead of the table.
    #[arg(long)]
    json: bool,
}

/// Runs a bench.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Agents(args) => agents(args),
    }
}

fn agents(args: &AgentsArgs) -> Result<(), Failure> {
    let Opened { transport, model, .. } = args.llm.open()?;
    let bench = Bench {
        proposals: proposals(&args.proposals)?,
        variants: if args.variants.is_empty() { Variant::ALL.to_vec() } else { distinct(&args.variants) },
        scales: args.answers.scales(),
        limits: args.answers.limits(),
        seed: args.answers.seed,
        model,
        origin: match args.llm.targets()?.replayed() {
            Some(_) => Origin::Recording,
            None => Origin::Model,
        },
    };
    let rows = match &args.out {
        Some(dir) => bench.in_folder(transport, dir)?,
        None => bench.rows(&transport, Vec::new(), &mut |_| Ok(()))?,
    };
    let report = report(&rows, args.answers.seed);
    let json = format!("{:#}\n", json!({ "model": bench.model, "rows": rows, "report": report }));
    let told = format!("{}\n{}", bench.title(), table::table(&report));
    if let Some(dir) = &args.out {
        write(&dir.join("report.json"), &json)?;
        write(&dir.join("table.txt"), &told)?;
    }
    output::now(if args.json { &json } else { &told })
}

/// Where answers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// They are waited for.
    Model,
    /// They were recorded: how long they took is not known.
    Recording,
}

/// What is measured.
struct Bench {
    proposals: Vec<Proposal>,
    variants: Vec<Variant>,
    scales: Vec<Scale>,
    limits: Limits,
    seed: u64,
    model: String,
    origin: Origin,
}

/// What is done with a row as soon as it is measured.
type Keep<'a> = dyn FnMut(&mut Measured) -> Result<(), Failure> + 'a;

impl Bench {
    fn title(&self) -> String {
        let (proposals, mends) = (self.proposals.len(), self.limits.mends);
        format!("{proposals} proposals, model `{}`, each piece mended at most {mends} times\n", self.model)
    }

    fn setup(&self) -> Setup {
        Setup {
            model: self.model.clone(),
            variants: self.variants.clone(),
            proposals: self.proposals.iter().map(|proposal| (proposal.name.clone(), proposal.version())).collect(),
            scales: self.scales.iter().map(|scale| scale.name.clone()).collect(),
            mends: self.limits.mends,
            tokens: self.limits.tokens,
            seed: self.seed,
            prompts: PROMPTS.iter().map(Prompt::version).collect(),
        }
    }

    /// All rows behind those that are done; each is said.
    fn rows(&self, transport: &dyn Transport, done: Vec<Row>, keep: &mut Keep<'_>) -> Result<Vec<Row>, Failure> {
        let (prices, clock) = (Prices::shipped(), Wall::default());
        let (model, scales, limits, seed) = (self.model.as_str(), self.scales.as_slice(), self.limits, self.seed);
        let setting = Setting { transport, model, prices: &prices, scales, limits, seed, clock: &clock };
        let count = self.proposals.len() * self.variants.len();
        let mut number = done.len();
        run_rows(&setting, (&self.proposals, &self.variants), done, &mut |measured| {
            if self.origin == Origin::Recording {
                measured.row.model_seconds = None;
            }
            keep(measured)?;
            number += 1;
            output::say(format_args!("{number} of {count}: {}", words(&measured.row)));
            Ok(())
        })
    }

    /// The same in a folder, from which it goes on.
    fn in_folder(&self, transport: Box<dyn Transport>, dir: &Path) -> Result<Vec<Row>, Failure> {
        let mut folder = Folder::open(dir, &self.setup()).map_err(|error| folder_failure(&error))?;
        let answers = folder.answers(transport)?;
        let done = folder.rows.clone();
        if !done.is_empty() {
            output::say(format_args!("{} rows are there already", done.len()));
        }
        let mut replayed = 0;
        self.rows(&answers, done, &mut |measured| {
            if answers.replayed() > replayed {
                replayed = answers.replayed();
                measured.row.model_seconds = None;
            }
            if let Some(text) = &measured.text {
                let name = format!("{}.{}.gau", measured.row.proposal, measured.row.variant.name());
                write(&dir.join(name), text)?;
            }
            folder.keep(measured.row.clone()).map_err(|error| folder_failure(&error))
        })
    }
}

/// The proposals of a folder, by their names.
fn proposals(dir: &Path) -> Result<Vec<Proposal>, Failure> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(Failure::reading(dir))? {
        paths.push(entry.map_err(Failure::reading(dir))?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    paths.sort();
    if paths.is_empty() {
        return Err(Failure::Input(format!("expected proposals, files *.md, in {}, found none", dir.display())));
    }
    let read = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Proposal { name, text: design_file::read(path).or_say()? })
    };
    paths.iter().map(read).collect()
}

/// Each once, in the order in which they are named.
fn distinct(variants: &[Variant]) -> Vec<Variant> {
    let mut once = Vec::new();
    variants.iter().for_each(|variant| {
        if !once.contains(variant) {
            once.push(*variant);
        }
    });
    once
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    aside::write(path, text.as_bytes()).map_err(Failure::writing(path))
}

fn folder_failure(error: &FolderError) -> Failure {
    let is_input = match error {
        FolderError::Other(_) => true,
        FolderError::File(..) => false,
    };
    Failure::of(is_input, error)
}

/// A row in a line.
fn words(row: &Row) -> String {
    let Row { proposal, variant, answers, repairs, usage, .. } = row;
    let became = match (&row.design, &row.refused) {
        (Some(design), _) => design.clone(),
        (None, Some(why)) => format!("no design: {why}"),
        (None, None) => "no design".to_owned(),
    };
    let tokens = format!("{} tokens read, {} written", usage.input, usage.output);
    format!("{proposal} {}: {became} ({answers} answers, {repairs} of them repairs; {tokens})", variant.name())
}

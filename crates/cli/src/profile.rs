//! `genesys profile`: where the time and the bytes of a training step go.
//!
//! In: a design, a scale, a text. Out: what each unit and each kernel takes, beside what this machine can do, as text or as JSON;
//! and where they are asked for a flame graph, and the stacks that it is drawn from. Nothing is kept of the training.

use std::path::{Path, PathBuf};

use genesys_ladder::Scale;
use genesys_profile::{Measured, Plan, Subject, measure, profile, to_flame, to_folded, to_text};
use genesys_train::{Job, Machine, Recompute, fit, useful_threads};

use crate::aside;
use crate::corpus::{self, CorpusArgs};
use crate::design_file;
use crate::failure::Failure;
use crate::init::of_train;
use crate::number;
use crate::output;
use crate::scale;
use crate::stop::Stop;
use crate::train::recompute;

/// Measure where the time and the bytes of a training step go, by unit of the design and by kernel.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys profile designs/gpt.gau --scale nano
  genesys profile designs/gla.gau --scale 14M --threads 1 --flame gla.svg
  genesys profile designs/gla.gau --scale nano --json | jq '.units[] | {unit, pass, seconds, roofline}'

The steps are those of `genesys train`: the same program, threads, text and optimizer. After two that do not count, each kernel of \
--steps steps is timed, and told is the median. What a kernel of several units takes is shared out by timers around its \
operations, in a few steps more; a map that was joined from several units by its functions. GFLOP and bytes are counted, not \
measured: what the design asks for, and what a kernel cannot do without. The roofline is what this machine reached just before, \
on the same threads: the share is the time that operations and bytes take at least, by the time they took. docs/compiler.md says \
more.")]
pub(crate) struct Args {
    /// A design file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A rung of the ladder: nano, 14M, 31M, 70M, 125M, 350M, 760M, 1.3B.
    #[arg(long, value_parser = scale::parse)]
    scale: Scale,
    /// How many steps are timed.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = number::positive)]
    steps: u64,
    /// Decides the weights and the order of the text.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number::whole)]
    seed: u64,
    /// Threads of a step [default: the machine's cores, at most what a step has work for].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// The most memory a step may need, as 750M or 4G; without it, what the machine has left.
    #[arg(long, value_name = "BYTES", value_parser = number::bytes)]
    memory: Option<u64>,
    /// Rows of a step that are in memory at a time; without it, as many as fit.
    #[arg(long, value_name = "N", value_parser = number::positive)]
    rows_at_a_time: Option<u64>,
    /// What the backward pass computes again: little, elements, products or all; without it, as little as fits.
    #[arg(long, value_name = "WHAT", value_parser = recompute)]
    recompute: Option<Recompute>,
    /// Print JSON for programs instead of text.
    #[arg(long)]
    json: bool,
    /// Write a flame graph, an SVG to open in a browser.
    #[arg(long, value_name = "FILE.svg")]
    flame: Option<PathBuf>,
    /// Write the stacks of that picture, a line each, for other tools.
    #[arg(long, value_name = "FILE")]
    folded: Option<PathBuf>,
    #[command(flatten)]
    corpus: CorpusArgs,
}

/// Measures, writes the pictures, and prints what was found.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let (text, design) = design_file::check_at(&args.file, &args.scale).or_say()?;
    let data = corpus::dataset(&args.corpus.read()?, args.scale.vocabulary)?;
    let machine = args.machine();
    let rows_at_a_time = args.rows_at_a_time.filter(|rows| *rows < args.scale.rows);
    let recompute = args.recompute.unwrap_or_default();
    let job = Job { steps: args.steps, rows_at_a_time, recompute, ..Job::at_scale(text, &args.scale, args.seed) };
    let job = fit(&job, data.tokenizer().vocab_size() as u64, &machine).map_err(|error| of_train(&error))?;
    let stop = Stop::listen(|| {})?;
    let plan = Plan { job: &job, data: &data, machine: &machine, steps: args.steps };
    let asked = stop.clone();
    let measured = measure(&plan, &mut move || !asked.is_asked()).map_err(|error| of_train(&error))?;
    let Some(measured) = measured else {
        return Err(stop.failure("stopped: nothing was measured to the end, and nothing is written".to_owned()));
    };
    let subject = Subject {
        design: design.name().to_owned(),
        scale: args.scale.name.clone(),
        rows: args.scale.rows,
        context: args.scale.context,
    };
    args.write(&measured, &subject)?;
    let profile = profile(&measured, subject);
    if args.json {
        return output::line(serde_json::to_string_pretty(&profile).expect("a profile is plain data"));
    }
    output::now(&to_text(&profile))
}

impl Args {
    fn machine(&self) -> Machine {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let asked = self.threads.map(|threads| usize::try_from(threads).unwrap_or(usize::MAX));
        let threads = asked.unwrap_or_else(|| useful_threads(&self.scale, cores));
        Machine { threads, ..Machine::within(self.memory) }
    }

    fn write(&self, measured: &Measured, subject: &Subject) -> Result<(), Failure> {
        if let Some(path) = &self.folded {
            write(path, &to_folded(measured, subject))?;
        }
        if let Some(path) = &self.flame {
            let svg = to_flame(measured, subject).map_err(|why| Failure::World(format!("no picture: {why}")))?;
            write(path, &svg)?;
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    aside::write(path, text.as_bytes()).map_err(Failure::writing(path))?;
    output::say(format_args!("written: {}", path.display()));
    Ok(())
}

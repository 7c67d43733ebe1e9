//! `genesys report`: a run as a page to read, or as JSON.
//!
//! In: a run's folder, finished or not. Out: an HTML file that needs nothing else, or one JSON value on standard output.
//! The run is only read.

use std::fs;
use std::path::{Path, PathBuf};

use genesys_evolve::{EvolveError, State};
use genesys_report::{Curves, Run};
use genesys_store::{Artifacts, Head, Reader, StoreError};

use crate::aside;
use crate::failure::Failure;
use crate::output;

/// The page's name in a run's folder.
const PAGE: &str = "report.html";

/// Write a page about a run: leaderboard, lineage tree, loss curves, every design and what was changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys report runs/001                           writes runs/001/report.html and prints its path
  genesys report runs/001 --out page.html
  genesys report runs/001 --json | jq '.designs[0]'

The page is one file that loads nothing and runs nothing. A run that is not finished gives what is known so far, and \
says so. The same run gives the same bytes. `discover` writes the page at its end.

JSON: {run, seed, baseline, designs: [{design_hash, name, parents, operator, params, seeds, bpb, bpb_sd, tokens, \
verdict}]}, best design first. `run` is the digest of the log; `baseline` and `parents` are design hashes; `seeds` are \
the 64-bit seeds of the trainings that gave a score; `bpb` is their mean in bits per byte and `bpb_sd` the sample \
standard deviation, null where there is none; `tokens` is what each training sees. `verdict` is a word, and a reason \
behind a colon: baseline; better, worse (more than two standard errors of the difference from the baseline), even; \
one-seed (it or the baseline has a single training, so nothing is known); failed; untrained.")]
pub(crate) struct Args {
    /// A run's folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The file to write [default: report.html in the run's folder].
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    out: Option<PathBuf>,
    /// Print JSON for programs instead of writing a page.
    #[arg(long)]
    json: bool,
}

/// Writes the page and prints its path, or prints JSON.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let read = Read::from(&args.run)?;
    if args.json {
        let json = serde_json::to_string_pretty(&genesys_report::json(read.run()));
        return output::line(json.expect("a report has a JSON form"));
    }
    let path = args.out.clone().unwrap_or_else(|| args.run.join(PAGE));
    read.write(&path)?;
    output::line(path.display())
}

/// Writes the page of the run in `dir` into it, and says where.
pub(crate) fn at_the_end(dir: &Path) -> Result<(), Failure> {
    let path = dir.join(PAGE);
    Read::from(dir)?.write(&path)?;
    output::say(format_args!("report:  {}", path.display()));
    Ok(())
}

/// A run that was read.
struct Read {
    digest: String,
    state: State,
    curves: Curves,
}

impl Read {
    fn from(dir: &Path) -> Result<Self, Failure> {
        let reader = Reader::open(dir).map_err(of_store)?;
        let events = reader.events().collect::<Result<Vec<_>, _>>().map_err(of_store)?;
        let state = State::fold(&events).map_err(|error| of_evolve(&error))?;
        let (Some(state), Some(last)) = (state, events.last()) else {
            return Err(Failure::Input(format!(
                "{} holds a run that was stopped before it began: there is nothing to report; `genesys discover` makes \
                 a run",
                dir.display()
            )));
        };
        let digest = Head { seq: last.seq, hash: last.hash }.digest();
        let curves = curves(dir, &state)?;
        Ok(Self { digest, state, curves })
    }

    fn run(&self) -> Run<'_> {
        Run { digest: &self.digest, state: &self.state, curves: &self.curves }
    }

    fn write(&self, path: &Path) -> Result<(), Failure> {
        let page = genesys_report::page(self.run());
        // A run that is over can be looked at where nothing can be written.
        if fs::read(path).is_ok_and(|found| found == page.as_bytes()) {
            return Ok(());
        }
        aside::write(path, page.as_bytes()).map_err(Failure::writing(path))
    }
}

/// The curves of the trainings that are done. One that cannot be read is told and left out: the rest of the run stands.
fn curves(dir: &Path, state: &State) -> Result<Curves, Failure> {
    let artifacts = Artifacts::open(dir.join("artifacts")).map_err(of_store)?;
    let mut curves = Curves::new();
    let finished = state.trainings.iter().filter_map(|training| training.result.as_ref()?.as_ref().ok());
    for name in finished.map(|finished| &finished.curve) {
        match curve(&artifacts, name) {
            Ok(curve) => {
                curves.insert(name.clone(), curve);
            }
            Err(why) => output::say(format_args!("a loss curve is left out: {why}")),
        }
    }
    Ok(curves)
}

fn curve(artifacts: &Artifacts, name: &str) -> Result<Vec<f32>, String> {
    let hash = name.parse().map_err(|_| format!("`{name}` is not the name of an artifact"))?;
    let bytes = artifacts.get(&hash).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("the artifact {name} is not a list of losses: {error}"))
}

fn of_store(error: StoreError) -> Failure {
    of_evolve(&error.into())
}

fn of_evolve(error: &EvolveError) -> Failure {
    Failure::of(error.is_input(), error)
}

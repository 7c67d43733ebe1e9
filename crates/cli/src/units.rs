//! `genesys units`: the units that are known, and which of them fit the holes of a sketch.
//!
//! In: design files, or a run's folder, or nothing, for the shipped designs; a sketch; a text. Out: a list, as text or as JSON; with a
//! folder, a text for each way to fill the sketch. What a unit was worth is known of runs only.

mod about;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use genesys_agents::offer::{UnitWords, ranked, said};
use genesys_check::Sketch;
use genesys_check::sketch::Hole;
use genesys_compiler::check_text;
use genesys_evolve::Units;
use genesys_literature::Hit;
use genesys_registry::{Credit, Entry, Fit, Origin, Registry, UnitKey};
use genesys_syntax::ast::File;
use genesys_syntax::print;
use serde_json::{Value, json};

use about::About;

use crate::failure::Failure;
use crate::{aside, design_file, output, shipped};

/// List the units that are known, those that mean the like of a text, or those that fit the holes of a sketch.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys units                                      units of the shipped designs
  genesys units --run runs/001                       units of a run, with what each was worth
  genesys units designs/mechanisms/*.gau --json | jq '.[] | select(.cost.label == \"recurrent\") | .name'
  genesys units --about 'a memory that forgets'        those that mean the like, likest first
  genesys units --fits my.gau                        what can stand where my.gau has a unit without a body
  genesys units --fits my.gau --run runs/001 --out filled

A unit is known by a key that its name, the names of the units it calls and comments do not enter. A unit of a run's drafts alone, \
of a dialogue whose design was not finished, did not run or was not what was proposed, is in no design. A unit fits a hole, \
`unit Router(x: Seq[D]) -> Seq[D];`, if the sketch with a call of it in that place was checked; the credit of a unit is by how \
much bits per byte fell, on the mean, in the steps of evolution in which it came, or rose where it went.

JSON: [{key, name, docs, signature, interface, text, cost: {parameters, forward, class, label, reach}, designs, from, credit: {gain, \
steps} or null}], with --about each with {by_words, by_meaning}, its ranks; with --fits [{hole, wanted, fits: [{unit, key or null, credit, open, text}]}], `open` being the holes that \
are left.")]
pub(crate) struct Args {
    /// Design files whose units are listed; without them and without --run, those of the shipped designs.
    #[arg(value_name = "FILE", conflicts_with = "run")]
    files: Vec<PathBuf>,
    /// A run's folder: every unit that was checked in it, also where no design came of it.
    #[arg(long, value_name = "RUN")]
    run: Option<PathBuf>,
    /// A sketch: what fits its units without a body, first what was worth more or says the like of the unit's name and comment.
    #[arg(long, value_name = "SKETCH")]
    fits: Option<PathBuf>,
    /// A folder to write the filled texts of --fits to.
    #[arg(long, value_name = "DIR", requires = "fits")]
    out: Option<PathBuf>,
    #[command(flatten)]
    about: About,
    /// Print JSON for programs instead of text.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The files and folders that units are from; none where they are those of the shipped designs.
    fn sources(&self) -> Vec<PathBuf> {
        self.files.iter().chain(&self.run).cloned().collect()
    }
}

/// Lists units, or what fits.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let known = match &args.run {
        Some(run) => of_run(run)?,
        None if args.files.is_empty() => of_shipped().into(),
        None => of_files(&args.files)?.into(),
    };
    let known = Known(known);
    let is_asked = args.about.is_asked()?;
    match &args.fits {
        Some(path) => known.fitting(path, args),
        None if is_asked => known.alike(args),
        None if args.json => {
            let all: Vec<Value> = known.0.registry.entries().map(|entry| known.value(entry)).collect();
            output::line(format_args!("{:#}", Value::from(all)))
        }
        None => known.0.registry.entries().try_for_each(|entry| output::line(known.words(entry))),
    }
}

fn of_shipped() -> Registry {
    let mut registry = Registry::default();
    for (name, text) in shipped::DESIGNS {
        if let Some(design) = check_text(name, text).design {
            registry.add(&design, Origin::default());
        }
    }
    registry
}

fn of_files(files: &[PathBuf]) -> Result<Registry, Failure> {
    let mut registry = Registry::default();
    let looked: Vec<_> = files.iter().map(|path| design_file::check(path).or_say()).collect();
    for design in looked {
        registry.add(&design?.1, Origin::default());
    }
    Ok(registry)
}

/// The units of a run, and their credits by its scores.
fn of_run(dir: &Path) -> Result<Units, Failure> {
    let state = genesys_evolve::read(dir).map_err(|error| Failure::of(error.is_input(), &error))?;
    let mut units = Units::default();
    units.know(&state, u64::MAX);
    Ok(units)
}

/// Units, and what they were worth.
struct Known(Units);

impl Known {
    fn credit(&self, entry: &Entry) -> Option<&Credit> {
        self.0.credits.get(&entry.key)
    }

    /// What a unit was worth, to be added to a line; nothing where that is not known.
    fn worth(&self, entry: &Entry) -> String {
        let told = |credit: &Credit| format!("; credit {:+.4} in {}", credit.gain, counted(credit.steps, "step"));
        self.credit(entry).map(told).unwrap_or_default()
    }

    /// A unit in a few lines.
    fn words(&self, entry: &Entry) -> String {
        let mut text = format!("{}\n  {}", entry.signature, short(&entry.key));
        let _ = write!(text, "  {}, looks back {}", entry.cost.label, entry.cost.reach);
        let _ = write!(text, "; parameters {}; forward {}", entry.cost.parameters, entry.cost.forward);
        let _ = match entry.designs.len() as u64 {
            0 => write!(text, "; in no design, but in a draft"),
            designs => write!(text, "; in {}", counted(designs, "design")),
        };
        text.push_str(&self.worth(entry));
        if let Some(from) = &entry.from {
            let _ = write!(text, "; from {}", short(from));
        }
        for line in entry.docs.lines() {
            let _ = write!(text, "\n  {}", line.trim());
        }
        text + "\n"
    }

    fn value(&self, entry: &Entry) -> Value {
        let mut value = serde_json::to_value(entry).expect("a unit has a JSON form");
        value["credit"] = json!(self.credit(entry));
        value
    }

    /// What means the like of a text.
    fn alike(&self, args: &Args) -> Result<(), Failure> {
        let hits = args.about.found(&self.0.registry, &args.sources(), None)?;
        let found = hits.iter().filter_map(|hit| Some((hit, self.named(&hit.document.key)?)));
        if args.json {
            let value = |(hit, entry): (&Hit, &Entry)| {
                let mut value = self.value(entry);
                value["by_words"] = json!(hit.by_words);
                value["by_meaning"] = json!(hit.by_meaning);
                value
            };
            return output::line(format_args!("{:#}", found.map(value).collect::<Value>()));
        }
        if hits.is_empty() {
            return output::line("nothing found: other words, or a beginning* of them, may do");
        }
        found.map(|(_, entry)| self.words(entry)).try_for_each(output::line)
    }

    /// The unit of that key.
    fn named(&self, key: &str) -> Option<&Entry> {
        self.0.registry.entries().find(|entry| entry.key.as_str() == key)
    }

    /// What fits each hole of a sketch.
    fn fitting(&self, path: &Path, args: &Args) -> Result<(), Failure> {
        let (sketch, file) = sketch(path)?;
        let asked = args.about.is_asked()?;
        let alike = args.about.found(&self.0.registry, &args.sources(), Some(usize::MAX))?;
        // Those that do not mean the like stand behind, in the order of their credit.
        let rank = |fit: &Fit<'_>| {
            let key = fit.entry.map(|entry| entry.key.as_str());
            alike.iter().position(|hit| Some(hit.document.key.as_str()) == key).unwrap_or(usize::MAX)
        };
        let mut values = Vec::new();
        for hole in sketch.holes() {
            let mut fits = self.0.registry.fitting(&sketch, hole, &self.0.credits);
            match asked {
                true => fits.sort_by_key(rank),
                false => self.as_offered(&mut fits, &said(&file, hole)),
            }
            if let Some(out) = &args.out {
                write_all(out, hole, &fits)?;
            }
            if args.json {
                values.push(self.hole_value(hole, &fits));
            } else {
                output::now(&self.hole_words(hole, &fits))?;
            }
        }
        if args.json { output::line(format_args!("{:#}", Value::from(values))) } else { Ok(()) }
    }

    /// Orders what fits a hole as it is offered to a model, by what is said of the hole; what is standard or the sketch's own last.
    fn as_offered(&self, fits: &mut [Fit<'_>], said: &str) {
        let units = fits.iter().filter_map(|fit| fit.entry).collect();
        let places: BTreeMap<UnitKey, usize> = ranked(units, &self.0.credits, &UnitWords::default(), said)
            .into_iter()
            .map(|entry| entry.key.clone())
            .zip(0..)
            .collect();
        fits.sort_by_key(|fit| fit.entry.map_or(usize::MAX, |entry| places[&entry.key]));
    }

    fn hole_words(&self, hole: &Hole, fits: &[Fit<'_>]) -> String {
        let mut text = format!("{} wants {}", hole.title(), hole.wanted);
        let _ = match (hole.expr, fits.len()) {
            (Some(_), _) => writeln!(text, ": an expression, which no unit fills by itself"),
            (None, 0) => writeln!(text, ": nothing that is known has its signature"),
            (None, _) => writeln!(text),
        };
        for fit in fits {
            let key = fit.entry.map_or_else(|| "standard or own".to_owned(), |entry| short(&entry.key));
            let _ = write!(text, "  {:<24} {key}", fit.filled.unit);
            if let Some(entry) = fit.entry {
                let _ = write!(text, "  {}; parameters {}", entry.cost.label, entry.cost.parameters);
                text.push_str(&self.worth(entry));
            }
            text.push('\n');
        }
        text
    }

    fn hole_value(&self, hole: &Hole, fits: &[Fit<'_>]) -> Value {
        let fit = |fit: &Fit<'_>| {
            let open = fit.filled.checked.sketch.as_ref().map_or(0, |sketch| sketch.holes().len());
            json!({
                "unit": fit.filled.unit,
                "key": fit.entry.map(|entry| &entry.key),
                "credit": fit.entry.and_then(|entry| self.credit(entry)),
                "open": open,
                "text": print(&fit.filled.file),
            })
        };
        json!({ "hole": hole.title(), "wanted": hole.wanted, "fits": fits.iter().map(fit).collect::<Vec<_>>() })
    }
}

/// The sketch in a file, and its text as it was read.
fn sketch(path: &Path) -> Result<(Sketch, Arc<File>), Failure> {
    let text = design_file::read(path).or_say()?;
    let checked = check_text(&path.display().to_string(), &text);
    match (checked.sketch, checked.design) {
        (Some(sketch), _) => Ok((sketch, checked.syntax)),
        (None, Some(_)) => Err(Failure::Input(format!(
            "expected a sketch, found the design {}, which has no hole: leave the body of a unit away, as in \
             `unit Router(x: Seq[D]) -> Seq[D];`",
            path.display()
        ))),
        // It has errors, which are said.
        (None, None) => Err(design_file::check(path).or_say().err().unwrap_or(Failure::Told)),
    }
}

/// The filled texts of a hole, numbered in their order.
fn write_all(out: &Path, hole: &Hole, fits: &[Fit<'_>]) -> Result<(), Failure> {
    fs::create_dir_all(out).map_err(Failure::writing(out))?;
    for (number, fit) in (1..).zip(fits) {
        let path = out.join(format!("{}-{number:03}-{}.gau", hole.unit, fit.filled.unit));
        aside::write(&path, print(&fit.filled.file).as_bytes()).map_err(Failure::writing(&path))?;
    }
    Ok(())
}

/// `1 step`, `2 steps`
fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// As much of a key as people tell units apart by.
fn short(key: &UnitKey) -> String {
    key.as_str().chars().take(11).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_says_in_how_many_designs_it_is() {
        let text = "design A { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { x + shift(x, 1) }";
        let checked = check_text("a.gau", text);
        let mut registry = Registry::default();
        registry.add_draft(&checked.syntax, &Origin::default());
        let words = |registry: &Registry| {
            let known = Known(registry.clone().into());
            known.0.registry.entries().map(|entry| known.words(entry)).collect::<String>()
        };
        assert!(words(&registry).contains("; in no design, but in a draft\n"), "{}", words(&registry));
        registry.add(&checked.design.expect("it checks"), Origin::default());
        assert!(words(&registry).contains("; in 1 design\n"), "{}", words(&registry));
    }
}

//! `cargo xtask versus torch`: what a step costs, in turn with PyTorch, side by side in one run.
//!
//! In: the workspace's folder, options. Out: a table in Markdown, or with `--json` a list of `{work, ours, peer, ratio, must,
//! aim}` and more; what it does meanwhile goes to standard error. Both sides begin with the same weights and the same tokens,
//! and a run ends with an error where their first losses differ: then the figures would be of two models. It needs Python with
//! torch, which takes 5 to 7 GB and is not installed here, so CI does not run it.
//!
//! | module | holds |
//! | --- | --- |
//! | `works` | what is measured, as data |
//! | `side` | a process that is measured |
//! | `samples` | sides in turn |
//! | `row` | lines of the table |
//! | `measure` | from works to rows |
#![allow(clippy::print_stdout, clippy::print_stderr)] // it reports to the terminal

mod measure;
mod row;
mod samples;
mod side;
mod works;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::tidy;
use row::{HEAD, Row};
use serde_json::Value;
use works::TRAININGS;

/// Random expressions, unless told otherwise.
const EXPRESSIONS: u64 = 40;

/// Threads of every side, unless told otherwise.
const THREADS: usize = 2;

/// The works beside trainings.
const OTHERS: [&str; 3] = ["expressions", "compile", "growth"];

/// What was asked for.
struct Options<'a> {
    only: Vec<&'a str>,
    expressions: u64,
    threads: usize,
    json: bool,
    python: Option<&'a str>,
}

/// Where everything is.
struct Place {
    root: PathBuf,
    /// Our program.
    step: PathBuf,
    python: PathBuf,
    /// A folder for weights, and for what the peer's compiler keeps.
    scratch: PathBuf,
    /// Of every side.
    threads: usize,
}

/// Measures what the options name, everything without any.
///
/// # Errors
/// What is missing, with the commands that install it; which step failed; or two sides that do not compute the same.
pub fn run(root: &Path, options: &[&str]) -> Result<(), String> {
    let options = Options::read(options)?;
    let place = Place::prepare(root, &options)?;
    let rows = rows(&place, &options)?;
    if options.json {
        let list: Vec<Value> = rows.iter().map(Row::json).collect();
        println!("{}", Value::from(list));
    } else {
        println!("{HEAD}");
        rows.iter().for_each(|row| println!("{}", row.line()));
    }
    Ok(())
}

fn rows(place: &Place, options: &Options<'_>) -> Result<Vec<Row>, String> {
    let wanted = |name: &str| options.only.is_empty() || options.only.contains(&name);
    let mut rows = Vec::new();
    for training in TRAININGS.iter().filter(|training| wanted(training.name)) {
        rows.extend(measure::training(place, training)?);
    }
    for name in OTHERS.into_iter().filter(|name| wanted(name)) {
        rows.extend(match name {
            "expressions" => measure::expressions(place, options.expressions)?,
            "compile" => measure::compile(place)?,
            _ => measure::growth(place)?,
        });
    }
    Ok(rows)
}

impl<'a> Options<'a> {
    fn read(words: &[&'a str]) -> Result<Self, String> {
        let mut options =
            Self { only: Vec::new(), expressions: EXPRESSIONS, threads: THREADS, json: false, python: None };
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("versus: expected a value behind {word}"));
            match word {
                "--json" => options.json = true,
                "--only" => options.only.extend(value()?.split(',')),
                "--python" => options.python = Some(value()?),
                "--graphs" => options.expressions = number(word, value()?)?,
                "--threads" => options.threads = number(word, value()?)? as usize,
                other => {
                    return Err(format!(
                        "versus: expected --only, --graphs, --threads, --json or --python, found `{other}`"
                    ));
                }
            }
        }
        let names: Vec<&str> = TRAININGS.iter().map(|training| training.name).chain(OTHERS).collect();
        match options.only.iter().find(|name| !names.contains(name)) {
            Some(unknown) => Err(format!("versus: expected works of {}, found `{unknown}`", names.join(", "))),
            None => Ok(options),
        }
    }
}

/// A number above 0.
fn number(option: &str, text: &str) -> Result<u64, String> {
    let parsed = text.parse().ok().filter(|number| *number > 0);
    parsed.ok_or_else(|| format!("versus: expected a number behind {option}, found `{text}`"))
}

impl Place {
    /// Finds the peer, builds our side.
    fn prepare(root: &Path, options: &Options<'_>) -> Result<Self, String> {
        let target = tidy::target_folder(root)?;
        let scratch = target.join("versus");
        fs::create_dir_all(&scratch).map_err(|error| format!("versus: {}: {error}", scratch.display()))?;
        let python = options.python.map_or_else(|| scratch.join("venv/bin/python"), PathBuf::from);
        find_torch(&python, &scratch.join("venv"))?;
        eprintln!("versus: building our side in release");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let build = ["build", "--quiet", "--release", "--package", "benches", "--bin", "step"];
        let status = Command::new(cargo).current_dir(root).args(build).status();
        match status {
            Ok(status) if status.success() => {}
            _ => return Err("versus: our side does not build: its messages stand above".to_owned()),
        }
        Ok(Self { root: root.to_owned(), step: target.join("release/step"), python, scratch, threads: options.threads })
    }
}

/// Asks the Python for its torch.
fn find_torch(python: &Path, venv: &Path) -> Result<(), String> {
    let found = Command::new(python).args(["-c", "import torch"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let venv = venv.display();
    Err(format!(
        "versus: expected a Python with torch, found none at {}; name one by --python, or install one, of 5 to 7 GB: \
         python3 -m venv {venv} && {venv}/bin/pip install torch",
        python.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_mistakes_named() {
        let options = Options::read(&["--only", "gpt,compile", "--json", "--graphs", "200", "--threads", "1"]);
        let read = options.map(|options| (options.only, options.expressions, options.threads, options.json));
        assert_eq!(read, Ok((vec!["gpt", "compile"], 200, 1, true)));
        let refused = |words: &[&str]| Options::read(words).err().unwrap_or_default();
        assert_eq!(refused(&["--only"]), "versus: expected a value behind --only");
        assert_eq!(refused(&["--graphs", "0"]), "versus: expected a number behind --graphs, found `0`");
        assert!(refused(&["--only", "gpt2"]).ends_with("found `gpt2`"));
        assert!(refused(&["gpt"]).ends_with("found `gpt`"));
    }

    #[test]
    fn a_missing_python_is_told_with_the_commands_that_install_it() {
        let told = find_torch(Path::new("/nowhere/python"), Path::new("target/versus/venv")).err().unwrap_or_default();
        assert!(told.contains("found none at /nowhere/python"), "{told}");
        assert!(told.ends_with("target/versus/venv/bin/pip install torch"), "{told}");
    }
}

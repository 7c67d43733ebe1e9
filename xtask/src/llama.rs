//! `cargo xtask llama`: the program against a real server of llama.cpp, with a model that is small enough for any machine.
//!
//! In: the workspace's folder, options. Out: what works, a table of answers that a grammar or a schema held, and what became of a
//! discovery; an error where an answer is not of its form, or a run does not come to its end. Packages of PyPI go below the target folder
//! (150 MB), so CI does not run it. The server ends with it, whatever happens.
//!
//! | module | holds |
//! | --- | --- |
//! | `server` | the server as a process |
//! | `discovery` | a run to its end, and the same from its recording |
#![allow(clippy::print_stdout, clippy::print_stderr)] // it reports to the terminal

mod discovery;
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::python::{self, Packages, finish};
use crate::tidy;
use server::Server;

const PACKAGES: Packages<'_> = Packages {
    chore: "llama",
    requirements: "benches/peers/llama/requirements.txt",
    // The model's package wants another program that runs it.
    flags: &["--no-deps"],
    size: "150 MB",
};

/// The parts, in their order.
const PARTS: [&str; 3] = ["check", "grammar", "discovery"];

/// What has to work for agents; a model of this size calls no tools.
const NEEDED: [&str; 5] = ["answers", "streams", "counts tokens", "keeps to a schema", "keeps to our grammar"];

/// Where everything is.
struct Place {
    root: PathBuf,
    /// The folder of built programs.
    programs: PathBuf,
    /// A folder for what is made here.
    scratch: PathBuf,
}

/// Does the parts that the options name, all without any.
///
/// # Errors
/// What is missing, which part failed, and why.
pub fn run(root: &Path, options: &[&str]) -> Result<(), String> {
    let options = Options::read(options)?;
    let place = Place::prepare(root)?;
    let environment = place.scratch.join("venv");
    PACKAGES.install(root, &environment)?;
    let server = Server::start(&python::program(&environment), root, &place.scratch, options.threads)?;
    eprintln!("llama: the server answers at {}", server.address);
    for part in options.parts {
        match part {
            "check" => check(&place, &server)?,
            "grammar" => grammar(&place, &server)?,
            _ => discovery::run(&place, &server)?,
        }
    }
    Ok(())
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options<'a> {
    parts: Vec<&'a str>,
    /// Threads of the server; all cores without. On a busy machine one is faster than many, which wait for each other.
    threads: Option<&'a str>,
}

impl<'a> Options<'a> {
    fn read(words: &[&'a str]) -> Result<Self, String> {
        let mut options = Self { parts: PARTS.to_vec(), threads: None };
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("llama: expected a value behind {word}"));
            match word {
                "--only" => options.parts = value()?.split(',').collect(),
                "--threads" => options.threads = Some(value()?),
                other => return Err(format!("llama: expected --only or --threads, found `{other}`")),
            }
        }
        let is_number = |word: &str| word.parse::<usize>().is_ok_and(|number| number > 0);
        if let Some(word) = options.threads.filter(|word| !is_number(word)) {
            return Err(format!("llama: expected a number behind --threads, found `{word}`"));
        }
        match options.parts.iter().find(|name| !PARTS.contains(name)) {
            Some(unknown) => Err(format!("llama: expected parts of {}, found `{unknown}`", PARTS.join(", "))),
            None => Ok(options),
        }
    }
}

impl Place {
    /// Builds our side, as tests are built.
    fn prepare(root: &Path) -> Result<Self, String> {
        let target = tidy::target_folder(root)?;
        let scratch = target.join("llama");
        std::fs::create_dir_all(&scratch).map_err(|error| format!("llama: {}: {error}", scratch.display()))?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let build = ["build", "--quiet", "--workspace", "--bin", "genesys", "--bin", "constrained"];
        finish("llama", Command::new(cargo).current_dir(root).args(build), "build our side")?;
        Ok(Self { root: root.to_owned(), programs: target.join("debug"), scratch })
    }

    fn genesys(&self) -> Command {
        let mut command = Command::new(self.programs.join("genesys"));
        command.current_dir(&self.root);
        command
    }
}

/// What works with the server, by `genesys llm check`.
fn check(place: &Place, server: &Server) -> Result<(), String> {
    let output = place.genesys().args(["llm", "check", "--json", "--llm", &server.address]).output();
    let output = output.map_err(|error| format!("llama: genesys llm check: {error}"))?;
    if !output.status.success() {
        return Err(format!("llama: genesys llm check: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let said: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("llama: genesys llm check: {error}"))?;
    let probes = said["probes"].as_array().cloned().unwrap_or_default();
    let word = |probe: &Value, name: &str| probe[name].as_str().unwrap_or_default().to_owned();
    for probe in &probes {
        println!("{:<20} {:<8} {}", word(probe, "name"), word(probe, "verdict"), word(probe, "detail"));
    }
    let works = |name: &&str| probes.iter().any(|probe| probe["name"] == **name && probe["verdict"] == "works");
    match NEEDED.iter().find(|name| !works(name)) {
        Some(missing) => Err(format!("llama: expected that `{missing}` works, and it does not")),
        None => Ok(()),
    }
}

/// Answers that a grammar or a schema held, each read by our own parser.
fn grammar(place: &Place, server: &Server) -> Result<(), String> {
    let mut command = Command::new(place.programs.join("constrained"));
    finish("llama", command.arg(&server.address), "have every answer read that a grammar held")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_and_mistakes_named() {
        let read = |words: &[&'static str]| Options::read(words);
        assert_eq!(read(&[]), Ok(Options { parts: PARTS.to_vec(), threads: None }));
        let some = read(&["--only", "check,discovery", "--threads", "1"]);
        assert_eq!(some, Ok(Options { parts: vec!["check", "discovery"], threads: Some("1") }));
        let told = |words: &[&'static str]| read(words).err().unwrap_or_default();
        assert_eq!(told(&["--only", "gbnf"]), "llama: expected parts of check, grammar, discovery, found `gbnf`");
        assert_eq!(told(&["--threads", "0"]), "llama: expected a number behind --threads, found `0`");
        assert_eq!(told(&["--only"]), "llama: expected a value behind --only");
        assert!(told(&["check"]).ends_with("found `check`"));
    }
}

//! A discovery with the server to its end, and the same run from its recording.
//!
//! In: a server. Out: lines that say what became of its dialogues. What is held is that nothing breaks: the run ends by itself, has a
//! report, and comes once more from the recording, without the server. How good its designs are is not.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::{Place, Server};

/// One generation of one place for a dialogue: little is searched, little mended, little written, since the model is slow and small.
const SMALL: &str = "--generations 1 --population 1 --share 100 --tries 1 --searches 1 --proposals 1 --mends 1 --answer-tokens 120 \
                     --dialogues 1 --steps 5 --wait 3600";

/// Makes the run, and makes it again.
pub(super) fn run(place: &Place, server: &Server) -> Result<(), String> {
    let (live, again) = (place.scratch.join("run"), place.scratch.join("again"));
    for folder in [&live, &again] {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| format!("llama: {}: {error}", folder.display()))?;
        }
    }
    eprintln!("llama: a discovery, in {}", live.display());
    let first = discover(place, &live, &server.address)?;
    for line in told(&first).lines().filter(|line| is_of_dialogues(line)) {
        println!("{line}");
    }
    if !live.join("report.html").exists() {
        return Err(format!("llama: expected a report in {}, found none", live.display()));
    }
    let second = discover(place, &again, &format!("replay:{}", live.display()))?;
    let (board, json) = (first.stdout == second.stdout, report(place, &live)? == report(place, &again)?);
    if !(board && json) {
        return Err(format!("llama: expected the same run from its recording, found another in {}", again.display()));
    }
    println!("the run came to its end, has a report, and is the same from its recording");
    Ok(())
}

fn discover(place: &Place, run: &Path, llm: &str) -> Result<Output, String> {
    let mut command = place.genesys();
    command.arg("discover").args(SMALL.split(' ')).args(["--llm", llm]).arg("--run").arg(run);
    ended(command.env("GENESYS_CACHE", place.scratch.join("cache")), "genesys discover")
}

/// A run as JSON for programs, which holds the digest of its log.
fn report(place: &Place, run: &Path) -> Result<Vec<u8>, String> {
    Ok(ended(place.genesys().arg("report").arg(run).arg("--json"), "genesys report")?.stdout)
}

/// What a command says, where it ends well.
fn ended(command: &mut Command, name: &str) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("llama: {name}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("llama: {name} ended with {}:\n{}", output.status, told(&output)))
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn is_of_dialogues(line: &str) -> bool {
    ["models: ", "dialogue ", "rejected ", "proposed ", "learned "].iter().any(|word| line.starts_with(word))
}

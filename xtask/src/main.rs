//! `cargo xtask CHORE`: the chores of the project.
//!
//! In: the name of a chore. Out: exit status 0 when it went well. It does nothing but call the library.
// A chore talks to the person at the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask CHORE

  ci     format check, clippy, docs, tidy, and a small run of the main job, with the minutes of each
  tidy   the house rules: file and function length, floors of crates, spelling, ..
  dialogues [--at-once N] [--places N] [--rate TOKENS]
         a run of N dialogues at once (32) with a server that writes TOKENS a second (50): what our own process takes beside it
  llama [--only check,grammar,discovery] [--threads N]
         the program against a real server of llama.cpp with a small model: what works, that what a grammar holds is read by the
         parser, and a discovery to its end
  peers [PEER ..]
         designs against the models of PyPI's transformers; without names all, and the page with their figures
  versus torch [--only WORK[,WORK ..]] [--graphs N] [--threads N] [--json] [--python PROGRAM]
         steps of models, and N random expressions (40), in turn with PyTorch, on 2 threads each unless told otherwise: a
         table, or a list for programs";

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ci"] => xtask::ci::run(root),
        ["tidy"] => xtask::tidy::run(root),
        ["dialogues", ref options @ ..] => xtask::dialogues::run(root, options),
        ["llama", ref options @ ..] => xtask::llama::run(root, options),
        ["peers", ref names @ ..] => xtask::peers::run(root, names),
        ["versus", "torch", ref options @ ..] => xtask::versus::run(root, options),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

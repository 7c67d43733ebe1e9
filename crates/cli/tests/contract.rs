//! What holds for every command: help that teaches, exit statuses, pipes that close.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Stdio;

use common::{command, design, finished, genesys};

const COMMANDS: [&str; 15] = [
    "discover",
    "resume",
    "report",
    "check",
    "explain",
    "emit",
    "lsp",
    "fmt",
    "hash",
    "mutate",
    "crossover",
    "init",
    "forward",
    "train",
    "generate",
];

#[test]
fn help_names_every_command_and_each_teaches_by_example() {
    let help = genesys(["--help"]).ok();
    for name in COMMANDS {
        assert!(help.contains(&format!("\n  {name} ")), "{name} is missing in\n{help}");
        let help = genesys([name, "--help"]).ok();
        assert!(help.contains("Examples:") && help.contains(&format!("genesys {name} ")), "{help}");
    }
}

#[test]
fn usage_errors_are_the_users() {
    for arguments in [&["chekc", "x.gau"][..], &["check"], &["check", "x.gau", "--format", "xml"], &[]] {
        let said = genesys(arguments).refused();
        assert!(said.contains("Usage") || said.contains("--help"), "{arguments:?}: {said}");
    }
    let said = genesys(["check", "x.gau", "--scale", "nono"]).refused();
    assert!(said.contains("nano") && said.contains("1.3B"), "a wrong scale is answered with the right ones: {said}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    for arguments in [&["--help"][..], &["hash", design("gpt.gau").to_str().unwrap()]] {
        let mut child = command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let run = finished(child.wait_with_output().unwrap());
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_the_worlds_fault() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let run = finished(command(["hash".as_ref(), design("gpt.gau").as_os_str()]).stdout(full).output().unwrap());
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("cannot write to standard output"), "{run:?}");
}

//! What holds for every command: help that teaches, exit statuses, pipes that close.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Stdio;

use common::{command, design, finished, genesys};

const COMMANDS: [&str; 19] = [
    "discover",
    "leaderboard",
    "resume",
    "report",
    "check",
    "explain",
    "emit",
    "lsp",
    "fix",
    "fmt",
    "hash",
    "mutate",
    "crossover",
    "init",
    "forward",
    "train",
    "profile",
    "generate",
    "literature",
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
fn what_is_missing_is_told_with_an_example() {
    for (arguments, example) in [
        (&["mutate", "x.gau"][..], "As in:\n  genesys mutate designs/gpt.gau --seed 1 -n 10 --out offspring\n"),
        (&["crossover", "x.gau"], "--seed 1 -n 10 --out offspring\n"),
        (&["generate", "x.ckpt"], "genesys generate gpt.ckpt --prompt 'The quick brown'\n"),
    ] {
        let said = genesys(arguments).refused();
        assert!(said.contains("required") && said.contains(example), "{arguments:?}: {said}");
    }
    for arguments in [["--seed", "x", "-n", "1"], ["--seed", "1", "-n", "0"]] {
        let said = genesys([&["mutate", "x.gau", "--out", "o"], &arguments[..]].concat()).refused();
        assert!(said.contains("expected a whole number of"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_path_that_is_no_file_or_no_folder_is_the_users_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let said = genesys(["check", folder.path().to_str().unwrap()]).refused();
    assert!(said.contains("expected a file, found a folder") && said.contains("help"), "{said}");
    let said = genesys(["check", "none.gau"]).refused();
    assert!(said.contains("expected a file, found none of that name") && said.contains("none.gau"), "{said}");
    assert!(!said.contains("^"), "there is no text to draw: {said}");
    let file = folder.path().join("taken");
    std::fs::write(&file, "").unwrap();
    let gpt = design("gpt.gau");
    let out = file.to_str().unwrap();
    let said = genesys(["mutate", gpt.to_str().unwrap(), "--seed", "1", "-n", "1", "--out", out]).refused();
    assert!(said.contains("expected a folder to write to, found the file"), "{said}");
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

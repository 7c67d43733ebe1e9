//! `generate`: what a seed decides, what a stream is, and what is refused.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use common::{Run, command, corpus, design, finished, genesys, signal};

/// A model of a shipped design, trained for a few steps.
fn trained(folder: &Path) -> PathBuf {
    let out = folder.join("gpt.ckpt");
    let design = design("gpt.gau");
    let mut command = command(["train", design.to_str().unwrap(), "--scale", "nano", "--steps", "8"]);
    command.arg("--corpus").arg(corpus(folder)).arg("--out").arg(&out).env("GENESYS_CACHE", folder.join("cache"));
    finished(command.output().unwrap()).ok();
    out
}

/// An untrained one, whose tokens are bytes.
fn untrained(folder: &Path) -> PathBuf {
    let out = folder.join("gla.ckpt");
    let design = design("gla.gau");
    genesys(["init", design.to_str().unwrap(), "--scale", "nano", "--out", out.to_str().unwrap()]).ok();
    out
}

fn generate(checkpoint: &Path, more: &[&str]) -> Run {
    genesys(["generate", checkpoint.to_str().unwrap()].iter().chain(more))
}

fn text(checkpoint: &Path, more: &[&str]) -> String {
    generate(checkpoint, more).ok()
}

#[test]
fn one_seed_gives_one_text() {
    let folder = tempfile::tempdir().unwrap();
    for checkpoint in [trained(folder.path()), untrained(folder.path())] {
        let of_length =
            |n: &str, more: &[&str]| text(&checkpoint, &[&["--prompt", "the model", "--tokens", n], more].concat());
        let text = |more: &[&str]| of_length("12", more);
        let drawn = text(&["--seed", "1"]);
        assert_eq!(text(&["--seed", "1"]), drawn);
        assert_ne!(text(&["--seed", "2"]), drawn);
        let best = text(&["--temperature", "0"]);
        assert_eq!(text(&["--temperature", "0", "--seed", "2"]), best, "nothing is drawn");
        assert_eq!(text(&["--top-k", "1", "--seed", "3"]), best);
        assert_eq!(text(&["--top-p", "1e-9", "--seed", "4"]), best);
        assert_eq!(text(&["--top-k", "100000", "--top-p", "1", "--seed", "1"]), drawn, "filters that keep all");
        let longer = of_length("20", &["--seed", "1"]);
        assert!(longer.len() > drawn.len() && longer.starts_with(drawn.trim_end_matches(['\n', '\u{fffd}'])));
    }
}

#[test]
fn the_prompt_is_a_text_or_standard_input_or_empty() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = untrained(folder.path());
    let piped = |bytes: &[u8]| {
        let mut command = command(["generate", checkpoint.to_str().unwrap(), "--prompt", "-", "--tokens", "5"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that has read enough closes its input.
        let _ = child.stdin.take().unwrap().write_all(bytes);
        finished(child.wait_with_output().unwrap())
    };
    let given = text(&checkpoint, &["--prompt", "--é\n日", "--tokens", "5"]);
    assert_eq!(piped("--é\n日".as_bytes()).ok(), given);
    assert!(piped(b"ab\xff").refused().contains("UTF-8"));
    assert!(piped(&[b'a'; (1 << 20) + 1]).refused().contains("at most"));
    assert_eq!(piped(b"").ok(), text(&checkpoint, &["--prompt", "", "--tokens", "5"]));
}

#[test]
fn the_reader_is_told_once_where_training_ended() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = untrained(folder.path());
    let prompt = "x".repeat(60);
    let short = generate(&checkpoint, &["--prompt", &prompt, "--tokens", "5"]);
    assert!(short.status == 0 && short.stderr.is_empty(), "{short:?}");
    let long = generate(&checkpoint, &["--prompt", &prompt, "--tokens", "6"]);
    assert!(long.status == 0 && long.stderr.matches("rows of 64 tokens").count() == 1, "{long:?}");
}

#[test]
fn what_is_kept_is_held_to_a_limit_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    // A recurrence keeps the same however long a text is; attention keeps every token.
    let gla = untrained(folder.path());
    let prompt = "x".repeat(5000);
    let long = generate(&gla, &["--prompt", &prompt, "--tokens", "3"]);
    assert!(long.status == 0 && long.stderr.matches("rows of 64 tokens").count() == 1, "{long:?}");
    let gpt = trained(folder.path());
    let said = generate(&gpt, &["--prompt", "x", "--tokens", "2000000"]).refused();
    assert!(said.contains("at most 1024.0 MiB") && said.contains("2000000 to come"), "{said}");
    let said = generate(&gpt, &["--prompt", "x", "--tokens", "18446744073709551615"]).refused();
    assert!(said.contains("at most 1024.0 MiB"), "{said}");
}

/// A command that goes on for long, and the first of what it says.
fn started(checkpoint: &Path) -> (std::process::Child, String) {
    let mut command = command(["generate", checkpoint.to_str().unwrap(), "--prompt", "the", "--tokens", "4000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 8];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    (child, String::from_utf8_lossy(&first).into_owned())
}

#[test]
fn text_comes_as_it_is_made_and_an_interrupt_leaves_what_came() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = trained(folder.path());
    let (mut child, first) = started(&checkpoint);
    // Not INT, which whoever starts the tests in the background makes all of them ignore.
    signal(child.id(), "TERM");
    let mut rest = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
    assert!(!child.wait().unwrap().success());
    let whole = text(&checkpoint, &["--prompt", "the", "--tokens", "12"]);
    assert!(whole.starts_with(first.trim_end_matches('\u{fffd}')), "{first} in {whole}");
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, _) = started(&untrained(folder.path()));
    drop(child.stdout.take());
    let run = finished(child.wait_with_output().unwrap());
    assert_eq!(run.status, 0, "{run:?}");
    assert!(!run.stderr.contains("error"), "{run:?}");
}

#[test]
fn numbers_that_are_none_are_refused() {
    let cases = [
        (["--temperature", "-0.5"], "0 or more"),
        (["--temperature", "NaN"], "0 or more"),
        (["--temperature", "warm"], "expected a number"),
        (["--top-p", "0"], "above 0"),
        (["--top-p", "1.5"], "at most 1"),
        (["--top-k", "0"], "whole number of 1 or more"),
        (["--top-k", "-3"], "--top-k"),
        (["--tokens", "0"], "whole number of 1 or more"),
        (["--seed", "x"], "--seed"),
    ];
    for (arguments, part) in cases {
        let said = generate(Path::new("x.ckpt"), &[&["--prompt", "a"], &arguments[..]].concat()).refused();
        assert!(said.contains(part) && said.contains(arguments[0]), "{arguments:?}: {said}");
    }
    assert!(generate(Path::new("x.ckpt"), &[]).refused().contains("--prompt"));
}

#[test]
fn a_checkpoint_that_is_none_damaged_newer_or_broken_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = untrained(folder.path());
    let said = || generate(&checkpoint, &["--prompt", "a"]).refused();
    assert!(generate(&folder.path().join("none"), &["--prompt", "a"]).refused().contains("expected a checkpoint"));

    let model = checkpoint.join("model.safetensors");
    let whole = fs::read(&model).unwrap();
    fs::write(&model, &whole[..whole.len() / 2]).unwrap();
    assert!(said().contains("cut off"));
    fs::write(&model, &whole).unwrap();

    let config = checkpoint.join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"format\": 1", "\"format\": 9")).unwrap();
    assert!(said().contains("version 9"));
    fs::write(&config, &text).unwrap();

    let mut broken = genesys_train::Checkpoint::load(&checkpoint).unwrap();
    broken.weights.values_mut().for_each(|tensor| tensor.values.fill(f32::NAN));
    broken.save(&checkpoint).unwrap();
    let said = said();
    assert!(said.contains("at step 0") && said.contains("NaN"), "{said}");
}

//! `profile`: what it prints and writes, what it refuses, and that it can be stopped.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{command, corpus, design, file, finished, genesys, signal};

/// `profile` of GPT at `nano` on one thread, on a small text.
fn profile(folder: &Path, more: &[&str]) -> Command {
    let gpt = design("gpt.gau");
    let mut command = command(["profile", gpt.to_str().unwrap(), "--scale", "nano", "--threads", "1"]);
    command.arg("--corpus").arg(corpus(folder)).args(more).env("GENESYS_CACHE", folder.join("cache"));
    command
}

#[test]
fn text_and_pictures_tell_units_and_kernels() {
    let folder = tempfile::tempdir().unwrap();
    let [svg, folded] = ["gpt.svg", "gpt.folded"].map(|name| folder.path().join(name));
    let pictures = ["--flame", svg.to_str().unwrap(), "--folded", folded.to_str().unwrap()];
    let mut command = profile(folder.path(), &[&["--steps", "1"], &pictures[..]].concat());
    let told = finished(command.output().unwrap()).ok();
    for part in
        ["this machine: ", "medians of 1 steps", "Block > Attention > Rope", "slowest kernels", "the tape takes"]
    {
        assert!(told.contains(part), "{part} is missing in\n{told}");
    }
    assert!(fs::read_to_string(svg).unwrap().contains("<svg "));
    let folded = fs::read_to_string(folded).unwrap();
    assert!(folded.lines().all(|line| line.starts_with("Gpt;")), "{folded}");
}

#[test]
fn json_is_one_value() {
    let folder = tempfile::tempdir().unwrap();
    let told = finished(profile(folder.path(), &["--steps", "1", "--json"]).output().unwrap()).ok();
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&json["design"], &json["threads"]), (&"Gpt".into(), &1.into()));
    assert!(json["units"].as_array().is_some_and(|units| units.len() > 10), "{told}");
}

#[test]
fn what_cannot_be_measured_is_the_users_mistake() {
    let gpt = design("gpt.gau");
    let gpt = gpt.to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let broken = file(folder.path(), "broken.gau", "design Broken {\n    stack = [Block*]\n}\n");
    for (arguments, told) in [
        (&[gpt, "--scale", "nano", "--steps", "0"][..], "expected a whole number of 1 or more"),
        (&[gpt, "--scale", "nono"], "nano"),
        (&[gpt], "--scale"),
        (&["none.gau", "--scale", "nano"], "expected a file, found none of that name"),
        (&[&broken, "--scale", "nano"], "Block"),
        (&[gpt, "--scale", "nano", "--corpus", "nowhere"], "nowhere"),
        (&[gpt, "--scale", "nano", "--memory", "1M"], "MiB of memory"),
    ] {
        let said = genesys([&["profile"], arguments].concat()).refused();
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
}

#[test]
fn a_picture_that_cannot_be_written_is_the_worlds_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none/gpt.svg");
    let run = finished(profile(folder.path(), &["--steps", "1", "--flame", path.to_str().unwrap()]).output().unwrap());
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("cannot write") && run.stderr.contains("gpt.svg"), "{run:?}");
}

#[test]
fn a_signal_stops_it_between_two_steps() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = profile(folder.path(), &["--steps", "1000000000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with("text: "), "{line}");
    // It may not listen yet; then the signal ends it at once.
    // Not INT, which whoever starts the tests in the background makes all of them ignore.
    signal(child.id(), "TERM");
    let output = child.wait_with_output().unwrap();
    assert!(output.stdout.is_empty() && !output.status.success(), "{output:?}");
}

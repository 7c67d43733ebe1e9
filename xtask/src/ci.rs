//! Everything that decides whether a change may land, apart from the tests.
//!
//! In: the workspace's folder. Out: success, or the stage that failed; the minutes of each stage are printed at the end
//! either way. It installs nothing (`.ci/run` does), and the tests are `cargo test --workspace`.
#![allow(clippy::print_stdout)] // it reports to the terminal

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::tidy;

/// A stage: its name and what it does.
type Stage = (&'static str, fn(&Path) -> Result<(), String>);

/// In the order they run: the quick ones first.
const STAGES: [Stage; 5] = [("fmt", fmt), ("tidy", tidy::run), ("clippy", clippy), ("docs", docs), ("smoke", smoke)];

/// Runs the stages until one fails.
///
/// # Errors
/// Which stage failed, and why.
pub fn run(root: &Path) -> Result<(), String> {
    let mut table = String::new();
    for (name, stage) in STAGES {
        println!("== {name}");
        let start = Instant::now();
        let result = stage(root);
        table.push_str(&format!("{name:<8} {:6.2} min\n", start.elapsed().as_secs_f64() / 60.0));
        if let Err(message) = result {
            println!("{table}");
            return Err(format!("ci: {name} failed: {message}"));
        }
    }
    println!("{table}ci: all {} stages passed", STAGES.len());
    Ok(())
}

fn fmt(root: &Path) -> Result<(), String> {
    cargo(root, &["fmt", "--all", "--check"], &[])
}

fn clippy(root: &Path) -> Result<(), String> {
    cargo(root, &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])
}

fn docs(root: &Path) -> Result<(), String> {
    cargo(root, &["doc", "--quiet", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])
}

/// The main job, small, with the binary that the tests have built: from the shipped designs to a leaderboard.
fn smoke(root: &Path) -> Result<(), String> {
    // Built as the tests are, with the same features: behind `cargo test --workspace` there is nothing left to build.
    cargo(root, &["test", "--quiet", "--workspace", "--no-run"], &[])?;
    let target = tidy::target_folder(root)?;
    let run = target.join("smoke");
    if run.exists() {
        std::fs::remove_dir_all(&run).map_err(|error| format!("{}: {error}", run.display()))?;
    }
    let mut command = Command::new(target.join("debug/genesys"));
    command.arg("discover").arg("--run").arg(&run).args(SMOKE).env("GENESYS_CACHE", target.join("smoke-cache"));
    finish(root, command)
}

/// One generation of two, a few steps each.
const SMOKE: [&str; 6] = ["--generations", "1", "--population", "2", "--steps", "20"];

fn cargo(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).envs(environment.iter().copied());
    finish(root, command)
}

fn finish(root: &Path, mut command: Command) -> Result<(), String> {
    let status = command.current_dir(root).status();
    let status = status.map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
}

//! `cargo xtask peers`: designs against the models of PyPI's `transformers`, with copied weights.
//!
//! In: the workspace's folder, names of peers (all without). Out: a line for each on standard output; of all, the section of
//! the page that holds the last figures is written anew. It needs Python, the package index on the first run, and several
//! GB below the target folder, so CI does not run it. What is compared, and how, is in `tests/peers`.
#![allow(clippy::print_stdout)] // it reports to the terminal

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::tidy;

/// The page with the last figures.
const PAGE: &str = "docs/mechanisms.md";

/// The packages, one a line.
const REQUIREMENTS: &str = "tests/peers/requirements.txt";

/// Compares the peers of these names, all without names.
///
/// # Errors
/// Which step failed, and what it needs.
pub fn run(root: &Path, names: &[&str]) -> Result<(), String> {
    let target = tidy::target_folder(root)?;
    let folder = target.join("peers");
    let environment = folder.join("venv");
    install(root, &environment)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    finish(
        Command::new(cargo).current_dir(root).args(["build", "--quiet", "--package", "genesys-cli"]),
        "build genesys",
    )?;
    // Nothing is written beside the sources.
    let mut script = Command::new(python(&environment));
    script.current_dir(root).env("PYTHONDONTWRITEBYTECODE", "1").arg("tests/peers/run.py");
    script.arg("--genesys").arg(target.join("debug/genesys")).arg("--scratch").arg(folder.join("scratch"));
    match names {
        [] => script.args(["--page", PAGE]),
        names => script.args(names),
    };
    finish(&mut script, "hold the designs to their peers")
}

/// Makes the environment, unless it holds just the packages that are asked for.
fn install(root: &Path, environment: &Path) -> Result<(), String> {
    let wanted = fs::read_to_string(root.join(REQUIREMENTS)).map_err(|error| format!("{REQUIREMENTS}: {error}"))?;
    // Written last, so that an install that was cut off is done again.
    let mark = environment.join("installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing {REQUIREMENTS} into {}: several GB, once", environment.display());
    let venv = ["-m", "venv", "--clear"];
    finish(Command::new("python3").args(venv).arg(environment), "make an environment (it needs Python 3.10 or newer)")?;
    let pip = ["-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check", "--requirement"];
    let packages = "install the packages (it needs the package index and several GB of disk)";
    finish(Command::new(python(environment)).current_dir(root).args(pip).arg(REQUIREMENTS), packages)?;
    fs::write(&mark, wanted).map_err(|error| format!("{}: {error}", mark.display()))
}

/// The environment's Python.
fn python(environment: &Path) -> std::path::PathBuf {
    environment.join("bin/python")
}

/// Runs a step to its end.
fn finish(command: &mut Command, step: &str) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    let status = command.status().map_err(|error| format!("peers: cannot {step}: {program}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("peers: cannot {step}: {program} ended with {status}")) }
}

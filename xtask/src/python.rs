//! Python for those chores that hold the project to a peer: an environment of its own below the target folder.
//!
//! In: a file of packages. Out: an environment with just these. It decides nothing, and says nothing but that it installs.
#![allow(clippy::print_stderr)] // it reports to the terminal

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is to be installed.
pub(crate) struct Packages<'a> {
    /// The chore that wants them.
    pub(crate) chore: &'a str,
    /// The file that names them, one a line, from the workspace's folder on.
    pub(crate) requirements: &'a str,
    /// What pip is told besides.
    pub(crate) flags: &'a [&'a str],
    /// How much disk they take, in words.
    pub(crate) size: &'a str,
}

impl Packages<'_> {
    /// Makes the environment, unless it holds just the packages that are asked for.
    pub(crate) fn install(&self, root: &Path, environment: &Path) -> Result<(), String> {
        let Self { chore, requirements, flags, size } = self;
        let wanted = fs::read_to_string(root.join(requirements)).map_err(|error| format!("{requirements}: {error}"))?;
        // Written last, so that an install that was cut off is done again.
        let mark = environment.join("installed.txt");
        if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        eprintln!("{chore}: installing {requirements} into {}: {size}, once", environment.display());
        let venv = ["-m", "venv", "--clear"];
        let made = "make an environment (it needs Python 3.10 or newer)";
        finish(chore, Command::new("python3").args(venv).arg(environment), made)?;
        let pip = ["-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"];
        let packages = format!("install the packages (it needs the package index and {size} of disk)");
        let mut command = Command::new(program(environment));
        command.current_dir(root).args(pip).args(*flags).arg("--requirement").arg(requirements);
        finish(chore, &mut command, &packages)?;
        fs::write(&mark, wanted).map_err(|error| format!("{}: {error}", mark.display()))
    }
}

/// The environment's Python.
pub(crate) fn program(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

/// Runs a step of a chore to its end.
pub(crate) fn finish(chore: &str, command: &mut Command, step: &str) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    let status = command.status().map_err(|error| format!("{chore}: cannot {step}: {program}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{chore}: cannot {step}: {program} ended with {status}")) }
}

//! `cargo xtask peers`: designs against the models of PyPI's `transformers`, with copied weights.
//!
//! In: the workspace's folder, names of peers (all without). Out: a line for each on standard output; of all, the section of
//! the page that holds the last figures is written anew. It needs Python, the package index on the first run, and several
//! GB below the target folder, so CI does not run it. What is compared, and how, is in `tests/peers`.

use std::path::Path;
use std::process::Command;

use crate::python::{self, Packages, finish};
use crate::tidy;

/// The page with the last figures.
const PAGE: &str = "docs/mechanisms.md";

/// What it needs.
const PACKAGES: Packages<'_> =
    Packages { chore: "peers", requirements: "tests/peers/requirements.txt", flags: &[], size: "several GB" };

/// Compares the peers of these names, all without names.
///
/// # Errors
/// Which step failed, and what it needs.
pub fn run(root: &Path, names: &[&str]) -> Result<(), String> {
    let target = tidy::target_folder(root)?;
    let folder = target.join("peers");
    let environment = folder.join("venv");
    PACKAGES.install(root, &environment)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    finish(
        "peers",
        Command::new(cargo).current_dir(root).args(["build", "--quiet", "--package", "genesys-cli"]),
        "build genesys",
    )?;
    // Nothing is written beside the sources.
    let mut script = Command::new(python::program(&environment));
    script.current_dir(root).env("PYTHONDONTWRITEBYTECODE", "1").arg("tests/peers/run.py");
    script.arg("--genesys").arg(target.join("debug/genesys")).arg("--scratch").arg(folder.join("scratch"));
    match names {
        [] => script.args(["--page", PAGE]),
        names => script.args(names),
    };
    finish("peers", &mut script, "hold the designs to their peers")
}

//! The house rules that no compiler checks.
//!
//! In: the workspace's folder. Out: findings, each a place and what is wrong there, in the order of their paths.
//!
//! | module | rules |
//! | --- | --- |
//! | `tree` | which files there are |
//! | `tokens` | Rust source as tokens, tests marked |
//! | `source` | `//!` on every file, lengths of files and functions, words that may not stand in code |
//! | `words` | spelling, paths of one machine |
//! | `floors` | floors and names of crates, what low floors may touch |
//! | `owners` | which crate may use which foreign crate |
//!
//! It changes nothing: formatting is `cargo fmt`, and lints are clippy's.
#![allow(clippy::print_stdout)] // it reports to the terminal

mod floors;
mod owners;
mod source;
mod tokens;
mod tree;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};

use tree::TextFile;

/// The page with the table of crates.
const MAP: &str = "ARCHITECTURE.md";

/// Something that is not as the house wants it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the workspace.
    pub path: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, and what is expected.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Checks the workspace at `root` and prints what it finds.
///
/// # Errors
/// The number of findings, or why the workspace cannot be read.
pub fn run(root: &Path) -> Result<(), String> {
    let findings = check(root)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        n => Err(format!("tidy: {n} findings")),
    }
}

/// Everything in the workspace at `root` that breaks a house rule, in the order of paths and lines.
///
/// # Errors
/// Why the workspace cannot be read.
pub fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let files = tree::text_files(root)?;
    let metadata = metadata(root)?;
    let mut findings = Vec::new();
    for file in &files {
        findings.extend(words::check(file));
    }
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        findings.extend(check_rust(file, &metadata));
    }
    if let Some(map) = files.iter().find(|file| file.path == MAP) {
        findings.extend(floors::check_map(map, &metadata));
    }
    findings.extend(floors::check_packages(&metadata));
    findings.extend(owners::check(&metadata));
    findings.sort();
    Ok(findings)
}

/// The folder that cargo builds into.
///
/// # Errors
/// Why the workspace cannot be read.
pub fn target_folder(root: &Path) -> Result<PathBuf, String> {
    Ok(metadata(root)?.target_directory.into_std_path_buf())
}

fn check_rust(file: &TextFile, metadata: &Metadata) -> Vec<Finding> {
    let tokens = match tokens::lex(&file.text) {
        Ok(tokens) => tokens,
        Err(message) => return vec![file.finding(0, format!("expected Rust source: {message}"))],
    };
    let mut findings = source::check(file, &tokens);
    if !file.is_test() && floors::is_pure(metadata, &file.path) {
        findings.extend(floors::check_purity(file, &tokens));
    }
    findings
}

/// What cargo knows about the packages of the workspace; foreign ones are named only, so that no network is needed.
fn metadata(root: &Path) -> Result<Metadata, String> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root.join("Cargo.toml")).no_deps();
    command.exec().map_err(|error| format!("cargo metadata: {error}"))
}

//! `genesys fmt`: design files in their one canonical layout.
//!
//! In: paths. Out: the files rewritten in place, or with `--check` the names of those that would change. A file with a
//! syntax error is left as it is. The new text is read back first, and refused if it means anything else.

use std::path::{Path, PathBuf};

use genesys_span::Sources;
use genesys_syntax::{parse, print, same};

use crate::aside;
use crate::design_file::{self, Looked};
use crate::failure::Failure;
use crate::output;

/// Lay design files out in their one canonical form, in place.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys fmt designs/gpt.gau           rewrite the file in place
  genesys fmt --check designs/*.gau     change nothing; exit 1 and name the files that would change

Comments are kept. A file with a syntax error is left as it is.")]
pub(crate) struct Args {
    /// Design files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing; exit 1 if a file would change.
    #[arg(long)]
    check: bool,
}

/// Formats the files, all of them even if one fails.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut result = Ok(());
    for path in &args.files {
        match format_file(path, args.check) {
            Ok(()) => {}
            Err(Failure::Told) => result = Err(Failure::Told),
            Err(other) => return Err(other),
        }
    }
    result
}

fn format_file(path: &Path, check: bool) -> Result<(), Failure> {
    let text = design_file::read(path).or_say()?;
    let formatted = formatted(&path.display().to_string(), &text).or_say()?;
    if formatted == text {
        return Ok(());
    }
    if check {
        output::line(format_args!("{}: would change", path.display()))?;
        return Err(Failure::Told);
    }
    aside::write(path, formatted.as_bytes()).map_err(Failure::writing(path))
}

/// The canonical text of a design file.
fn formatted(name: &str, text: &str) -> Looked<String> {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let parsed = parse(&sources, file);
    if !parsed.diagnostics.is_empty() {
        return Looked { sources, value: None, diagnostics: parsed.diagnostics };
    }
    let text = print(&parsed.file);
    let again = sources.add(name, text.as_str());
    assert!(same(&parse(&sources, again).file, &parsed.file), "the canonical text of {name} means something else");
    Looked { sources, value: Some(text), diagnostics: Vec::new() }
}

//! `genesys check`: is a text a design, and does it run at a scale?
//!
//! In: paths. Out: every diagnostic of every file on standard output, as text, as lines or as JSON; exit 1 if one is an
//! error.

use std::path::{Path, PathBuf};

use genesys_check::CheckedDesign;
use genesys_diag::Code;
use genesys_ladder::Scale;

use crate::design_file::{self, Format};
use crate::failure::Failure;
use crate::output;
use crate::scale;

/// Check design files: syntax, axes, sizes, causality.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys check designs/gpt.gau                      errors with the place in the text and a way out
  genesys check designs/gpt.gau --scale 125M         also: do all sizes divide at that scale?
  genesys check --format short designs/*.gau         one line an error
  genesys check --types my.gau                       the text back, with types, reach and costs as comments
  genesys check --format json my.gau                 one JSON object a line: code, severity, message, file, span
                                                     (bytes), line, column, counterexample, help, edit

Exit status: 0 all files check, 1 one does not.")]
pub(crate) struct Args {
    /// Design files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to print what is found.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// A rung of the ladder that the designs must run at: nano, 14M, 31M, 70M, 125M, 350M, 760M, 1.3B.
    #[arg(long, value_name = "SCALE", value_parser = scale::parse)]
    scale: Option<Scale>,
    /// Print the text back with the types, reach and costs that were inferred, as comments.
    #[arg(long)]
    types: bool,
}

/// Checks the files, all of them even if one fails.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.types {
        return args.files.iter().try_for_each(|path| types(path));
    }
    let color = args.format == Format::Text && output::shows_color();
    let mut result = Ok(());
    for path in &args.files {
        let looked = match &args.scale {
            Some(scale) => design_file::check_at(path, scale),
            None => design_file::check(path),
        };
        for diagnostic in looked.rendered(args.format, color) {
            output::line(diagnostic)?;
        }
        match &looked.value {
            Some((_, design)) if !looked.has_errors() => {
                if args.format == Format::Text {
                    output::line(verdict(path, design, args.scale.as_ref()))?;
                }
            }
            None if !looked.has_errors() => {
                let holes = looked.diagnostics.iter().filter(|diagnostic| diagnostic.code == Code::HOLE).count();
                if args.format == Format::Text {
                    output::line(format_args!("{}: a sketch that checks, {holes} open", path.display()))?;
                }
            }
            _ => result = Err(Failure::Told),
        }
    }
    result
}

/// The text of a design that checks, with what was inferred.
fn types(path: &Path) -> Result<(), Failure> {
    let (text, design) = design_file::look(path).or_say()?;
    let annotated = genesys_explain::annotated(&text, &design).map_err(|error| Failure::Input(error.to_string()))?;
    output::now(&annotated)
}

fn verdict(path: &Path, design: &CheckedDesign, scale: Option<&Scale>) -> String {
    let at = scale.map_or_else(String::new, |scale| format!(" and runs at {}", scale.name));
    format!("{}: {} checks{at}, {}", path.display(), design.name(), design.hash())
}

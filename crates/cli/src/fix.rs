//! `genesys fix`: design files mended by the edits that diagnostics offer.
//!
//! In: paths. Out: the files rewritten in place, a line for each edit, then what is left. With `--dry-run` nothing is
//! written. Exit 1 where an error is left.

use std::path::{Path, PathBuf};

use genesys_compiler::fix;
use genesys_diag::render_text;

use crate::aside;
use crate::design_file;
use crate::failure::Failure;
use crate::output;

/// Mend design files by the edits that diagnostics offer, in place.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys fix my.gau               apply what can be applied, and tell what is left
  genesys fix --dry-run *.gau      tell what would be applied, change nothing

An edit is kept where it takes its error away; what the error hid is told, or mended in its turn.
Exit status: 0 the files check now, 1 an error is left.")]
pub(crate) struct Args {
    /// Design files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Mends the files, all of them even if one stays broken.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut result = Ok(());
    for path in &args.files {
        match mend(path, args.dry_run) {
            Ok(()) => {}
            Err(Failure::Told) => result = Err(Failure::Told),
            Err(other) => return Err(other),
        }
    }
    result
}

fn mend(path: &Path, dry_run: bool) -> Result<(), Failure> {
    let text = design_file::read(path).or_say()?;
    let fixed = fix(&path.display().to_string(), &text);
    for applied in &fixed.applied {
        output::line(format_args!(
            "{}:{}: mended {}: {}",
            path.display(),
            applied.line,
            applied.code,
            applied.message
        ))?;
    }
    if !dry_run && !fixed.applied.is_empty() {
        aside::write(path, fixed.text.as_bytes()).map_err(Failure::writing(path))?;
    }
    let color = output::shows_color();
    for diagnostic in &fixed.checked.diagnostics {
        output::line(render_text(&fixed.checked.sources, diagnostic, color))?;
    }
    if fixed.checked.design.is_some() { Ok(()) } else { Err(Failure::Told) }
}

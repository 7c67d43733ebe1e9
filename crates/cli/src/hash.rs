//! `genesys hash`: the identity of designs.
//!
//! In: paths. Out: a line a file, `g2-HEX  PATH`, or with `--family` the key of its family. The hash is that of the meaning, see
//! `genesys_check::identity`.

use std::path::PathBuf;

use genesys_family::FamilyKey;

use crate::design_file;
use crate::failure::Failure;
use crate::output;

/// Print the identity of designs: equal for designs that mean the same.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys hash designs/gpt.gau          g2-..  designs/gpt.gau
  genesys hash designs/*.gau | sort     designs that are the same stand together
  genesys hash --family designs/*.gau   f1-..: designs that are equal in exact arithmetic, though they round otherwise

Names, comments, layout and the order of independent statements are not part of a design's identity. \
`g2` is the version of the algorithm. A family is advice: its members may differ in the last bits, or where one \
overflows. A tilde says that the search for equals met its limit.")]
pub(crate) struct Args {
    /// Design files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print families instead: equal in exact arithmetic.
    #[arg(long)]
    family: bool,
}

/// Prints the hashes, of all files that check.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut result = Ok(());
    for path in &args.files {
        match design_file::check(path).or_say() {
            Ok((_, design)) if args.family => {
                output::line(format_args!("{}  {}", FamilyKey::of(&design), path.display()))?;
            }
            Ok((_, design)) => output::line(format_args!("{}  {}", design.hash(), path.display()))?,
            Err(failure) => result = Err(failure),
        }
    }
    result
}

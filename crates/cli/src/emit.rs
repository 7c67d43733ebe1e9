//! `genesys emit`: what Genesys knows, in the notations of others.
//!
//! In: a target. Out: its text on standard output. Nothing is decided here.

use clap::ValueEnum;

use crate::failure::Failure;
use crate::output;

/// Print the grammar of designs in the notation of another program.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys emit --to gbnf > gau.gbnf     the grammar, for a server that constrains decoding with one

The exported grammar admits a little more than the parser does: check what was generated with `genesys check`.")]
pub(crate) struct Args {
    /// What to print.
    #[arg(long, value_name = "TARGET")]
    to: Target,
}

/// What can be printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Target {
    /// The grammar of `.gau` files as GBNF.
    Gbnf,
}

/// Prints the target.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match args.to {
        Target::Gbnf => {
            let text = genesys_gbnf::from_pest(genesys_gbnf::GRAMMAR).expect("the grammar that ships can be exported");
            output::now(&text)
        }
    }
}

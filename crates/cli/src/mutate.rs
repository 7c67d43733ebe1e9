//! `genesys mutate`: new designs, each one change away from a parent.
//!
//! In: a design, a seed, how many. Out: that many files of different meaning; fewer are a failure, and then none is
//! written. Units of the shipped designs may be taken over.

use std::path::PathBuf;

use genesys_genetic::mutations;

use crate::design_file;
use crate::failure::Failure;
use crate::number;
use crate::offspring;

/// Make new designs from one, by seeded genetic operators.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys mutate designs/gpt.gau --seed 1 -n 10 --out offspring
  genesys mutate designs/gla.gau --seed 2 -n 1 --out one && genesys check one/*.gau --scale nano

Every offspring is one change away from the parent, checks, runs wherever the parent runs, and differs in meaning from \
the parent and from the others. The same parent, seed and number give the same files.")]
pub(crate) struct Args {
    /// A design file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Decides which changes are made, and in what order.
    #[arg(long, value_name = "N", value_parser = number::whole)]
    seed: u64,
    /// How many.
    #[arg(short = 'n', long = "number", value_name = "K", value_parser = number::positive)]
    number: u64,
    /// The folder to write them to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes the offspring.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let parent = design_file::check(&args.file).or_say()?.1;
    let brood = mutations(&parent, &offspring::context(), args.seed);
    let source = format!("one change of {}", args.file.display());
    offspring::write(brood, args.number, &source, &args.out, &offspring::stem(&args.file))
}

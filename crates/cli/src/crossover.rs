//! `genesys crossover`: new designs, each one design with one thing taken over from another.
//!
//! In: two designs, a seed, how many. Out: that many files of different meaning; fewer are a failure, and then none is
//! written.

use std::path::PathBuf;

use genesys_genetic::crossover;

use crate::design_file;
use crate::failure::Failure;
use crate::number;
use crate::offspring;

/// Make new designs from two: the first with something of the second.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys crossover designs/gpt.gau designs/gla.gau --seed 1 -n 10 --out offspring
  genesys crossover designs/gla.gau designs/gpt.gau --seed 2 -n 1 --out one && genesys check one/*.gau --scale nano

Every offspring is the first design with one thing of the second: a unit with all it calls, a block, an order of blocks, \
a sublayer, an expression. What is taken fits by its interface. Each offspring checks, runs wherever the first design \
runs, and differs in meaning from both and from the others. The same designs, seed and number give the same files.")]
pub(crate) struct Args {
    /// The design that changes.
    #[arg(value_name = "A")]
    first: PathBuf,
    /// The design that it takes from.
    #[arg(value_name = "B")]
    second: PathBuf,
    /// Decides what is taken, and in what order.
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
    let first = design_file::check(&args.first).or_say();
    let second = design_file::check(&args.second).or_say();
    let (first, second) = (first?.1, second?.1);
    let (a, b) = (args.first.display(), args.second.display());
    if first.hash() == second.hash() {
        return Err(Failure::Input(format!(
            "expected two different designs, but {a} and {b} mean the same ({}): there is nothing to take over",
            first.hash()
        )));
    }
    let brood = crossover(&first, &second, &offspring::context(), args.seed);
    let stem = format!("{}-{}", offspring::stem(&args.first), offspring::stem(&args.second));
    offspring::write(brood, args.number, &format!("one change of {a} by {b}"), &args.out, &stem)
}

//! `genesys mutate`: new designs, each one change away from a parent.
//!
//! In: a design, a seed, how many. Out: that many files of different meaning; fewer are a failure, and then none is
//! written. Units of the shipped designs may be taken over.

use std::fs;
use std::path::{Path, PathBuf};

use genesys_check::CheckedDesign;
use genesys_compiler::{check_text, standard_units};
use genesys_genetic::{Context, Offspring, mutations};
use genesys_ladder::Scale;

use crate::aside;
use crate::design_file;
use crate::failure::Failure;
use crate::output;
use crate::shipped;

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
    #[arg(long, value_name = "N")]
    seed: u64,
    /// How many.
    #[arg(short = 'n', long = "number", value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    number: u64,
    /// The folder to write them to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes the offspring.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let parent = design_file::check(&args.file).or_say()?.1;
    let offspring = offspring(&parent, args.seed, usize::try_from(args.number).unwrap_or(usize::MAX));
    if (offspring.len() as u64) < args.number {
        return Err(Failure::Input(format!(
            "expected {} different designs, but one change of {} gives {}; nothing is written",
            args.number,
            args.file.display(),
            offspring.len()
        )));
    }
    fs::create_dir_all(&args.out).map_err(Failure::writing(&args.out))?;
    let stem = args.file.file_stem().unwrap_or_default().to_string_lossy();
    for (number, child) in (1..).zip(&offspring) {
        write(&args.out.join(format!("{stem}-{number:03}.gau")), child)?;
    }
    Ok(())
}

fn offspring(parent: &CheckedDesign, seed: u64, number: usize) -> Vec<Offspring> {
    let donors: Vec<CheckedDesign> =
        shipped::DESIGNS.iter().filter_map(|(name, text)| check_text(name, text).design).collect();
    let context = Context { std: standard_units(), donors: &donors, scales: &Scale::all() };
    mutations(parent, &context, seed).take(number).collect()
}

fn write(path: &Path, child: &Offspring) -> Result<(), Failure> {
    aside::write(path, child.text.as_bytes()).map_err(Failure::writing(path))?;
    let (hash, operator) = (child.design.hash(), child.operator);
    output::line(format_args!("{hash}  {}  {operator}: {}", path.display(), child.detail))
}

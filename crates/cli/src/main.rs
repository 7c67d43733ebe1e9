//! The `genesys` command: a thin shell over the libraries.
//!
//! In: arguments, files. Out: results on standard output, messages on standard error, and an exit status: 0 fine, 1 the
//! input or the usage is at fault, 2 the world is, 128 and its number for a signal. One file a command; what they share is
//! in `failure`, `usage`, `output`, `design_file`, `commission`, `offspring`, `aside`, `scale`, `number`, `go`, `run_folder`, `stop` and
//! `shield`. No decision about designs is taken here.

mod answers;
mod aside;
mod bench;
mod check;
mod commission;
mod corpus;
mod crossover;
mod design;
mod design_file;
mod designers;
mod dialogue;
mod discover;
mod emit;
mod explain;
mod failure;
mod fix;
mod fmt;
mod forward;
mod generate;
mod go;
mod hash;
mod implement;
mod init;
mod leaderboard;
mod literature;
mod live;
mod llm;
mod lsp;
mod mutate;
mod number;
mod offspring;
mod output;
mod precision;
mod priced;
mod profile;
mod progress;
mod propose;
mod report;
mod resume;
mod review;
mod run_folder;
mod scale;
mod searches;
mod shield;
mod shipped;
mod stop;
mod targets;
mod tokens;
mod train;
mod units;
mod usage;
mod well_read;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// Small training steps allocate a lot; this allocator makes them up to twice as fast.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Discovers language-model architectures.
///
/// Designs are written in a small typed language (`.gau`), checked, compiled, trained on text, evolved and ranked.
#[derive(Debug, Parser)]
#[command(
    name = "genesys",
    version,
    after_help = "Start with:
  genesys discover                          evolve the shipped designs, and rank them
  genesys report runs/001                   a run as a page, to read in a browser
  genesys leaderboard runs/001 --why gpt-1.2    who made a design, what it rests on, what it brought
  genesys resume runs/001                   go on with a run that was stopped
  genesys check designs/gpt.gau             is this a design?
  genesys explain designs/gpt.gau           what it costs, how far it looks, what it may do
  genesys profile designs/gpt.gau --scale nano   where the time of a training step goes
  genesys literature search linear attention    who did the like before
  genesys help train                        how to train one

docs/tutorial.md leads from an empty file to a trained design; docs/language.md is the language.

Exit status: 0 fine, 1 the input or the usage is at fault, 2 the world is, 128 + n \
                  a signal of number n (130: Ctrl-C)."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Discover(discover::Args),
    Leaderboard(leaderboard::Args),
    Report(report::Args),
    Resume(resume::Args),
    Check(check::Args),
    Explain(explain::Args),
    Emit(emit::Args),
    Design(design::Args),
    Propose(propose::Args),
    Review(review::Args),
    Implement(implement::Args),
    Bench(bench::Args),
    Llm(llm::Args),
    Lsp(lsp::Args),
    Fix(fix::Args),
    Fmt(fmt::Args),
    Hash(hash::Args),
    Units(units::Args),
    Mutate(mutate::Args),
    Crossover(crossover::Args),
    Init(init::Args),
    Forward(forward::Args),
    Train(train::Args),
    Profile(profile::Args),
    Generate(generate::Args),
    Literature(literature::Args),
    #[command(hide = true)]
    Worker(worker::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::tell(&error),
    };
    stop::outlive_file_limits();
    let result = shield::run(move || run(&cli.command)).unwrap_or_else(|panic| {
        Err(Failure::World(format!("this is a bug in genesys, please report it with what you did: {panic}")))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                output::say(message);
            }
            ExitCode::from(failure.status())
        }
    }
}

fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Discover(args) => discover::run(args),
        Command::Leaderboard(args) => leaderboard::run(args),
        Command::Report(args) => report::run(args),
        Command::Resume(args) => resume::run(args),
        Command::Check(args) => check::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Emit(args) => emit::run(args),
        Command::Design(args) => design::run(args),
        Command::Propose(args) => propose::run(args),
        Command::Review(args) => review::run(args),
        Command::Implement(args) => implement::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Llm(args) => llm::run(args),
        Command::Lsp(args) => lsp::run(args),
        Command::Fix(args) => fix::run(args),
        Command::Fmt(args) => fmt::run(args),
        Command::Hash(args) => hash::run(args),
        Command::Units(args) => units::run(args),
        Command::Mutate(args) => mutate::run(args),
        Command::Crossover(args) => crossover::run(args),
        Command::Init(args) => init::run(args),
        Command::Forward(args) => forward::run(args),
        Command::Train(args) => train::run(args),
        Command::Profile(args) => profile::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Literature(args) => literature::run(args),
        Command::Worker(args) => worker::run(args),
    }
}

//! `genesys literature`: what is known about architectures, searched and shown.
//!
//! In: a question or a key, and what to search besides the shipped works and designs. Out: entries with their sources, as
//! text or JSON. What lies in a file or an answer is read as data, PDFs in a process of their own; nothing in it is obeyed.

mod http;
mod live;
mod meaning;
mod pages;
mod place;
mod reading;
mod runs;
mod search;
mod shelf;
mod show;

use crate::failure::Failure;

pub(crate) use live::Live;
pub(crate) use meaning::{MeaningArgs, WORDS_ALONE, give_vectors};
pub(crate) use place::Place;
pub(crate) use reading::{Reading, ReadingArgs};
pub(crate) use runs::documents;
pub(crate) use shelf::{Shelf, of_literature};

/// Search what is known about architectures: works, designs, runs, your papers.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys literature search linear attention with a gated state
  genesys literature search '\"delta rule\" recurr*' --kind work --limit 3
  genesys literature search sparse attention --folder ~/papers --json
  genesys literature search delta rule --live arxiv
  genesys literature show alibi

Words rank what is found, \"phrases in quotes\" must occur, and a beginning* stands for every word that begins so. The \
library ships with works and who builds on whom, each with a sentence on what it does and, where there is one, the design \
that implements it. See docs/literature.md.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Search(search::Args),
    Show(show::Args),
    #[command(hide = true)]
    Pages(pages::Args),
}

/// Does what is asked.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Search(args) => search::run(args),
        Command::Show(args) => show::run(args),
        Command::Pages(args) => pages::run(args),
    }
}

//! `genesys worker`: one training for a run, told line by line on standard output.
//!
//! In: an assignment on standard input. Out: progress and a verdict. `discover` starts it; people do not. It ends with
//! whoever started it, at once: a training that nobody waits for must not go on.

use std::io::{self, BufReader};

use genesys_evolve::serve;
use genesys_train::Machine;

use crate::failure::Failure;
use crate::number;

/// Train for a run: what `discover` starts.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The most memory the training may need; without it, what the machine has left.
    #[arg(long, value_name = "BYTES", value_parser = number::bytes)]
    memory: Option<u64>,
}

/// Does one assignment, on one thread.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let deserted = || std::process::exit(2);
    let done = serve(BufReader::new(io::stdin()), &mut io::stdout(), &Machine::within(args.memory), deserted);
    done.map_err(|error| Failure::of(error.is_input(), &error))
}

//! `genesys worker`: one training for a run, told line by line on standard output.
//!
//! In: an assignment on standard input. Out: progress and a verdict. `discover` starts it; people do not. It ends with
//! whoever started it, at once: a training that nobody waits for must not go on.

use std::io::{self, BufReader};

use genesys_evolve::serve;

use crate::failure::Failure;

/// Does one assignment.
pub(crate) fn run() -> Result<(), Failure> {
    let deserted = || std::process::exit(2);
    let done = serve(BufReader::new(io::stdin()), &mut io::stdout(), deserted);
    done.map_err(|error| Failure::of(error.is_input(), &error))
}

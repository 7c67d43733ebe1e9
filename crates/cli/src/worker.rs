//! `genesys worker`: one training for a run, told line by line on standard output.
//!
//! In: an assignment on standard input. Out: progress and a verdict. `discover` starts it; people do not.

use std::io::{self, BufReader};

use genesys_evolve::serve;

use crate::failure::Failure;

/// Does one assignment.
pub(crate) fn run() -> Result<(), Failure> {
    serve(BufReader::new(io::stdin()), &mut io::stdout()).map_err(|error| Failure::of(error.is_input(), &error))
}

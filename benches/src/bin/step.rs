//! `step SIDE`: does on its standard input's word what `cargo xtask versus torch` measures.
//!
//! In: the name of a side; lines as [`benches::versus`] has them. Out: a line for each. Exit status 1 for a side that there is
//! not, 2 where a stream fails.
#![allow(clippy::print_stderr)] // it is a program

use std::io::{stdin, stdout};
use std::process::ExitCode;

use benches::versus::{SIDES, serve, side};

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(mut side) = side(&name) else {
        eprintln!("step: expected a side ({}), found `{name}`", SIDES.join(", "));
        return ExitCode::from(1);
    };
    match serve(side.as_mut(), stdin().lock(), stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("step: {error}");
            ExitCode::from(2)
        }
    }
}

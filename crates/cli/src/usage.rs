//! What is said where the usage is at fault, or help was asked for: clap's words, an example where something is missing, and
//! our exit status.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory};

use crate::{Cli, output};

/// Says it; help is no failure.
pub(crate) fn tell(error: &clap::Error) -> ExitCode {
    // A reader that went away needs no answer.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::MissingRequiredArgument
        && let Some(example) = std::env::args().nth(1).and_then(|name| example(&Cli::command(), &name))
    {
        output::say(format_args!("\nAs in:\n  {example}"));
    }
    ExitCode::from(1)
}

/// The first example in a command's help, without the remark behind it.
fn example(program: &Command, name: &str) -> Option<String> {
    let help = program.find_subcommand(name)?.get_after_help()?.to_string();
    let begins = format!("genesys {name} ");
    let line = help.lines().map(str::trim).find(|line| line.starts_with(&begins))?;
    Some(line.split("   ").next().unwrap_or(line).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_command_that_needs_something_has_an_example_that_clap_reads() {
        let program = Cli::command();
        for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
            let needs = command.get_arguments().any(clap::Arg::is_required_set);
            let Some(example) = example(&program, command.get_name()) else {
                assert!(!needs, "{} has no example", command.get_name());
                continue;
            };
            let alone = example.split([';', '>', '|', '&']).next().unwrap();
            // A quoted text is one argument.
            let words = alone.split('\'').enumerate().flat_map(|(number, part)| match number % 2 {
                0 => part.split_whitespace().collect(),
                _ => vec![part],
            });
            let read = program.clone().try_get_matches_from(words);
            assert!(read.is_ok(), "{example}: {}", read.unwrap_err());
        }
    }
}

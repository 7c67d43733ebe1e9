//! `genesys lsp`: a language server for editors, over standard input and output.
//!
//! In: messages of the Language Server Protocol. Out: the answers. Exit 0 where the client shut the server down, 1 where
//! it left without.

use genesys_lsp::{Ended, stdio};

use crate::failure::Failure;

/// Serve an editor over standard input and output.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys lsp                      what an editor starts: see docs/editors.md for Neovim, Emacs, Helix and VS Code

It speaks the Language Server Protocol: errors while you type, their edits, types, costs, definitions, completion, \
renaming that keeps the design, formatting. It opens no file: it knows the texts that the editor sends.")]
pub(crate) struct Args {
    /// What it does anyway; some editors say so.
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Serves until the client leaves.
pub(crate) fn run(_: &Args) -> Result<(), Failure> {
    match stdio().map_err(Failure::output)? {
        Ended::Asked => Ok(()),
        Ended::Deserted => {
            Err(Failure::Input("the client left without a shutdown, or sent what cannot be read".into()))
        }
    }
}

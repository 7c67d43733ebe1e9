//! `genesys explain`: what a design is, in words and figures.
//!
//! In: a path, and a scale for figures. Out: its units with weights, costs as formulas in `D` and `T`, reach, states,
//! domains of functions, weights that do nothing; at a scale the whole model. As text, or as JSON for programs.

use std::path::PathBuf;

use genesys_ladder::Scale;

use crate::design_file;
use crate::failure::Failure;
use crate::output;
use crate::scale;

/// Explain a design: parameters, operations, memory, reach, states, ranges.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys explain designs/gpt.gau                    formulas in the width D and the length T
  genesys explain designs/gla.gau --scale 125M       figures too, and those of the whole model
  genesys explain designs/gla.gau --json             for programs; see docs/explain.md

A multiply-add is two operations. Contractions and updates of states are exact, causal pasts are counted as they are: \
T(T+1)/2; elementwise operations stand apart. Why a design of a run is as it is tells `genesys leaderboard RUN --why NAME`.")]
pub(crate) struct Args {
    /// A design file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A rung of the ladder to give figures for: nano, 14M, 31M, 70M, 125M, 350M, 760M, 1.3B.
    #[arg(long, value_name = "SCALE", value_parser = scale::parse)]
    scale: Option<Scale>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the explanation.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut looked = design_file::look(&args.file);
    if let (Some((_, design)), Some(scale)) = (&looked.value, &args.scale) {
        looked.diagnostics.extend(genesys_compiler::fitting(design, scale).err().unwrap_or_default());
    }
    let (text, design) = looked.or_say()?;
    let explanation = genesys_explain::explain(&text, &design, args.scale.as_ref())
        .map_err(|error| Failure::Input(format!("{}: {error}", args.file.display())))?;
    if args.json {
        let json = serde_json::to_string_pretty(&explanation).expect("an explanation is plain data");
        return output::line(json);
    }
    output::now(&genesys_explain::to_text(&explanation))
}

//! `genesys emit`: what Genesys knows, in the notations of others.
//!
//! In: a target, and a design where the target is made from one. Out: its text on standard output. Nothing is decided here.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use genesys_compiler::{compile_to, emit_rust};
use genesys_gbnf::{Bounds, GRAMMAR, Root, export};
use genesys_ladder::Scale;

use crate::aside;
use crate::design_file;
use crate::failure::Failure;
use crate::output;
use crate::scale;

/// Print the grammar of designs, or a design, in the notation of another program.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys emit --to gbnf > gau.gbnf                 the grammar, for a server that constrains decoding with one
  genesys emit --to gbnf --root unit                the same for an answer that is one unit
  genesys emit --to card                            the language on one page, for a model that is to write in it
  genesys emit designs/gla.gau --to ir              the module that the design is lowered to, sizes in D
  genesys emit designs/gla.gau --to ir --scale 14M  the same at a scale, sizes as numbers
  genesys emit designs/gla.gau --to rust --out gla.rs  candle source of the model, for a program of your own

The exported grammar is bounded, so that what a small model writes comes to an end: one empty line at most, names of 40 letters, 64 \
statements .. `--bounds none` is all that the parser reads. It says nothing of types: check what was generated with `genesys check`.
A module has as many blocks as the scale: without one, those of the smallest.")]
pub(crate) struct Args {
    /// A design file, where a design is printed.
    #[arg(value_name = "FILE", required_if_eq_any([("to", "ir"), ("to", "rust")]))]
    file: Option<PathBuf>,
    /// What to print.
    #[arg(long, value_name = "TARGET")]
    to: Target,
    /// The rung of the ladder at which the design is printed: nano, 14M, 31M, 70M, 125M, 350M, 760M, 1.3B.
    #[arg(long, value_name = "SCALE", value_parser = scale::parse, requires = "file")]
    scale: Option<Scale>,
    /// How far the module is on its way to a back end; of a scale `specialized`, else `lowered`.
    #[arg(long, value_name = "STAGE", requires = "file")]
    stage: Option<Stage>,
    /// What a text of the grammar is [default: file].
    #[arg(long, value_name = "ROOT", value_enum)]
    root: Option<RootArg>,
    /// How long the grammar lets a text grow [default: decoder].
    #[arg(long, value_name = "BOUNDS", value_enum)]
    bounds: Option<BoundsArg>,
    /// The file to write, instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What a text of the grammar is.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum RootArg {
    /// A file: imports, a design, units.
    File,
    /// One unit.
    Unit,
    /// One value, as it stands in a unit.
    Value,
}

/// How long the grammar lets a text grow.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum BoundsArg {
    /// Nothing is repeated without end.
    Decoder,
    /// All that the parser reads.
    None,
}

/// What can be printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Target {
    /// The grammar of `.gau` files as GBNF.
    Gbnf,
    /// The language on one page, of at most 2,500 tokens.
    Card,
    /// A design as the text form of its intermediate representation.
    Ir,
    /// A design as Rust source on candle; without a scale at the smallest.
    Rust,
}

/// A stage of the compiler.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Stage {
    /// As lowered: sizes are formulas in the width.
    Lowered,
    /// Sizes are numbers.
    Specialized,
    /// Derivatives within the design are operations: what a back end is given.
    Expanded,
    /// The backward pass: losses and the gradient of each weight.
    Backward,
    /// The backward pass behind all passes that make it cheaper to run.
    Optimized,
}

/// Prints the target.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if !matches!(args.to, Target::Gbnf) && (args.root.is_some() || args.bounds.is_some()) {
        return Err(Failure::Input(
            "expected `--root` and `--bounds` with `--to gbnf` alone: they are of the grammar".into(),
        ));
    }
    match (args.to, &args.file) {
        (Target::Gbnf, None) => written(&grammar(args), args),
        (Target::Card, None) => written(&genesys_agents::card::card(), args),
        (Target::Gbnf | Target::Card, Some(_)) => Err(Failure::Input(
            "expected no FILE with `--to gbnf` or `--to card`: the grammar and the page are of all designs".into(),
        )),
        (Target::Ir, file) => ir(file.as_deref().expect("clap asks for the file"), args),
        (Target::Rust, file) => rust(file.as_deref().expect("clap asks for the file"), args),
    }
}

/// The grammar as it is asked for.
fn grammar(args: &Args) -> String {
    let root = match args.root {
        Some(RootArg::File) | None => Root::File,
        Some(RootArg::Unit) => Root::Unit,
        Some(RootArg::Value) => Root::Value,
    };
    let bounds = match args.bounds {
        Some(BoundsArg::Decoder) | None => Bounds::Decoder,
        Some(BoundsArg::None) => Bounds::None,
    };
    export(GRAMMAR, root, bounds).expect("the grammar that ships can be exported")
}

fn ir(path: &Path, args: &Args) -> Result<(), Failure> {
    let (_, design) = design_file::check(path).or_say()?;
    let stage = match (args.stage, &args.scale) {
        (Some(Stage::Lowered), _) | (None, None) => genesys_compiler::Stage::Lowered,
        (Some(Stage::Specialized), _) | (None, Some(_)) => genesys_compiler::Stage::Specialized,
        (Some(Stage::Expanded), _) => genesys_compiler::Stage::Expanded,
        (Some(Stage::Backward), _) => genesys_compiler::Stage::Backward,
        (Some(Stage::Optimized), _) => genesys_compiler::Stage::Optimized,
    };
    let scale = scale_of(args);
    let module = compile_to(stage, &design, &scale, scale.vocabulary)
        .map_err(|error| Failure::Input(format!("{} at {}: {error}", path.display(), scale.name)))?;
    written(&genesys_ir::print(&module), args)
}

fn rust(path: &Path, args: &Args) -> Result<(), Failure> {
    if args.stage.is_some() {
        return Err(Failure::Input("expected no `--stage` with `--to rust`: source is written of the last one".into()));
    }
    let (text, design) = design_file::look(path).or_say()?;
    let scale = scale_of(args);
    let source = emit_rust(&text, &design, &scale, scale.vocabulary)
        .map_err(|error| Failure::Input(format!("{} at {}: {error}", path.display(), scale.name)))?;
    written(&source, args)
}

/// The scale asked for, or the smallest.
fn scale_of(args: &Args) -> Scale {
    let smallest = || Scale::all().into_iter().next().expect("the ladder has a first rung");
    args.scale.clone().unwrap_or_else(smallest)
}

/// Puts the text where it was asked for.
fn written(text: &str, args: &Args) -> Result<(), Failure> {
    match &args.out {
        Some(path) => aside::write(path, text.as_bytes()).map_err(Failure::writing(path)),
        None => output::now(text),
    }
}

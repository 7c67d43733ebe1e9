//! A whole source file.

use std::collections::BTreeMap;

use genesys_ir::module::{FunctionId, Module};

use crate::body::Shared;
use crate::dims::Axes;
use crate::error::Unsupported;
use crate::model::model;
use crate::names::Namer;
use crate::notes::Notes;
use crate::support::needed;
use crate::unit::{is_layered, unit, words};

/// The source of a specialized, validated module: a file that depends on `candle_core` and `candle_nn` alone.
///
/// # Errors
/// The module holds what no module of a design holds when it is compiled: reversed time, document starts within a row,
/// a derivative that was not expanded.
pub fn emit(module: &Module, notes: &Notes) -> Result<String, Unsupported> {
    let mut namer = Namer::default();
    ["DType", "Init", "Result", "Tensor", "VarBuilder"].iter().for_each(|name| namer.reserve(name));
    let axes = Axes::new(module, &mut Namer::default());
    let layered = (0..).map(FunctionId).zip(&module.functions);
    let layered = layered.map(|(id, function)| (id, is_layered(&function.body))).collect();
    let shared = Shared { module, axes, layered };
    let name = namer.type_name(&module.name);
    let units = (0..module.functions.len() - 1).map(|i| FunctionId(i as u32));
    let types: BTreeMap<FunctionId, String> =
        units.map(|id| (id, namer.type_name(&module.function(id).name))).collect();
    let docs = ["The language model: embedding, blocks, scores.".to_owned()];
    let mut parts = vec![model(&shared, &name, &types, &docs)?];
    for (id, name) in &types {
        parts.push(unit(&shared, *id, name, notes.functions.get(id.0 as usize))?);
    }
    let body: String = parts.iter().map(|lines| format!("\n{}\n", lines.join("\n"))).collect();
    let support = needed(&body);
    let code = format!("{body}{support}");
    Ok(format!("{}\n{}{}{code}", header(module, notes), imports(&code), constants(&shared, &code)))
}

fn header(module: &Module, notes: &Notes) -> String {
    let mut lines: Vec<String> = notes.docs.iter().map(|line| format!("//! {line}").trim_end().to_owned()).collect();
    if lines.is_empty() {
        lines.push(format!("//! The design `{}`.", module.name));
    }
    lines.push("//!".to_owned());
    lines.push(
        "//! Written by `genesys emit --to rust`. Weights have the names that a checkpoint of Genesys has.".to_owned(),
    );
    format!("{}\n", lines.join("\n"))
}

fn imports(code: &str) -> String {
    let uses = |name: &str| code.lines().any(|line| words(line).any(|word| word == name));
    let core: Vec<&str> = ["DType", "Result", "Tensor"].into_iter().filter(|name| uses(name)).collect();
    let nn: Vec<&str> = ["Init", "VarBuilder"].into_iter().filter(|name| uses(name)).collect();
    let list = |names: &[&str]| match names {
        [one] => (*one).to_owned(),
        names => format!("{{{}}}", names.join(", ")),
    };
    format!("use candle_core::{};\nuse candle_nn::{};\n", list(&core), list(&nn))
}

/// The sizes of axes that the code names.
fn constants(shared: &Shared<'_>, code: &str) -> String {
    let uses = |name: &str| code.lines().any(|line| words(line).any(|word| word == name));
    let used = shared.axes.constants().filter(|(name, ..)| uses(name));
    let lines = used
        .map(|(name, axis, size)| format!("\n/// The size of the axis `{axis}`.\npub const {name}: usize = {size};\n"));
    lines.collect()
}

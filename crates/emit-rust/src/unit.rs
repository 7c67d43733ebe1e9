//! A function of the module as a struct of weights with a `forward`.

use genesys_ir::module::{Dtype, Function, FunctionId, Op, Region, Stage, Weight};

use crate::body::{Body, Shared};
use crate::code::{Code, tuple};
use crate::dims::{Dim, Piece, Value};
use crate::error::Unsupported;
use crate::law::initial;
use crate::names::Namer;
use crate::notes::FunctionNotes;

/// The lines of a function: its struct, a constructor, `forward`.
pub(crate) fn unit(
    shared: &Shared<'_>,
    id: FunctionId,
    type_name: &str,
    notes: Option<&FunctionNotes>,
) -> Result<Vec<String>, Unsupported> {
    let function = shared.module.function(id);
    let (fields, mut lines) = (fields(function), Vec::new());
    docs(&mut lines, notes.map_or(&[][..], |notes| &notes.docs), &function.name);
    lines.push("#[derive(Clone, Debug)]".to_owned());
    structure(&mut lines, type_name, &weights(shared, function, &fields));
    lines.push(String::new());
    lines.push(format!("impl {type_name} {{"));
    lines.push("    /// Weights by their names in a checkpoint.".to_owned());
    constructor(&mut lines, &inits(shared, function, &fields));
    lines.push(String::new());
    forward(shared, id, notes, fields, &mut lines)?;
    lines.push("}".to_owned());
    Ok(lines)
}

/// The lines that say what a unit is.
fn docs(lines: &mut Vec<String>, docs: &[String], name: &str) {
    if docs.is_empty() {
        lines.push(format!("/// The unit `{name}`."));
    }
    lines.extend(docs.iter().map(|line| format!("/// {line}").trim_end().to_owned()));
}

/// A struct of fields, each with its comment.
pub(crate) fn structure(lines: &mut Vec<String>, name: &str, fields: &[(String, String, String)]) {
    if fields.is_empty() {
        lines.push(format!("pub struct {name} {{}}"));
        return;
    }
    lines.push(format!("pub struct {name} {{"));
    for (name, ty, comment) in fields {
        lines.push(format!("    /// {comment}"));
        lines.push(format!("    pub {name}: {ty},"));
    }
    lines.push("}".to_owned());
}

/// A constructor of fields and their values.
pub(crate) fn constructor(lines: &mut Vec<String>, fields: &[(String, Code)]) {
    if fields.is_empty() {
        lines.push("    pub fn new(_vb: VarBuilder) -> Result<Self> {".to_owned());
        lines.push("        Ok(Self {})".to_owned());
        lines.push("    }".to_owned());
        return;
    }
    lines.push("    pub fn new(vb: VarBuilder) -> Result<Self> {".to_owned());
    lines.push("        Ok(Self {".to_owned());
    for (name, code) in fields {
        let statement = code.statement(&format!("{name}: "), ",", 12);
        lines.extend(statement.iter().map(|line| format!("            {line}")));
    }
    lines.push("        })".to_owned());
    lines.push("    }".to_owned());
}

/// A field for each weight, named by its path.
pub(crate) fn fields(function: &Function) -> Vec<String> {
    let mut namer = Namer::default();
    let short = |weight: &Weight| weight.path.strip_suffix(".weight").unwrap_or(&weight.path).to_owned();
    function.weights.iter().map(|weight| namer.variable(&short(weight))).collect()
}

/// The fields of weights: name, type, comment.
pub(crate) fn weights(shared: &Shared<'_>, function: &Function, fields: &[String]) -> Vec<(String, String, String)> {
    let comment = |weight: &Weight| {
        let dims: Vec<Dim> = weight.axes.iter().map(|axis| Dim::Axis(*axis)).collect();
        let shape = shared.axes.shown(&dims);
        let foreign =
            if initial(&weight.law).is_foreign { "; from a checkpoint, for candle cannot draw it" } else { "" };
        format!("`{}`: `{shape}`{foreign}.", weight.path)
    };
    let row = |(weight, name): (&Weight, &String)| (name.clone(), "Tensor".to_owned(), comment(weight));
    function.weights.iter().zip(fields).map(row).collect()
}

/// How the fields of weights are made.
pub(crate) fn inits(shared: &Shared<'_>, function: &Function, fields: &[String]) -> Vec<(String, Code)> {
    let code = |weight: &Weight| {
        let dims: Vec<Dim> = weight.axes.iter().map(|axis| Dim::Axis(*axis)).collect();
        let args = vec![shared.axes.shape(&dims), format!("{:?}", weight.path), initial(&weight.law).code];
        Code::method("vb", "get_with_hints", args)
    };
    function.weights.iter().zip(fields).map(|(weight, name)| (name.clone(), code(weight))).collect()
}

/// Whether a function reads the number of its block.
pub(crate) fn is_layered(region: &Region) -> bool {
    region.instructions.iter().any(|instruction| match &instruction.op {
        Op::Layer => true,
        Op::Past { body, .. } | Op::Scan { body, .. } => is_layered(body),
        _ => false,
    })
}

fn forward(
    shared: &Shared<'_>,
    id: FunctionId,
    notes: Option<&FunctionNotes>,
    fields: Vec<String>,
    lines: &mut Vec<String>,
) -> Result<(), Unsupported> {
    let function = shared.module.function(id);
    let mut body = Body::new(shared, function, notes, fields, Code::reference("x"));
    body.namer.reserve("x");
    let mut params = Vec::new();
    for (number, input) in function.inputs.iter().enumerate() {
        let ty = function.ty(*input);
        let note = notes.and_then(|notes| notes.values.get(input)).and_then(|note| note.name.as_deref());
        let name = match (number, ty.dtype) {
            (0, _) => "x".to_owned(),
            (_, Dtype::Token) => "targets".to_owned(),
            (_, Dtype::Real) => body.name(note, "side"),
        };
        body.set(*input, Value::Tensor(Piece::new(Code::reference(&name), dims_of(ty.stage, &ty.axes))));
        params.push(format!("{name}: &Tensor"));
    }
    body.all()?;
    let mut results = Vec::new();
    for result in &function.body.results {
        let ty = function.ty(*result);
        let piece = body.piece(*result)?;
        let order = dims_of(ty.stage, &ty.axes);
        let plain = piece.dims == order && piece.code.name().is_some_and(|name| !name.contains('.'));
        let code = if plain { piece.code } else { body.expanded(piece, &order) };
        let code = if plain { code } else { body.bind(None, "result", Piece::new(code, order)).code };
        results.push(if params.iter().any(|p| p.starts_with(&format!("{}: ", code.flat()))) {
            format!("{}.clone()", code.flat())
        } else {
            code.flat()
        });
    }
    let statements = body.finish(&results);
    if shared.layered[&id] {
        params.push("layer: usize".to_owned());
    }
    lines.push(format!("    /// {}", signature(shared, function)));
    let types = tuple(&vec!["Tensor".to_owned(); results.len()]);
    lines.push(format!("    pub fn forward(&self, {}) -> Result<{types}> {{", params.join(", ")));
    lines.extend(opening(&statements, "x"));
    lines.extend(statements);
    lines.push(format!("        Ok({})", tuple(&results)));
    lines.push("    }".to_owned());
    Ok(())
}

/// What sizes and types the statements ask for.
pub(crate) fn opening(statements: &[String], like: &str) -> Vec<String> {
    let uses = |name: &str| statements.iter().any(|line| words(line).any(|word| word == name));
    let mut lines = Vec::new();
    match (uses("b"), uses("t")) {
        (true, true) => lines.push(format!("        let (b, t) = ({like}.dim(0)?, {like}.dim(1)?);")),
        (true, false) => lines.push(format!("        let b = {like}.dim(0)?;")),
        (false, true) => lines.push(format!("        let t = {like}.dim(1)?;")),
        (false, false) => {}
    }
    if uses("dtype") {
        lines.push(format!("        let dtype = {like}.dtype();"));
    }
    lines
}

/// The words of a line of code: its comment and its strings left out.
pub(crate) fn words(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    let outside = code.split('"').step_by(2);
    outside.flat_map(|part| part.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')))
}

/// The shapes of what goes in and what comes out, for people.
fn signature(shared: &Shared<'_>, function: &Function) -> String {
    let shown = |ids: &[genesys_ir::module::ValueId]| -> String {
        let types = ids.iter().map(|id| function.ty(*id));
        let shapes: Vec<String> =
            types.map(|ty| format!("`{}`", shared.axes.shown(&dims_of(ty.stage, &ty.axes)))).collect();
        shapes.join(", ")
    };
    format!("{} to {}.", shown(&function.inputs), shown(&function.body.results))
}

/// The dimensions of a value as functions hand it on.
pub(crate) fn dims_of(stage: Stage, axes: &[genesys_ir::module::AxisId]) -> Vec<Dim> {
    let time: &[Dim] = match stage {
        Stage::Const | Stage::Loss => &[],
        Stage::Seq | Stage::Step => &[Dim::Batch, Dim::Time],
    };
    time.iter().copied().chain(axes.iter().map(|axis| Dim::Axis(*axis))).collect()
}

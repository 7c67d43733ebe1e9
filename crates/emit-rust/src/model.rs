//! The main function as a struct of embedding, blocks and head.

use std::collections::BTreeMap;

use genesys_ir::module::{Function, FunctionId, Instruction, Op, Stage, ValueId};

use crate::body::{Body, Shared};
use crate::code::{Code, tuple};
use crate::dims::{Dim, Piece, Value};
use crate::error::Unsupported;
use crate::names::Namer;
use crate::notes::{FunctionNotes, ValueNote};
use crate::unit::{constructor, dims_of, fields, inits, opening, structure, weights};

type Result<T> = std::result::Result<T, Unsupported>;

/// What a call of the main function is in the source.
#[derive(Clone, Debug)]
pub(crate) enum Site {
    /// A call of one instance, and the number of the block where it is read.
    One { function: FunctionId, instance: String, layer: Option<u32> },
    /// Several instances one after the other, of which the last gives this value.
    Many { instances: String, first_layer: Option<u32>, last: ValueId },
    /// Part of the calls before it.
    Within,
}

/// The instances of one function that stand in one field.
struct Group {
    function: FunctionId,
    field: String,
    /// Their paths, in order; a field of its own where there is no number.
    paths: Vec<String>,
    is_list: bool,
}

/// The lines of the model: its struct, a constructor, `forward`, `loss`.
pub(crate) fn model(
    shared: &Shared<'_>,
    name: &str,
    types: &BTreeMap<FunctionId, String>,
    docs: &[String],
) -> Result<Vec<String>> {
    let main = shared.module.main();
    let own = fields(main);
    let groups = groups(shared, &own);
    let mut lines: Vec<String> = docs.iter().map(|line| format!("/// {line}").trim_end().to_owned()).collect();
    lines.push("#[derive(Clone, Debug)]".to_owned());
    let mut rows = weights(shared, main, &own);
    rows.extend(groups.iter().map(|group| {
        let ty = &types[&group.function];
        let ty = if group.is_list { format!("Vec<{ty}>") } else { ty.clone() };
        (group.field.clone(), ty, format!("{}.", group.shown()))
    }));
    structure(&mut lines, name, &rows);
    lines.extend([String::new(), format!("impl {name} {{")]);
    lines.push("    /// Weights by their names in a checkpoint.".to_owned());
    let mut values = inits(shared, main, &own);
    values.extend(groups.iter().map(|group| (group.field.clone(), group.made(&types[&group.function]))));
    constructor(&mut lines, &values);
    lines.push(String::new());
    methods(shared, &own, &groups, &mut lines)?;
    lines.push("}".to_owned());
    Ok(lines)
}

impl Group {
    /// The paths of the instances, for people.
    fn shown(&self) -> String {
        match self.paths.as_slice() {
            [first, .., last] => format!("`{first}` to `{last}`"),
            paths => format!("`{}`", paths.concat()),
        }
    }

    /// How the field is made.
    fn made(&self, ty: &str) -> Code {
        if !self.is_list {
            return Code::call(format!("{ty}::new"), vec![format!("vb.pp({:?})", self.paths.concat())]);
        }
        let numbers: Vec<usize> = self.paths.iter().filter_map(|path| path.rsplit_once('.')?.1.parse().ok()).collect();
        let stem = self.paths[0].rsplit_once('.').map_or("", |(stem, _)| stem);
        let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
        let range = if last - first + 1 == numbers.len() {
            format!("({first}..{})", last + 1)
        } else {
            format!("{numbers:?}.iter()")
        };
        let part = format!("|i| {ty}::new(vb.pp(format!(\"{stem}.{{i}}\")))");
        Code::place(range).plain("map", &part).then("collect::<Result<_>>", "")
    }
}

/// The instances that the main function calls: a list for each function, and what has a path of its own.
fn groups(shared: &Shared<'_>, own: &[String]) -> Vec<Group> {
    let mut namer = Namer::default();
    own.iter().for_each(|name| namer.reserve(name));
    let mut groups: Vec<Group> = Vec::new();
    let calls = calls(shared);
    let numbered = |path: &str| path.rsplit_once('.').is_some_and(|(_, number)| number.parse::<usize>().is_ok());
    let mut kinds: Vec<FunctionId> = calls.iter().filter(|c| numbered(c.2)).map(|c| c.1).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for (_, function, path) in calls {
        let is_list = numbered(path);
        match groups.iter_mut().find(|group| group.function == function && group.is_list && is_list) {
            Some(group) if group.paths.iter().any(|known| known == path) => {}
            Some(group) => group.paths.push(path.to_owned()),
            None => {
                let name = &shared.module.function(function).name;
                let wish = match (is_list, kinds.len()) {
                    (true, 1) => "blocks".to_owned(),
                    (true, _) => format!("{name}_blocks"),
                    (false, _) if path == "final" => "last".to_owned(),
                    (false, _) => path.to_owned(),
                };
                groups.push(Group { function, field: namer.variable(&wish), paths: vec![path.to_owned()], is_list });
            }
        }
    }
    groups
}

/// The calls of the main function: what each gives, the function, the path.
fn calls<'m>(shared: &Shared<'m>) -> Vec<(&'m Instruction, FunctionId, &'m str)> {
    let instructions = shared.module.main().body.instructions.iter();
    let call = |instruction: &'m Instruction| match &instruction.op {
        Op::Call { function, path, .. } => Some((instruction, *function, path.as_str())),
        _ => None,
    };
    instructions.filter_map(call).collect()
}

/// What each call is in the source: runs of calls along a list are loops.
fn sites(shared: &Shared<'_>, groups: &[Group]) -> BTreeMap<ValueId, Site> {
    let calls = calls(shared);
    let place = |function: FunctionId, path: &str| {
        groups.iter().find_map(|group| {
            let at = group.paths.iter().position(|known| known == path)?;
            (group.function == function).then_some((group, at))
        })
    };
    let mut sites = BTreeMap::new();
    let mut next = 0;
    while next < calls.len() {
        let (instruction, function, path) = calls[next];
        let (group, at) = place(function, path).expect("every call has a field");
        let follows = |n: usize| {
            let (later, same, path) = calls[next + n];
            same == function
                && place(same, path).is_some_and(|(_, place)| place == at + n)
                && later.args == calls[next + n - 1].0.results
        };
        let single = instruction.args.len() == 1 && instruction.results.len() == 1 && group.is_list;
        let mut run = 1;
        while single && next + run < calls.len() && follows(run) {
            run += 1;
        }
        let Op::Call { layer, .. } = instruction.op else { unreachable!("only calls were listed") };
        let layer = shared.layered[&function].then_some(layer);
        let whole = run == group.paths.len();
        if run > 1 {
            let range = if whole { String::new() } else { format!("[{at}..{}]", at + run) };
            let instances = format!("self.{}{range}", group.field);
            let last = calls[next + run - 1].0.results[0];
            sites.insert(instruction.results[0], Site::Many { instances, first_layer: layer, last });
            for (within, ..) in &calls[next + 1..next + run] {
                sites.insert(within.results[0], Site::Within);
            }
        } else {
            let index = if group.is_list { format!("[{at}]") } else { String::new() };
            let instance = format!("self.{}{index}", group.field);
            sites.insert(instruction.results[0], Site::One { function, instance, layer });
        }
        next += run;
    }
    sites
}

impl Body<'_> {
    /// A call of the main function.
    pub(crate) fn call(&mut self, args: &[ValueId], results: &[ValueId]) -> Result<()> {
        let site = self.sites[&results[0]].clone();
        match site {
            Site::Within => Ok(()),
            Site::One { function, instance, layer } => self.call_one(function, &instance, layer, args, results),
            Site::Many { instances, first_layer, last } => {
                let x = self.piece(args[0])?;
                let name = self.namer.variable("h");
                let start = if x.code.name().is_some_and(|name| name.contains('.')) { ".clone()" } else { "" };
                self.line(format!("let mut {name} = {}{start}; // {}", x.code.flat(), self.axes.shown(&x.dims)));
                let (head, layer) = match first_layer {
                    Some(first) => (format!("for (layer, block) in ({first}..).zip(&{instances}) {{"), ", layer"),
                    None => (format!("for block in &{instances} {{"), ""),
                };
                self.line(head);
                self.line(format!("    {name} = block.forward(&{name}{layer})?;"));
                self.line("}");
                self.set(last, Value::Tensor(Piece::new(Code::place(name), x.dims)));
                Ok(())
            }
        }
    }

    fn call_one(
        &mut self,
        function: FunctionId,
        instance: &str,
        layer: Option<u32>,
        args: &[ValueId],
        results: &[ValueId],
    ) -> Result<()> {
        let mut operands = Vec::new();
        let callee = self.module.function(function);
        for (id, input) in args.iter().zip(&callee.inputs) {
            let piece = self.piece(*id)?;
            let ty = callee.ty(*input);
            // The caller's axes are the callee's by place.
            let from = dims_of(self.function.ty(*id).stage, &self.function.ty(*id).axes);
            debug_assert_eq!(from.len(), dims_of(ty.stage, &ty.axes).len(), "an operand is what the callee takes");
            let order = dims_of(ty.stage, &ty.axes);
            let code = if piece.dims == order { piece.code } else { self.expanded(piece, &order) };
            operands.push(self.atom(Piece::new(code, order), "operand").code.borrowed());
        }
        operands.extend(layer.map(|layer| layer.to_string()));
        let mut names = Vec::new();
        for (number, (id, result)) in results.iter().zip(&callee.body.results).enumerate() {
            let ty = callee.ty(*result);
            let wish = match (number, ty.stage) {
                (0, _) => "h",
                (_, Stage::Loss) => "added",
                (_, Stage::Const | Stage::Seq | Stage::Step) => "side",
            };
            let name = self.name(None, wish);
            self.set(*id, Value::Tensor(Piece::new(Code::place(&name), dims_of(ty.stage, &ty.axes))));
            names.push(name);
        }
        let code = Code::place(instance).then("forward", &operands.join(", "));
        let lines = code.statement(&format!("let {} = ", tuple(&names)), ";", self.indent);
        lines.iter().for_each(|line| self.line(line));
        Ok(())
    }
}

/// Names for the ends of the main function.
fn main_notes(main: &Function) -> FunctionNotes {
    let named = |name: &str| ValueNote { name: Some(name.to_owned()), statement: None };
    let gathered = main.body.instructions.iter().filter(|i| matches!(i.op, Op::Gather { .. }));
    let ends = gathered.map(|i| (i.results[0], named("x"))).chain([(main.body.results[0], named("logits"))]);
    FunctionNotes { docs: Vec::new(), values: ends.collect() }
}

/// `forward` and `loss`.
fn methods(shared: &Shared<'_>, own: &[String], groups: &[Group], lines: &mut Vec<String>) -> Result<()> {
    let main = shared.module.main();
    let notes = main_notes(main);
    let mut body = Body::new(shared, main, Some(&notes), own.to_vec(), Code::place(format!("self.{}", own[0])));
    body.sites = sites(shared, groups);
    for (id, name) in main.inputs.iter().zip(["tokens", "targets"]) {
        body.set(*id, Value::Tensor(Piece::new(Code::reference(name), vec![Dim::Batch, Dim::Time])));
    }
    if main.body.results.len() > 2 {
        return with_losses(body, lines);
    }
    let (logits, loss) = (main.body.results[0], main.body.results[1]);
    let items = genesys_ir::plan::flatten(&main.body);
    let ends = |item: &genesys_ir::plan::Item<'_>| item.results().contains(&loss);
    let (scored, scores): (Vec<_>, Vec<_>) = items.into_iter().partition(ends);
    body.run(&scores)?;
    let piece = body.piece(logits)?;
    let order = dims_of(main.ty(logits).stage, &main.ty(logits).axes);
    let code = if piece.dims == order { piece.code } else { body.expanded(piece, &order) };
    let logits_code = body.atom(Piece::new(code, order.clone()), "logits").code.flat();
    debug_assert_eq!(scored.len(), 1, "the loss is one operation");
    let statements = body.finish(std::slice::from_ref(&logits_code));
    lines.push(format!("    /// Tokens `[b, t]` to the scores of the next ones, `{}`.", shared.axes.shown(&order)));
    lines.push("    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {".to_owned());
    lines.extend(opening(&statements, "tokens"));
    lines.extend(statements);
    lines.push(format!("        Ok({logits_code})"));
    lines.extend(["    }".to_owned(), String::new()]);
    lines.push("    /// The mean over the targets `[b, t]` that count, in nats; `u32::MAX` does not.".to_owned());
    lines.push("    pub fn loss(&self, tokens: &Tensor, targets: &Tensor) -> Result<Tensor> {".to_owned());
    lines.push("        cross_entropy(&self.forward(tokens)?, targets)".to_owned());
    lines.push("    }".to_owned());
    Ok(())
}

/// The methods of a model whose units add losses of their own to that of training.
fn with_losses(mut body: Body<'_>, lines: &mut Vec<String>) -> Result<()> {
    let main = body.function;
    body.all()?;
    let mut results = Vec::new();
    for (id, wish) in main.body.results.iter().zip(["logits", "loss", "added"]) {
        let piece = body.piece(*id)?;
        let order = dims_of(main.ty(*id).stage, &main.ty(*id).axes);
        let code = if piece.dims == order { piece.code } else { body.expanded(piece, &order) };
        results.push(body.atom(Piece::new(code, order), wish).code.flat());
    }
    let statements = body.finish(&results);
    lines.push(
        "    /// Scores, the mean over the targets that count, and what the units add to it in training.".to_owned(),
    );
    lines.push("    pub fn forward_losses(".to_owned());
    lines.push("        &self,".to_owned());
    lines.push("        tokens: &Tensor,".to_owned());
    lines.push("        targets: &Tensor,".to_owned());
    lines.push("    ) -> Result<(Tensor, Tensor, Tensor)> {".to_owned());
    lines.extend(opening(&statements, "tokens"));
    lines.extend(statements);
    lines.push(format!("        Ok({})", tuple(&results)));
    lines.extend(WITH_LOSSES.lines().map(str::to_owned));
    Ok(())
}

/// What stands behind the one method that computes all.
const WITH_LOSSES: &str = "    }

    /// Tokens `[b, t]` to the scores of the next ones.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let none = Tensor::full(u32::MAX, tokens.shape(), tokens.device())?;
        Ok(self.forward_losses(tokens, &none)?.0)
    }

    /// The mean over the targets `[b, t]` that count, in nats; `u32::MAX` does not.
    pub fn loss(&self, tokens: &Tensor, targets: &Tensor) -> Result<Tensor> {
        Ok(self.forward_losses(tokens, targets)?.1)
    }

    /// The loss with what the units add to it.
    pub fn training_loss(&self, tokens: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let (_, loss, added) = self.forward_losses(tokens, targets)?;
        loss.add(&added)
    }";

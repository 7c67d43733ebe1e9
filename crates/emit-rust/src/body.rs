//! The statements of one function's body.
//!
//! The walk is that of the executor in the runtime, over text instead of tensors: what a statement computes is known by its
//! dimensions, and maps wait until they are read, so that a sum over a product becomes a matrix product, and what a loop
//! reads is computed a step at a time where it is larger than its operands.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::Constant;
use genesys_ir::module::{AxisId, Expr, Function, FunctionId, Instruction, Module, Op, Reduction, ValueId};
use genesys_ir::plan::{Item, flatten};
use genesys_scalar::Function as Scalar;

use crate::code::{Code, number};
use crate::dims::{Axes, Dim, Piece, Value};
use crate::error::Unsupported;
use crate::model::Site;
use crate::names::{Namer, snake};
use crate::notes::{FunctionNotes, ValueNote};
use crate::unit::words;
use crate::{op, support};

type Result<T> = std::result::Result<T, Unsupported>;

/// The most characters of a comment.
const COMMENT: usize = 88;

/// What all bodies of a module share.
#[derive(Clone, Debug)]
pub(crate) struct Shared<'a> {
    pub(crate) module: &'a Module,
    pub(crate) axes: Axes<'a>,
    /// Whether a function reads the number of its block.
    pub(crate) layered: BTreeMap<FunctionId, bool>,
}

/// What is known of a value.
#[derive(Clone, Debug)]
enum Slot<'m> {
    Empty,
    /// A map that nobody has read.
    Deferred(&'m Instruction),
    Ready(Value),
}

/// Lines that belong together, and the name that they give, if that is all they do.
#[derive(Clone, Debug)]
struct Part {
    name: Option<String>,
    lines: Vec<String>,
}

/// A body under construction.
pub(crate) struct Body<'m> {
    pub(crate) module: &'m Module,
    pub(crate) axes: &'m Axes<'m>,
    pub(crate) function: &'m Function,
    notes: Option<&'m FunctionNotes>,
    /// The field of each weight.
    pub(crate) fields: Vec<String>,
    /// What lends its type and device to numbers.
    pub(crate) like: Code,
    pub(crate) namer: Namer,
    /// Names that the text gives: what stands in between takes others.
    given_names: BTreeSet<String>,
    sequence: Vec<Slot<'m>>,
    moment: Option<Vec<Slot<'m>>>,
    /// Statements that stand before all others, by the name that they give.
    first: Vec<(String, Vec<String>)>,
    parts: Vec<Part>,
    pub(crate) indent: usize,
    commented: Option<String>,
    /// What a call of the main function is in the source.
    pub(crate) sites: BTreeMap<ValueId, Site>,
}

impl<'m> Body<'m> {
    pub(crate) fn new(
        shared: &'m Shared<'m>,
        function: &'m Function,
        notes: Option<&'m FunctionNotes>,
        fields: Vec<String>,
        like: Code,
    ) -> Self {
        let mut namer = Namer::default();
        support::names().for_each(|name| namer.reserve(name));
        let named = notes.into_iter().flat_map(|notes| notes.values.values());
        let given = named.filter_map(|note| note.name.as_deref()).map(snake).collect();
        for (id, _) in (0..).map(AxisId).zip(&shared.module.axes).filter(|(id, _)| shared.axes.is_dependent(*id)) {
            let stem = shared.axes.stem(id);
            ["seen", "age", "any", "count"].iter().for_each(|what| namer.reserve(&format!("{stem}_{what}")));
        }
        Self {
            module: shared.module,
            axes: &shared.axes,
            function,
            notes,
            fields,
            like,
            namer,
            given_names: given,
            sequence: vec![Slot::Empty; function.values.len()],
            moment: None,
            first: Vec::new(),
            parts: Vec::new(),
            indent: 8,
            commented: None,
            sites: BTreeMap::new(),
        }
    }

    /// The statements, those that stand before all others first, without those that none of the `results` needs.
    pub(crate) fn finish(self, results: &[String]) -> Vec<String> {
        let first = self.first.into_iter().map(|(name, lines)| Part { name: Some(name), lines });
        let mut kept: Vec<Part> = Vec::new();
        let mut used: BTreeSet<String> = results.iter().flat_map(|line| words(line)).map(str::to_owned).collect();
        for part in first.chain(self.parts).collect::<Vec<_>>().into_iter().rev() {
            let is_comment = |part: &Part| part.lines[0].trim_start().starts_with("//");
            // A comment whose statement is gone stands before another comment, or before the end of a loop.
            let orphan = kept.last().is_none_or(|next| is_comment(next) || next.lines[0].trim() == "}");
            let dead = part.name.as_ref().is_some_and(|name| !used.contains(name)) || (is_comment(&part) && orphan);
            if !dead {
                used.extend(part.lines.iter().flat_map(|line| words(line)).map(str::to_owned));
                kept.push(part);
            }
        }
        kept.into_iter().rev().flat_map(|part| part.lines).collect()
    }

    pub(crate) fn unsupported(&self, what: &'static str) -> Unsupported {
        Unsupported { function: self.function.name.clone(), what }
    }

    /// Whether the present statements are those of one step of a loop.
    pub(crate) fn in_step(&self) -> bool {
        self.moment.is_some()
    }

    /// Begins a step with nothing known but what holds for all positions.
    pub(crate) fn enter(&mut self) {
        self.moment = Some(vec![Slot::Empty; self.function.values.len()]);
        self.indent += 4;
    }

    /// Goes back to whole sequences.
    pub(crate) fn leave(&mut self) {
        self.moment = None;
        self.indent -= 4;
    }

    pub(crate) fn set(&mut self, id: ValueId, value: Value) {
        self.put(id, Slot::Ready(value));
    }

    fn put(&mut self, id: ValueId, slot: Slot<'m>) {
        let slots = self.moment.as_mut().unwrap_or(&mut self.sequence);
        slots[id.0 as usize] = slot;
    }

    fn slot(&self, id: ValueId) -> &Slot<'m> {
        let i = id.0 as usize;
        match self.moment.as_ref().map(|slots| &slots[i]) {
            None | Some(Slot::Empty) => &self.sequence[i],
            Some(slot) => slot,
        }
    }

    /// The map that a value is, where nobody has read it.
    pub(crate) fn unread(&self, id: ValueId) -> Option<&'m Instruction> {
        match self.slot(id) {
            Slot::Deferred(instruction) => Some(instruction),
            Slot::Empty | Slot::Ready(_) => None,
        }
    }

    /// Statements for all instructions of the function.
    pub(crate) fn all(&mut self) -> Result<()> {
        self.run(&flatten(&self.function.body))
    }

    pub(crate) fn run(&mut self, items: &[Item<'m>]) -> Result<()> {
        for item in items {
            match *item {
                Item::Same { result, value } => {
                    let value = self.get(value)?;
                    self.set(result, value);
                }
                Item::Run(instruction) if matches!(instruction.op, Op::Map(_)) => {
                    self.put(instruction.results[0], Slot::Deferred(instruction));
                }
                Item::Run(instruction) => self.instruction(instruction)?,
            }
        }
        Ok(())
    }

    fn instruction(&mut self, instruction: &'m Instruction) -> Result<()> {
        let Instruction { op, args, results } = instruction;
        if let Op::Scan { states, chunk, body, .. } = op {
            return self.scan(instruction, states, chunk.as_ref(), body);
        }
        if let Op::Call { .. } = op {
            return self.call(args, results);
        }
        if let Op::Reduce { reduction: Reduction::Sum, axes, otherwise: None } = op
            && let Some(sum) = self.sum_of_products(axes, args[0])?
        {
            self.bound(results[0], "sum", sum);
            return Ok(());
        }
        match self.single(op, args)? {
            Value::Tensor(piece) if piece.code.name().is_none() => self.bound(results[0], &self.wish(op, args), piece),
            value => self.set(results[0], value),
        }
        Ok(())
    }

    /// A name for what an operation gives: that of the weight it meets, or its own.
    fn wish(&self, operation: &Op, args: &[ValueId]) -> String {
        let weight = args.iter().find_map(|id| match self.slot(*id) {
            Slot::Ready(Value::Tensor(piece)) => piece.code.name()?.strip_prefix("self."),
            Slot::Ready(Value::Number(_)) | Slot::Deferred(_) | Slot::Empty => None,
        });
        match weight {
            Some(field) => field.trim_end_matches("_weight").to_owned(),
            None => op::name(operation).to_owned(),
        }
    }

    /// Binds a value of the function to a name.
    pub(crate) fn bound(&mut self, id: ValueId, wish: &str, piece: Piece) {
        let piece = self.bind(Some(id), wish, piece);
        self.set(id, Value::Tensor(piece));
    }

    /// Binds what was computed to a name: that of the text, or the wish.
    pub(crate) fn bind(&mut self, id: Option<ValueId>, wish: &str, piece: Piece) -> Piece {
        let note = id.and_then(|id| self.notes?.values.get(&id));
        if let Some(note) = note {
            self.comment(note);
        }
        let name = self.name(note.and_then(|note| note.name.as_deref()), wish);
        let statement = piece.code.statement(&format!("let {name} = "), ";", self.indent);
        self.statement(&name, statement, &piece.dims);
        Piece { code: Code::place(name), ..piece }
    }

    /// The name that the text gives, or the wish.
    pub(crate) fn name(&mut self, given: Option<&str>, wish: &str) -> String {
        let wish = match given {
            Some(given) => given.to_owned(),
            None if self.given_names.contains(&snake(wish)) => format!("raw_{wish}"),
            None => wish.to_owned(),
        };
        self.namer.variable(&wish.chars().take(24).collect::<String>())
    }

    /// The statement of the text that the next lines come from.
    fn comment(&mut self, note: &ValueNote) {
        if note.statement.is_none() || self.commented == note.statement {
            return;
        }
        self.commented.clone_from(&note.statement);
        let text: String = note.statement.iter().flat_map(|text| text.lines().next()).collect();
        let cut: String = text.chars().take(COMMENT - self.indent).collect();
        let dots = if cut.len() < text.len() { " .." } else { "" };
        self.line(format!("// {}{dots}", cut.trim_end()));
    }

    /// Lines of a statement, with the shape of what it gives.
    fn statement(&mut self, name: &str, lines: Vec<String>, dims: &[Dim]) {
        let shape = format!(" // {}", self.axes.shown(dims));
        self.given(name, lines, &shape);
    }

    /// Lines that give a name.
    pub(crate) fn given(&mut self, name: &str, mut lines: Vec<String>, comment: &str) {
        if let Some(last) = lines.last_mut() {
            last.push_str(comment);
        }
        let lines = lines.iter().map(|line| format!("{:1$}{line}", "", self.indent)).collect();
        self.parts.push(Part { name: Some(name.to_owned()), lines });
    }

    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        let lines = vec![format!("{:1$}{2}", "", self.indent, line.as_ref())];
        self.parts.push(Part { name: None, lines });
    }

    /// The place of what comes next.
    pub(crate) fn mark(&self) -> usize {
        self.parts.len()
    }

    /// Puts the head of the loop over positions before what was written since the mark.
    pub(crate) fn open_loop(&mut self, mark: usize) {
        let uses = |part: &Part| part.lines.iter().any(|line| words(line).any(|word| word == "i"));
        let i = if self.parts[mark..].iter().any(uses) { "i" } else { "_" };
        let lines = vec![format!("{:1$}for {i} in 0..t {{", "", self.indent)];
        self.parts.insert(mark, Part { name: None, lines });
    }

    /// A name that is given before all other statements, once.
    pub(crate) fn before(&mut self, name: &str, code: &Code, shape: &str) -> Code {
        if !self.first.iter().any(|(known, _)| known == name) {
            let mut lines = code.statement(&format!("let {name} = "), ";", 8);
            if let Some(last) = lines.last_mut() {
                last.push_str(&format!(" // {shape}"));
            }
            let lines = lines.iter().map(|line| format!("{:8}{line}", "")).collect();
            self.first.push((name.to_owned(), lines));
        }
        Code::place(name)
    }

    /// A value, with statements for it if nobody has read it yet.
    pub(crate) fn get(&mut self, id: ValueId) -> Result<Value> {
        let instruction = match self.slot(id) {
            Slot::Ready(value) => return Ok(value.clone()),
            Slot::Deferred(instruction) => *instruction,
            Slot::Empty => unreachable!("a valid module defines values before their use"),
        };
        let Op::Map(expr) = &instruction.op else { unreachable!("only maps wait") };
        let value = match self.expression(expr, &instruction.args)? {
            Value::Tensor(piece) if piece.code.name().is_none() => {
                let wish = match expr {
                    Expr::Apply(function, _) => op::map_name(*function),
                    Expr::Arg(_) | Expr::Const(_) => "value",
                };
                Value::Tensor(self.bind(Some(id), wish, piece))
            }
            value => value,
        };
        self.set(id, value.clone());
        Ok(value)
    }

    /// A value as a tensor.
    pub(crate) fn piece(&mut self, id: ValueId) -> Result<Piece> {
        let value = self.get(id)?;
        Ok(self.tensor(value))
    }

    /// A part of a map.
    pub(crate) fn expression(&mut self, expr: &Expr, args: &[ValueId]) -> Result<Value> {
        match expr {
            Expr::Arg(i) => self.get(args[*i]),
            Expr::Const(constant) => Ok(Value::Number(real(constant))),
            Expr::Apply(function, operands) => {
                let operands = operands.iter().map(|x| self.expression(x, args)).collect::<Result<_>>()?;
                Ok(self.apply(*function, operands))
            }
        }
    }

    /// The sum over `axes` of a product that nobody has read, as a matrix product; `None` where the operand is something
    /// else, or both factors have the same dimensions.
    fn sum_of_products(&mut self, axes: &[AxisId], id: ValueId) -> Result<Option<Piece>> {
        let Some(Instruction { op: Op::Map(Expr::Apply(Scalar::Mul, factors)), args, .. }) = self.unread(id) else {
            return Ok(None);
        };
        let [a, b] = factors.as_slice() else { return Ok(None) };
        let over: Vec<Dim> = axes.iter().map(|axis| Dim::Axis(*axis)).collect();
        let axes_of = |expr: &Expr| self.axes_of(expr, args);
        let (left, right) = (axes_of(a), axes_of(b));
        let free = |x: &[AxisId], y: &[AxisId]| x.iter().any(|axis| !axes.contains(axis) && !y.contains(axis));
        let shared = axes.iter().all(|axis| left.contains(axis) && right.contains(axis));
        if !shared || !(free(&left, &right) || free(&right, &left)) {
            return Ok(None);
        }
        let (a, b) = (self.expression(a, args)?, self.expression(b, args)?);
        let (Value::Tensor(a), Value::Tensor(b)) = (a, b) else { return Ok(None) };
        let (a, b) = (self.atom(a, "left"), self.atom(b, "right"));
        Ok(Some(self.contract(a, b, &over)))
    }

    fn axes_of(&self, expr: &Expr, args: &[ValueId]) -> Vec<AxisId> {
        match expr {
            Expr::Arg(i) => self.function.ty(args[*i]).axes.clone(),
            Expr::Const(_) => Vec::new(),
            Expr::Apply(_, operands) => operands.iter().flat_map(|x| self.axes_of(x, args)).collect(),
        }
    }

    /// A value as a tensor, a number as one without dimensions.
    pub(crate) fn tensor(&mut self, value: Value) -> Piece {
        match value {
            Value::Tensor(piece) => piece,
            Value::Number(n) => Piece::new(Code::call("number", vec![number(n), self.like.borrowed()]), Vec::new()),
        }
    }

    /// A piece that may stand within an expression.
    pub(crate) fn short(&mut self, piece: Piece) -> Piece {
        if piece.code.is_short() { piece } else { self.atom(piece, "inner") }
    }

    /// A piece that is nothing but a name.
    pub(crate) fn atom(&mut self, piece: Piece, wish: &str) -> Piece {
        if piece.code.name().is_some() { piece } else { self.bind(None, wish, piece) }
    }

    /// An operand as it stands beside others of such dimensions.
    pub(crate) fn beside(&mut self, piece: Piece, order: &[Dim]) -> Code {
        let piece = self.short(piece);
        let code = piece.clone().aligned(order);
        if code.is_short() || piece.code.name().is_some() {
            return code;
        }
        self.atom(piece, "inner").aligned(order)
    }

    /// An operand with just these dimensions.
    pub(crate) fn expanded(&mut self, piece: Piece, order: &[Dim]) -> Code {
        let full = order.iter().all(|dim| piece.has(*dim));
        let code = piece.aligned(order);
        if full { code } else { code.then("broadcast_as", &self.axes.shape(order)) }
    }
}

impl Value {
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Value::Number(n) => Some(*n),
            Value::Tensor(_) => None,
        }
    }
}

/// A number of a specialized module.
pub(crate) fn real(constant: &Constant) -> f64 {
    constant.eval(&|_| None).expect("a specialized module has plain numbers")
}

//! The text form of a module, from which [`parse`](crate::parse) makes the same module again.
//!
//! A line is an axis, a weight or an instruction; regions are braces and an indent deeper. Types
//! are written at definitions. Floats are written so that they parse back to their bits.
//!
//! Axes are written by name, so the names must be unique: print what has been validated.

use std::fmt::{self, Display, Write};

use genesys_axis::{Constant, Domain};
use genesys_scalar::Law;

use crate::lex::is_plain;
use crate::module::{
    Adjoint, AxisId, Direction, Dtype, Expr, Function, Instruction, Module, Op, Reduction, Region, Stage, State,
    StateClass, Type, ValueId, Weight,
};

/// The text of a module.
pub fn print(module: &Module) -> String {
    let mut printer = Printer { module, out: String::new(), indent: 0 };
    printer.module().expect("writing to a string does not fail");
    printer.out
}

struct Printer<'a> {
    module: &'a Module,
    out: String,
    indent: usize,
}

/// A name: bare where it is plain, else in quotes.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) {
            return f.write_str(self.0);
        }
        let escaped = self.0.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "\"{escaped}\"")
    }
}

struct Values<'a>(&'a [ValueId]);

impl Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, id) in self.0.iter().enumerate() {
            write!(f, "{}%{}", if i == 0 { " " } else { ", " }, id.0)?;
        }
        Ok(())
    }
}

struct Number<'a>(&'a Constant);

impl Display for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Constant::Real(value) => write!(f, "{value:?}"),
            Constant::Size(size) => write!(f, "{{{size}}}"),
        }
    }
}

impl Printer<'_> {
    fn module(&mut self) -> fmt::Result {
        let module = self.module;
        writeln!(self.out, "module {}\n", Name(&module.name))?;
        for axis in &module.axes {
            write!(self.out, "axis {} = ", Name(&axis.name))?;
            match &axis.domain {
                Domain::Static(size) => writeln!(self.out, "{{{size}}}")?,
                Domain::Past { window: None, skip } => writeln!(self.out, "past skip {{{skip}}}")?,
                Domain::Past { window: Some(window), skip } => {
                    writeln!(self.out, "past window {{{window}}} skip {{{skip}}}")?;
                }
                Domain::Blocks { size } => writeln!(self.out, "blocks {{{size}}}")?,
            }
        }
        module.functions.iter().try_for_each(|function| self.function(function))
    }

    fn line(&mut self) -> fmt::Result {
        write!(self.out, "{:1$}", "", self.indent * 2)
    }

    fn function(&mut self, function: &Function) -> fmt::Result {
        let adjoint = if function.adjoint { "adjoint " } else { "" };
        writeln!(self.out, "\n{adjoint}fn {} {{", Name(&function.name))?;
        self.indent += 1;
        for weight in &function.weights {
            self.weight(weight)?;
        }
        for id in &function.inputs {
            self.line()?;
            write!(self.out, "input ")?;
            self.definition(function, *id)?;
            self.out.push('\n');
        }
        self.region(function, &function.body, "return")?;
        self.indent -= 1;
        writeln!(self.out, "}}")
    }

    fn weight(&mut self, weight: &Weight) -> fmt::Result {
        self.line()?;
        write!(self.out, "weight {}: ", Name(&weight.path))?;
        self.axes(&weight.axes)?;
        write!(self.out, " = ")?;
        self.law(&weight.law)?;
        writeln!(self.out, " @{} stream {}", weight.role.name(), weight.stream)
    }

    fn region(&mut self, function: &Function, region: &Region, end: &str) -> fmt::Result {
        for instruction in &region.instructions {
            self.line()?;
            self.instruction(function, instruction)?;
            self.out.push('\n');
        }
        self.line()?;
        writeln!(self.out, "{end}{}", Values(&region.results))
    }

    fn definition(&mut self, function: &Function, id: ValueId) -> fmt::Result {
        write!(self.out, "%{}: ", id.0)?;
        self.ty(function.ty(id))
    }

    fn ty(&mut self, ty: &Type) -> fmt::Result {
        let dtype = match ty.dtype {
            Dtype::Real => "",
            Dtype::Token => "Token ",
        };
        let stage = match ty.stage {
            Stage::Const => "",
            Stage::Seq => "Seq",
            Stage::Step => "Step",
            Stage::Loss => "Loss",
        };
        write!(self.out, "{dtype}{stage}")?;
        self.axes(&ty.axes)
    }

    fn axes(&mut self, axes: &[AxisId]) -> fmt::Result {
        self.out.push('[');
        self.axis_list(axes)?;
        self.out.push(']');
        Ok(())
    }

    fn axis_list(&mut self, axes: &[AxisId]) -> fmt::Result {
        for (i, axis) in axes.iter().enumerate() {
            write!(self.out, "{}", if i == 0 { "" } else { ", " })?;
            self.axis(*axis)?;
        }
        Ok(())
    }

    fn axis(&mut self, id: AxisId) -> fmt::Result {
        write!(self.out, "{}", Name(&self.module.axis(id).name))
    }

    fn instruction(&mut self, function: &Function, instruction: &Instruction) -> fmt::Result {
        for (i, id) in instruction.results.iter().enumerate() {
            write!(self.out, "{}", if i == 0 { "" } else { ", " })?;
            self.definition(function, *id)?;
        }
        write!(self.out, "{}= ", if instruction.results.is_empty() { "" } else { " " })?;
        match &instruction.op {
            Op::Past { axis, direction, reset, body } => {
                write!(self.out, "past ")?;
                self.axes(&[*axis])?;
                self.time(*direction, *reset)?;
                self.body(function, body)
            }
            Op::Scan { states, class, chunk, direction, reset, body } => {
                write!(self.out, "scan {}", class_name(*class))?;
                chunk.iter().try_for_each(|chunk| write!(self.out, " every {{{chunk}}}"))?;
                self.time(*direction, *reset)?;
                self.states(function, states)?;
                self.body(function, body)
            }
            Op::Grad { variable, body } => {
                write!(self.out, "grad (")?;
                self.definition(function, *variable)?;
                write!(self.out, " ={})", Values(&instruction.args))?;
                self.body(function, body)
            }
            op => {
                self.op(function, op)?;
                write!(self.out, "{}", Values(&instruction.args))
            }
        }
    }

    fn body(&mut self, function: &Function, body: &Region) -> fmt::Result {
        writeln!(self.out, " {{")?;
        self.indent += 1;
        self.region(function, body, "yield")?;
        self.indent -= 1;
        self.line()?;
        write!(self.out, "}}")
    }

    fn states(&mut self, function: &Function, states: &[State]) -> fmt::Result {
        write!(self.out, " (")?;
        for (i, state) in states.iter().enumerate() {
            write!(self.out, "{}{} ", if i == 0 { "" } else { ", " }, Name(&state.name))?;
            self.definition(function, state.current)?;
            write!(self.out, " = %{} -> %{}", state.init.0, state.next.0)?;
            if let Some(start) = state.start {
                write!(self.out, " start ")?;
                self.definition(function, start)?;
            }
            write!(self.out, "{}", if state.anew { " anew" } else { "" })?;
        }
        write!(self.out, ")")
    }

    fn time(&mut self, direction: Direction, reset: Option<ValueId>) -> fmt::Result {
        match direction {
            Direction::Forward => {}
            Direction::Reverse => write!(self.out, " reverse")?,
        }
        reset.map_or(Ok(()), |id| write!(self.out, " reset %{}", id.0))
    }

    /// As [`time`](Self::time); a reset ends in a value, and the operand needs a sign of its own.
    fn time_of(&mut self, direction: Direction, reset: Option<ValueId>) -> fmt::Result {
        self.time(direction, reset)?;
        write!(self.out, "{}", if reset.is_some() { " of" } else { "" })
    }

    /// The operation with its attributes, without operands.
    fn op(&mut self, function: &Function, op: &Op) -> fmt::Result {
        match op {
            Op::Weight(id) => write!(self.out, "weight {}", Name(&function.weights[id.0 as usize].path)),
            Op::Constant(constant) => write!(self.out, "constant {}", Number(constant)),
            Op::Position => write!(self.out, "position"),
            Op::Layer => write!(self.out, "layer"),
            Op::Index(axis) => self.on("index", &[*axis]),
            Op::Age(axis) => self.on("age", &[*axis]),
            Op::Map(expr) => {
                write!(self.out, "map ")?;
                self.expr(expr)
            }
            Op::Reduce { reduction, axes, otherwise } => {
                self.on(reduction_name(*reduction), axes)?;
                otherwise.map_or(Ok(()), |value| write!(self.out, " else {value:?}"))
            }
            Op::Softmax { axes, sink } => {
                self.on("softmax", axes)?;
                sink.map_or(Ok(()), |value| write!(self.out, " sink {value:?}"))
            }
            Op::Contract { axes } => self.on("contract", axes),
            Op::Regroup { from, to } => self.axis_map("regroup", from, to),
            Op::Concat { parts, whole } => self.axis_map("concat", parts, &[*whole]),
            Op::Slice { whole, part, offset } => {
                self.axis_map("slice", &[*whole], &[*part])?;
                write!(self.out, " at {{{offset}}}")
            }
            Op::Pad { part, whole, offset } => {
                self.axis_map("pad", &[*part], &[*whole])?;
                write!(self.out, " at {{{offset}}}")
            }
            Op::Select { axis, index } => {
                self.on("select", &[*axis])?;
                write!(self.out, " at {{{index}}}")
            }
            Op::Stack { axis } => self.on("stack", &[*axis]),
            Op::Broadcast { axes } => self.on("broadcast", axes),
            Op::Shift { by, direction, reset } => {
                write!(self.out, "shift by {{{by}}}")?;
                self.time_of(*direction, *reset)
            }
            Op::Window { axis, direction, reset } => {
                self.on("window", &[*axis])?;
                self.time_of(*direction, *reset)
            }
            Op::Pool { size, direction, reset } => {
                write!(self.out, "pool by {{{size}}}")?;
                self.time_of(*direction, *reset)
            }
            Op::View(axis) => self.on("view", &[*axis]),
            Op::Blocks { axis, within } => self.on("blocks", &[*axis, *within]),
            Op::Top { from, to } => self.axis_map("top", &[*from], &[*to]),
            Op::Picked { from, to } => self.axis_map("picked", &[*from], &[*to]),
            Op::Cumsum(axis) => self.on("cumsum", &[*axis]),
            Op::After(axis) => self.on("after", &[*axis]),
            Op::Gather { axis } => self.on("gather", &[*axis]),
            Op::CrossEntropy { axis } => self.on("cross_entropy", &[*axis]),
            Op::MeanTokens => write!(self.out, "mean_tokens"),
            Op::Call { function, layer, path } => {
                let name = Name(&self.module.function(*function).name);
                write!(self.out, "call {name} layer {layer} path {}", Name(path))
            }
            Op::Adjoint(op) => self.adjoint(op),
            Op::Past { .. } | Op::Scan { .. } | Op::Grad { .. } => {
                unreachable!("regions are written with their bodies")
            }
        }
    }

    fn adjoint(&mut self, op: &Adjoint) -> fmt::Result {
        write!(self.out, "adjoint ")?;
        let name = op.name();
        match op {
            Adjoint::Total | Adjoint::MeanTokens => write!(self.out, "{name}"),
            Adjoint::Contract { axes } => self.on(name, axes),
            Adjoint::Gather { axis } | Adjoint::CrossEntropy { axis } => self.on(name, &[*axis]),
            Adjoint::View(axis) | Adjoint::Before(axis) => self.on(name, &[*axis]),
            Adjoint::Blocks { axis, within } => self.on(name, &[*axis, *within]),
            Adjoint::Top { from, to } => self.axis_map(name, &[*to], &[*from]),
            Adjoint::Window { axis, direction, reset } => {
                self.on(name, &[*axis])?;
                self.time_of(*direction, *reset)
            }
            Adjoint::Pool { size, direction, reset } => {
                write!(self.out, "{name} by {{{size}}}")?;
                self.time_of(*direction, *reset)
            }
        }
    }

    fn on(&mut self, name: &str, axes: &[AxisId]) -> fmt::Result {
        write!(self.out, "{name} ")?;
        self.axes(axes)
    }

    fn axis_map(&mut self, name: &str, from: &[AxisId], to: &[AxisId]) -> fmt::Result {
        write!(self.out, "{name} [")?;
        self.axis_list(from)?;
        write!(self.out, " -> ")?;
        self.axis_list(to)?;
        write!(self.out, "]")
    }

    fn expr(&mut self, expr: &Expr) -> fmt::Result {
        match expr {
            Expr::Arg(index) => write!(self.out, "${index}"),
            Expr::Const(constant) => write!(self.out, "{}", Number(constant)),
            Expr::Apply(function, args) => {
                write!(self.out, "{}(", function.name())?;
                for (i, arg) in args.iter().enumerate() {
                    write!(self.out, "{}", if i == 0 { "" } else { ", " })?;
                    self.expr(arg)?;
                }
                write!(self.out, ")")
            }
        }
    }

    fn law(&mut self, law: &Law<Constant>) -> fmt::Result {
        let (name, args): (&str, Vec<&Law<Constant>>) = match law {
            Law::Const(constant) => return write!(self.out, "{}", Number(constant)),
            Law::Index(dimension) => return write!(self.out, "index({dimension})"),
            Law::Layer => return write!(self.out, "layer"),
            Law::Uniform(low, high) => ("uniform", vec![low, high]),
            Law::Normal(deviation) => ("normal", vec![deviation]),
            Law::Map(function, args) => (function.name(), args.iter().collect()),
        };
        write!(self.out, "{name}(")?;
        for (i, arg) in args.into_iter().enumerate() {
            write!(self.out, "{}", if i == 0 { "" } else { ", " })?;
            self.law(arg)?;
        }
        write!(self.out, ")")
    }
}

fn class_name(class: StateClass) -> &'static str {
    match class {
        StateClass::Diagonal => "diagonal",
        StateClass::General => "general",
    }
}

/// The name of a reduction in the text.
pub(crate) fn reduction_name(reduction: Reduction) -> &'static str {
    match reduction {
        Reduction::Sum => "sum",
        Reduction::Mean => "mean",
        Reduction::Max => "max",
        Reduction::Min => "min",
        Reduction::LogSumExp => "logsumexp",
    }
}

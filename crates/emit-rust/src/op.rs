//! Operations with one result, as expressions.

use genesys_ir::module::{AxisId, Direction, Op, Reduction, ValueId};
use genesys_scalar::Function as Scalar;

use crate::body::{Body, real};
use crate::code::{Code, number};
use crate::dims::{Dim, Piece, Value, list, plain, slice};
use crate::error::Unsupported;

type Result<T> = std::result::Result<T, Unsupported>;

impl<'m> Body<'m> {
    /// What an operation gives.
    pub(crate) fn single(&mut self, op: &'m Op, args: &[ValueId]) -> Result<Value> {
        self.supported(op)?;
        Ok(Value::Tensor(match op {
            Op::Constant(constant) => return Ok(Value::Number(real(constant))),
            Op::Layer => Piece::new(Code::call("number", vec!["layer as f64".into(), self.like.borrowed()]), vec![]),
            Op::Weight(id) => {
                let field = Code::place(format!("self.{}", self.fields[id.0 as usize]));
                let weight = &self.function.weights[id.0 as usize];
                Piece::new(field, weight.axes.iter().map(|axis| Dim::Axis(*axis)).collect())
            }
            Op::Position => self.position(),
            Op::Index(axis) => {
                let args = vec![self.axes.extent(Dim::Axis(*axis)), self.like.borrowed()];
                Piece::new(Code::call("count", args), vec![Dim::Axis(*axis)])
            }
            Op::Age(axis) => self.age(*axis),
            Op::Reduce { reduction, axes, otherwise } => {
                let x = self.piece(args[0])?;
                self.reduce(*reduction, axes, *otherwise, x)
            }
            Op::Softmax { axes, sink } => {
                let x = self.piece(args[0])?;
                self.softmax(axes, *sink, x)
            }
            Op::Contract { axes } => {
                let (a, b) = (self.piece(args[0])?, self.piece(args[1])?);
                self.contract(a, b, &dims(axes))
            }
            Op::Gather { axis } => self.gather(*axis, args)?,
            Op::Shift { .. } | Op::Window { .. } | Op::Pool { .. } | Op::View(_) | Op::Blocks { .. } => {
                self.look(op, args[0])?
            }
            Op::Top { from, to } => self.top(*from, *to, args)?,
            Op::Picked { from, to } => self.picked(*from, *to, args)?,
            Op::Cumsum(axis) => self.ordered("cumsum_seen", *axis, args[0])?,
            Op::After(axis) => self.ordered("sum_after", *axis, args[0])?,
            Op::Regroup { .. }
            | Op::Concat { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Select { .. }
            | Op::Stack { .. }
            | Op::Broadcast { .. } => self.layout(op, args)?,
            Op::CrossEntropy { .. } => {
                let (logits, targets) = (self.piece(args[0])?, self.piece(args[1])?);
                Piece::new(Code::call("cross_entropy", vec![logits.code.borrowed(), targets.code.borrowed()]), vec![])
            }
            Op::MeanTokens => self.mean_tokens(args)?,
            Op::Map(_) | Op::Past { .. } | Op::Scan { .. } | Op::Call { .. } | Op::Grad { .. } | Op::Adjoint(_) => {
                unreachable!("written elsewhere, or refused")
            }
        }))
    }

    /// Reversed time, document starts and derivatives are what passes make or take away.
    fn supported(&self, op: &Op) -> Result<()> {
        match op {
            Op::Shift { direction, reset, .. }
            | Op::Window { direction, reset, .. }
            | Op::Pool { direction, reset, .. } => self.forward(*direction, *reset),
            Op::Grad { .. } => Err(self.unsupported("a derivative that was not expanded")),
            Op::Adjoint(_) => Err(self.unsupported("the operations of a backward pass")),
            _ => Ok(()),
        }
    }

    /// Refuses reversed time and rows of several documents.
    pub(crate) fn forward(&self, direction: Direction, reset: Option<ValueId>) -> Result<()> {
        match (direction, reset) {
            (Direction::Reverse, _) => Err(self.unsupported("reversed time")),
            (Direction::Forward, Some(_)) => Err(self.unsupported("document starts within a row")),
            (Direction::Forward, None) => Ok(()),
        }
    }

    fn position(&mut self) -> Piece {
        if self.in_step() {
            return Piece::new(Code::call("number", vec!["i as f64".into(), self.like.borrowed()]), vec![]);
        }
        Piece::new(Code::call("count", vec!["t".into(), self.like.borrowed()]), vec![Dim::Time])
    }

    fn reduce(&mut self, how: Reduction, axes: &[AxisId], otherwise: Option<f64>, x: Piece) -> Piece {
        let over = dims(axes);
        let pasts = self.axes.dependent(&over);
        let result = match how {
            Reduction::Sum => {
                let kept = self.kept(x, &pasts, 0.0);
                self.summed(kept, &over)
            }
            Reduction::Mean => self.mean(x, axes, &pasts),
            Reduction::Max => self.extreme("max", x, &over, &pasts, f64::NEG_INFINITY),
            Reduction::Min => self.extreme("min", x, &over, &pasts, f64::INFINITY),
            Reduction::LogSumExp => self.log_sum_exp(x, &over, &pasts),
        };
        let Some(value) = otherwise else { return result };
        pasts.iter().fold(result, |result, axis| {
            let any = self.any_seen(*axis);
            self.masked(result, any, value)
        })
    }

    fn mean(&mut self, x: Piece, axes: &[AxisId], pasts: &[AxisId]) -> Piece {
        if pasts.is_empty() {
            let over = dims(axes);
            let places: Vec<String> = places(&x, &over).iter().map(ToString::to_string).collect();
            let rest = rest(&x, &over);
            return if places.is_empty() { x } else { Piece::new(x.code.then("mean", &list(&places)), rest) };
        }
        let fixed = axes.iter().filter(|axis| !self.axes.is_dependent(**axis));
        let n: usize = fixed.filter(|axis| x.has(Dim::Axis(**axis))).map(|axis| self.axes.size(*axis)).product();
        let kept = self.kept(x, pasts, 0.0);
        let mut mean = self.summed(kept, &dims(axes));
        if n > 1 {
            mean = mean.then("affine", &format!("1.0 / {}, 0.0", number(n as f64)));
        }
        pasts.iter().fold(mean, |mean, axis| {
            let count = self.count_seen(*axis);
            self.zip("div", mean, count)
        })
    }

    fn extreme(&mut self, name: &str, x: Piece, over: &[Dim], pasts: &[AxisId], fill: f64) -> Piece {
        let kept = self.kept(x, pasts, fill);
        let x = self.short(kept);
        let rest = rest(&x, over);
        Piece::new(Code::call(name, vec![x.code.borrowed(), slice(&places(&x, over))]), rest)
    }

    fn log_sum_exp(&mut self, x: Piece, over: &[Dim], pasts: &[AxisId]) -> Piece {
        let (name, args, x) = self.over_seen("log_sum_exp", x, over, pasts);
        let rest = rest(&x, over);
        Piece::new(Code::call(name, args), rest)
    }

    fn softmax(&mut self, axes: &[AxisId], sink: Option<f64>, x: Piece) -> Piece {
        let over = dims(axes);
        let pasts = self.axes.dependent(&over);
        let (name, mut args, x) = self.over_seen("softmax", x, &over, &pasts);
        let name = match (sink, pasts.is_empty()) {
            (Some(sink), true) => {
                args.push(number(sink));
                "softmax_with_sink".to_owned()
            }
            (sink, false) => {
                args.push(sink.map_or("None".to_owned(), |sink| format!("Some({})", number(sink))));
                name
            }
            (None, true) => name,
        };
        Piece { closed: !pasts.is_empty(), ..Piece::new(Code::call(name, args), x.dims) }
    }

    /// A function over dimensions, of which those that are dependent bring their mask, and its operand.
    fn over_seen(&mut self, name: &str, x: Piece, over: &[Dim], pasts: &[AxisId]) -> (String, Vec<String>, Piece) {
        let x = self.short(x);
        if pasts.is_empty() {
            let args = vec![x.code.borrowed(), slice(&places(&x, over))];
            return (name.to_owned(), args, x);
        }
        let seen = self.seen(pasts);
        let x = if x.has(Dim::Time) || !seen.has(Dim::Time) { x } else { self.timed(x) };
        let seen = self.beside(seen, &x.dims);
        let args = vec![x.code.borrowed(), slice(&places(&x, over)), seen.borrowed()];
        (format!("{name}_seen"), args, x)
    }

    /// The operand with a dimension for time.
    pub(crate) fn timed(&mut self, x: Piece) -> Piece {
        if x.has(Dim::Time) {
            return x;
        }
        let mut order = x.dims.clone();
        order.insert(usize::from(x.has(Dim::Batch)), Dim::Time);
        let code = self.expanded(x, &order);
        self.atom(Piece::new(code, order), "timed")
    }

    /// What looks at other positions.
    fn look(&mut self, op: &Op, id: ValueId) -> Result<Piece> {
        let x = self.piece(id)?;
        let x = self.timed(x);
        let x = self.short(x);
        let at = x.place(Dim::Time);
        let call =
            |name: &str, size: usize| Code::call(name, vec![x.code.borrowed(), at.to_string(), size.to_string()]);
        Ok(match op {
            Op::Shift { by, .. } => Piece::new(call("shift", plain(by)), x.dims.clone()),
            Op::Pool { size, .. } => Piece::new(call("pool", plain(size)), x.dims.clone()),
            Op::Window { axis, .. } => {
                let code = call("window", self.axes.size(*axis));
                let mut dims = x.dims.clone();
                dims.insert(at + 1, Dim::Axis(*axis));
                Piece::new(code, dims)
            }
            Op::Blocks { axis, within } => {
                let code = call("blocks_of", self.axes.size(*within));
                let mut dims = x.dims.clone();
                dims.splice(at..=at, [Dim::Axis(*axis), Dim::Axis(*within)]);
                Piece::new(code, dims)
            }
            Op::View(axis) => x.renamed(Dim::Time, Dim::Axis(*axis)),
            _ => unreachable!("only views look at other positions"),
        })
    }

    fn ordered(&mut self, name: &str, axis: AxisId, id: ValueId) -> Result<Piece> {
        let x = self.piece(id)?;
        let seen = self.seen(&[axis]);
        let x = if seen.has(Dim::Time) { self.timed(x) } else { x };
        let x = self.short(x);
        let seen = self.beside(seen, &x.dims);
        let args = vec![x.code.borrowed(), x.place(Dim::Axis(axis)).to_string(), seen.borrowed()];
        Ok(Piece::new(Code::call(name, args), x.dims))
    }

    /// The mean over the targets that count, axis by axis.
    fn mean_tokens(&mut self, args: &[ValueId]) -> Result<Piece> {
        let (x, targets) = (self.piece(args[0])?, self.piece(args[1])?);
        let axes = dims(&self.function.ty(args[0]).axes);
        let order = [vec![Dim::Batch, Dim::Time], axes.clone()].concat();
        let code = if x.dims == order { x.code } else { self.expanded(x, &order) };
        let x = self.short(Piece::new(code, order));
        Ok(Piece::new(Code::call("mean_tokens", vec![x.code.borrowed(), targets.code.borrowed()]), axes))
    }

    fn gather(&mut self, axis: AxisId, args: &[ValueId]) -> Result<Piece> {
        let (table, tokens) = (self.piece(args[0])?, self.piece(args[1])?);
        let own = rest(&table, &[Dim::Axis(axis)]);
        let rows = table.permuted(&[vec![Dim::Axis(axis)], own.clone()].concat());
        let dims = [tokens.dims.clone(), own].concat();
        let asked = format!("&{}, 0", tokens.code.then("flatten_all", "").flat());
        let code = rows.code.then("index_select", &asked).then("reshape", &self.axes.shape(&dims));
        Ok(Piece::new(code, dims))
    }
}

/// Axes as dimensions.
pub(crate) fn dims(axes: &[AxisId]) -> Vec<Dim> {
    axes.iter().map(|axis| Dim::Axis(*axis)).collect()
}

/// The dimensions that are not among `over`.
pub(crate) fn rest(x: &Piece, over: &[Dim]) -> Vec<Dim> {
    x.dims.iter().copied().filter(|dim| !over.contains(dim)).collect()
}

fn places(x: &Piece, over: &[Dim]) -> Vec<usize> {
    over.iter().filter(|dim| x.has(**dim)).map(|dim| x.place(*dim)).collect()
}

/// Dimensions in a permuted and reshaped value: see [`list`].
pub(crate) fn reshaped(x: Piece, shape: &[String], dims: Vec<Dim>) -> Piece {
    Piece::new(x.code.then("reshape", &list(shape)), dims)
}

/// What the result of a map is called that the text does not name, by its outermost function.
pub(crate) fn map_name(function: Scalar) -> &'static str {
    match function {
        Scalar::Add => "sum",
        Scalar::Sub => "difference",
        Scalar::Mul => "scaled",
        Scalar::Div => "ratio",
        Scalar::Pow => "power",
        Scalar::Rem => "remainder",
        Scalar::Min => "smaller",
        Scalar::Max => "larger",
        Scalar::Less | Scalar::AtMost | Scalar::Equal => "holds",
        Scalar::Where => "chosen",
        function => function.name(),
    }
}

/// What the result of an operation is called that the text does not name.
pub(crate) fn name(op: &Op) -> &'static str {
    match op {
        Op::Weight(_) => "weight",
        Op::Constant(_) => "constant",
        Op::Position => "position",
        Op::Layer => "layer",
        Op::Index(_) => "index",
        Op::Age(_) => "age",
        Op::Map(_) => "value",
        Op::Reduce { reduction: Reduction::Sum, .. } => "sum",
        Op::Reduce { reduction: Reduction::Mean, .. } => "mean",
        Op::Reduce { reduction: Reduction::Max, .. } => "largest",
        Op::Reduce { reduction: Reduction::Min, .. } => "smallest",
        Op::Reduce { reduction: Reduction::LogSumExp, .. } => "log_sum",
        Op::Softmax { .. } => "weights",
        Op::Contract { .. } => "dot",
        Op::Regroup { .. } => "regrouped",
        Op::Concat { .. } => "joined",
        Op::Slice { .. } => "part",
        Op::Pad { .. } => "padded",
        Op::Select { .. } => "element",
        Op::Stack { .. } => "stacked",
        Op::Broadcast { .. } => "repeated",
        Op::Shift { .. } => "shifted",
        Op::Window { .. } => "window",
        Op::Pool { .. } => "pooled",
        Op::Past { .. } | Op::View(_) => "past",
        Op::Blocks { .. } => "blocks",
        Op::Top { .. } => "top",
        Op::Picked { .. } => "picked",
        Op::Cumsum(_) => "cumsum",
        Op::After(_) => "after",
        Op::Scan { .. } => "scanned",
        Op::Grad { .. } => "slope",
        Op::Gather { .. } => "x",
        Op::CrossEntropy { .. } => "loss",
        Op::MeanTokens => "mean",
        Op::Call { .. } => "x",
        Op::Adjoint(op) => op.name(),
    }
}

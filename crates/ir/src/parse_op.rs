//! The parser's operations, expressions, laws and sizes.

use genesys_axis::{Constant, Size, SizeError};
use genesys_scalar::{Function as Scalar, Law};

use crate::MAX_DEPTH;
use crate::lex::Word;
use crate::module::{Adjoint, AxisId, Direction, Expr, Op, Reduction, ValueId};
use crate::parse::{Parser, Result};
use crate::print::reduction_name;

/// The most factors in a term and terms in a size: far beyond any design's, and quickly multiplied.
const MOST_FACTORS: usize = 64;

/// The longest text of a size.
const LONGEST_SIZE: usize = 10_000;

const REDUCTIONS: [Reduction; 5] =
    [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min, Reduction::LogSumExp];

impl Parser {
    /// An operation without a region, up to its operands.
    pub(crate) fn op(&mut self) -> Result<Op> {
        let name = self.bare("an operation")?;
        if let Some(reduction) = REDUCTIONS.into_iter().find(|reduction| reduction_name(*reduction) == name) {
            let axes = self.axis_list()?;
            return Ok(Op::Reduce { reduction, axes, otherwise: self.option("else")? });
        }
        Ok(match name.as_str() {
            "weight" => self.weight_op()?,
            "constant" => Op::Constant(self.constant()?),
            "position" => Op::Position,
            "layer" => Op::Layer,
            "index" => Op::Index(self.bracketed()?),
            "age" => Op::Age(self.bracketed()?),
            "map" => Op::Map(self.expr(MAX_DEPTH)?),
            "softmax" => Op::Softmax { axes: self.axis_list()?, sink: self.option("sink")? },
            "contract" => Op::Contract { axes: self.axis_list()? },
            "regroup" => self.axis_map().map(|(from, to)| Op::Regroup { from, to })?,
            "concat" => self.concat()?,
            "slice" => self.slice()?,
            "pad" => self.pad()?,
            "select" => Op::Select { axis: self.bracketed()?, index: self.at()? },
            "stack" => Op::Stack { axis: self.bracketed()? },
            "broadcast" => Op::Broadcast { axes: self.axis_list()? },
            "shift" => self.shift()?,
            "window" => self.window()?,
            "pool" => self.pool()?,
            "view" => Op::View(self.bracketed()?),
            "blocks" => self.blocks()?,
            "top" => self.axis_to_axis().map(|(from, to)| Op::Top { from, to })?,
            "picked" => self.axis_to_axis().map(|(from, to)| Op::Picked { from, to })?,
            "cumsum" => Op::Cumsum(self.bracketed()?),
            "after" => Op::After(self.bracketed()?),
            "gather" => Op::Gather { axis: self.bracketed()? },
            "mean_tokens" => Op::MeanTokens,
            "cross_entropy" => Op::CrossEntropy { axis: self.bracketed()? },
            "call" => self.call()?,
            "adjoint" => Op::Adjoint(self.adjoint()?),
            other => return self.fail(format!("there is no operation {other}")),
        })
    }

    fn weight_op(&mut self) -> Result<Op> {
        let path = self.name("a weight's path")?;
        match self.current.weights.get(&path) {
            Some(id) => Ok(Op::Weight(*id)),
            None => self.fail(format!("there is no weight {path}")),
        }
    }

    fn call(&mut self) -> Result<Op> {
        let name = self.name("a function")?;
        let Some(function) = self.functions.get(&name).copied() else {
            return self.fail(format!("there is no function {name} before this one"));
        };
        self.word("layer")?;
        let layer = self.number("a layer")?;
        self.word("path")?;
        Ok(Op::Call { function, layer, path: self.name("a path")? })
    }

    fn shift(&mut self) -> Result<Op> {
        self.word("by")?;
        let by = self.braced_size()?;
        let (direction, reset) = self.time_of()?;
        Ok(Op::Shift { by, direction, reset })
    }

    fn window(&mut self) -> Result<Op> {
        let axis = self.bracketed()?;
        let (direction, reset) = self.time_of()?;
        Ok(Op::Window { axis, direction, reset })
    }

    fn pool(&mut self) -> Result<Op> {
        self.word("by")?;
        let size = self.braced_size()?;
        let (direction, reset) = self.time_of()?;
        Ok(Op::Pool { size, direction, reset })
    }

    fn blocks(&mut self) -> Result<Op> {
        match self.axis_list()?.as_slice() {
            [axis, within] => Ok(Op::Blocks { axis: *axis, within: *within }),
            _ => self.fail("blocks have an axis, and one within"),
        }
    }

    /// How time runs, and the word between a reset and the operand.
    fn time_of(&mut self) -> Result<(Direction, Option<ValueId>)> {
        let (direction, reset) = self.time()?;
        if reset.is_some() {
            self.word("of")?;
        }
        Ok((direction, reset))
    }

    fn concat(&mut self) -> Result<Op> {
        match self.axis_map()? {
            (parts, to) if to.len() == 1 => Ok(Op::Concat { parts, whole: to[0] }),
            _ => self.fail("one axis is made by concat"),
        }
    }

    fn slice(&mut self) -> Result<Op> {
        match self.axis_map()? {
            (from, to) if from.len() == 1 && to.len() == 1 => {
                Ok(Op::Slice { whole: from[0], part: to[0], offset: self.at()? })
            }
            _ => self.fail("one axis is cut into one"),
        }
    }

    fn pad(&mut self) -> Result<Op> {
        match self.axis_map()? {
            (from, to) if from.len() == 1 && to.len() == 1 => {
                Ok(Op::Pad { part: from[0], whole: to[0], offset: self.at()? })
            }
            _ => self.fail("one axis is padded to one"),
        }
    }

    /// An operation of adjoint functions.
    fn adjoint(&mut self) -> Result<Adjoint> {
        let name = self.bare("an operation of adjoint functions")?;
        Ok(match name.as_str() {
            "total" => Adjoint::Total,
            "contract" => Adjoint::Contract { axes: self.axis_list()? },
            "gather" => Adjoint::Gather { axis: self.bracketed()? },
            "cross_entropy" => Adjoint::CrossEntropy { axis: self.bracketed()? },
            "mean_tokens" => Adjoint::MeanTokens,
            "view" => Adjoint::View(self.bracketed()?),
            "before" => Adjoint::Before(self.bracketed()?),
            "top" => self.axis_to_axis().map(|(to, from)| Adjoint::Top { from, to })?,
            "blocks" => match self.axis_list()?.as_slice() {
                [axis, within] => Adjoint::Blocks { axis: *axis, within: *within },
                _ => return self.fail("blocks have an axis, and one within"),
            },
            "window" => {
                let axis = self.bracketed()?;
                let (direction, reset) = self.time_of()?;
                Adjoint::Window { axis, direction, reset }
            }
            "pool" => {
                self.word("by")?;
                let size = self.braced_size()?;
                let (direction, reset) = self.time_of()?;
                Adjoint::Pool { size, direction, reset }
            }
            other => return self.fail(format!("adjoint functions have no operation {other}")),
        })
    }

    fn axis_to_axis(&mut self) -> Result<(AxisId, AxisId)> {
        match self.axis_map()? {
            (from, to) if from.len() == 1 && to.len() == 1 => Ok((from[0], to[0])),
            _ => self.fail("one axis is picked from, one is made"),
        }
    }

    fn at(&mut self) -> Result<Size> {
        self.word("at")?;
        self.braced_size()
    }

    fn bracketed(&mut self) -> Result<AxisId> {
        self.mark('[')?;
        let axis = self.axis()?;
        self.mark(']')?;
        Ok(axis)
    }

    fn axis_map(&mut self) -> Result<(Vec<AxisId>, Vec<AxisId>)> {
        self.mark('[')?;
        let mut from = Vec::new();
        while self.peek() != Some(&Word::Arrow) {
            if !from.is_empty() {
                self.mark(',')?;
            }
            from.push(self.axis()?);
        }
        self.arrow()?;
        Ok((from, self.list(']', Self::axis)?))
    }

    /// A number behind a word that may be absent.
    fn option(&mut self, word: &str) -> Result<Option<f64>> {
        if self.take_word(word) { self.real().map(Some) } else { Ok(None) }
    }

    fn real(&mut self) -> Result<f64> {
        let sign = if self.take('-') { -1.0 } else { 1.0 };
        if self.take_word("inf") {
            return Ok(sign * f64::INFINITY);
        }
        if self.take_word("NaN") {
            return Ok(f64::NAN);
        }
        self.number::<f64>("a number").map(|value| sign * value)
    }

    fn constant(&mut self) -> Result<Constant> {
        if self.peek() == Some(&Word::Mark('{')) {
            return self.braced_size().map(Constant::Size);
        }
        self.real().map(Constant::Real)
    }

    fn expr(&mut self, depth: usize) -> Result<Expr> {
        let Some(depth) = depth.checked_sub(1) else { return self.fail("an expression nests too deeply") };
        if self.take('$') {
            return self.number("an operand's number").map(Expr::Arg);
        }
        let Some(function) = self.function_name()? else { return self.constant().map(Expr::Const) };
        self.mark('(')?;
        let args = self.list(')', |parser| parser.expr(depth))?;
        self.applied(function, args.len())?;
        Ok(Expr::Apply(function, args))
    }

    /// The scalar function named next, if a name comes next that is no number.
    fn function_name(&mut self) -> Result<Option<Scalar>> {
        match self.peek() {
            Some(Word::Name(name)) if name != "inf" && name != "NaN" => match Scalar::from_name(name) {
                Some(function) => self.bare("a function").map(|_| Some(function)),
                None => self.expected("a scalar function"),
            },
            _ => Ok(None),
        }
    }

    fn applied(&self, function: Scalar, found: usize) -> Result<()> {
        if found == function.arity() {
            return Ok(());
        }
        self.fail(format!("{} takes {} arguments, {found} are given", function.name(), function.arity()))
    }

    pub(crate) fn law(&mut self, depth: usize) -> Result<Law<Constant>> {
        let Some(depth) = depth.checked_sub(1) else { return self.fail("a law nests too deeply") };
        if self.take_word("layer") {
            return Ok(Law::Layer);
        }
        if self.take_word("index") {
            self.mark('(')?;
            let dimension = self.number("a dimension")?;
            self.mark(')')?;
            return Ok(Law::Index(dimension));
        }
        if self.take_word("normal") {
            let [deviation] = self.laws(depth)?;
            return Ok(Law::Normal(Box::new(deviation)));
        }
        if self.take_word("uniform") {
            let [low, high] = self.laws(depth)?;
            return Ok(Law::Uniform(Box::new(low), Box::new(high)));
        }
        let Some(function) = self.function_name()? else { return self.constant().map(Law::Const) };
        self.mark('(')?;
        let args = self.list(')', |parser| parser.law(depth))?;
        self.applied(function, args.len())?;
        Ok(Law::Map(function, args))
    }

    fn laws<const N: usize>(&mut self, depth: usize) -> Result<[Law<Constant>; N]> {
        self.mark('(')?;
        let laws = self.list(')', |parser| parser.law(depth))?;
        match <[Law<Constant>; N]>::try_from(laws) {
            Ok(laws) => Ok(laws),
            Err(laws) => self.fail(format!("{N} arguments are expected, {} are given", laws.len())),
        }
    }

    /// A sum of terms.
    pub(crate) fn size(&mut self, depth: usize) -> Result<Size> {
        let Some(depth) = depth.checked_sub(1) else { return self.fail("a size nests too deeply") };
        let negative = self.take('-');
        let mut sum = self.term(depth, negative)?;
        for _ in 0..MOST_FACTORS {
            let negative = if self.take('-') {
                true
            } else if self.take('+') {
                false
            } else {
                return Ok(sum);
            };
            let term = self.term(depth, negative)?;
            sum = self.sized(sum.add(&term))?;
        }
        self.fail("a size has too many terms")
    }

    /// Factors, and a whole number they are divided by.
    fn term(&mut self, depth: usize, negative: bool) -> Result<Size> {
        let mut product = Size::int(if negative { -1 } else { 1 });
        for _ in 0..MOST_FACTORS {
            let factor = self.factor(depth)?;
            product = self.sized(product.mul(&factor))?;
            // Quotients may be sums, whose products could grow beyond all bounds.
            if product.to_string().len() > LONGEST_SIZE {
                return self.fail("a size is too long");
            }
            if self.take('/') {
                let divisor = Size::int(self.number("a whole number")?);
                return self.sized(product.div(&divisor));
            }
            if !self.take('*') {
                return Ok(product);
            }
        }
        self.fail("a size has too many factors")
    }

    fn factor(&mut self, depth: usize) -> Result<Size> {
        match self.peek() {
            Some(Word::Number(_)) => return self.number("a whole number").map(Size::int),
            Some(Word::Mark('(')) => return self.quotient(depth),
            _ => {}
        }
        let name = self.bare("a size")?;
        let combine: fn(&Size, &Size) -> std::result::Result<Size, SizeError> = match name.as_str() {
            "ceil_to" => Size::ceil_to,
            "min" => Size::smaller,
            "max" => Size::larger,
            _ => return Ok(Size::symbol(name)),
        };
        self.mark('(')?;
        let left = self.size(depth)?;
        self.mark(',')?;
        let right = self.size(depth)?;
        self.mark(')')?;
        self.sized(combine(&left, &right))
    }

    /// `((a) / (b))`, a division that is no polynomial.
    fn quotient(&mut self, depth: usize) -> Result<Size> {
        self.mark('(')?;
        self.mark('(')?;
        let left = self.size(depth)?;
        self.mark(')')?;
        self.mark('/')?;
        self.mark('(')?;
        let right = self.size(depth)?;
        self.mark(')')?;
        self.mark(')')?;
        self.sized(left.div(&right))
    }

    fn sized(&self, size: std::result::Result<Size, SizeError>) -> Result<Size> {
        size.or_else(|error| self.fail(error.to_string()))
    }
}

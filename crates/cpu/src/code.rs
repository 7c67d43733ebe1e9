//! Scalar expressions as straight code over blocks of elements.
//!
//! In goes an expression tree, out comes a list of functions over operands, numbers and registers; equal parts are computed
//! once, and what depends on numbers only is a number. A block of elements stays in the nearest cache while the code runs.

use genesys_ir::module::Expr;
use genesys_kernels::{binary, binary_left, binary_right, select, unary};
use genesys_scalar::Function;

use crate::error::{CpuError, Result};

/// How many elements are computed together at most.
pub(crate) const BLOCK: usize = 512;

/// What a function is applied to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source {
    /// An operand of the expression.
    Arg(usize),
    /// A number.
    Number(f64),
    /// The value of an earlier step.
    Step(usize),
}

/// An expression, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Code {
    pub(crate) steps: Vec<(Function, Vec<Source>)>,
    pub(crate) result: Source,
}

/// Elements of a block: one number for all of them, or each by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Block<'a> {
    Number(f32),
    Each(&'a [f32]),
}

impl Source {
    fn number(&self) -> Option<f64> {
        match self {
            Source::Number(value) => Some(*value),
            Source::Arg(_) | Source::Step(_) => None,
        }
    }
}

/// How many functions an expression may have.
const STEPS: usize = 128;

impl Code {
    /// The code of an expression; `known` says which operands are numbers.
    pub(crate) fn new(expr: &Expr, known: &dyn Fn(usize) -> Option<f64>) -> Result<Self> {
        let mut steps = Vec::new();
        let result = append(&mut steps, expr, known)?;
        if steps.len() > STEPS {
            let what = format!("an expression of {} functions", steps.len());
            return Err(CpuError::Unsupported { function: String::new(), what });
        }
        Ok(Self { steps, result })
    }

    /// The operand as it is.
    pub(crate) fn copy() -> Self {
        Self { steps: Vec::new(), result: Source::Arg(0) }
    }

    /// Computes a block of at most [`BLOCK`] elements. `registers` has room for a block a step.
    pub(crate) fn run(&self, args: &[Block<'_>], registers: &mut [f32], out: &mut [f32]) {
        // What may be numbers is set to none first: most expressions are short, and so are many blocks.
        match self.steps.len() {
            0..=8 => self.run_in(&mut [None; 8], args, registers, out),
            9..=24 => self.run_in(&mut [None; 24], args, registers, out),
            _ => self.run_in(&mut [None; STEPS], args, registers, out),
        }
    }

    fn run_in(&self, numbers: &mut [Option<f32>], args: &[Block<'_>], registers: &mut [f32], out: &mut [f32]) {
        let n = out.len();
        let last = match self.result {
            Source::Step(last) => last,
            source => {
                return match resolve(source, args, numbers, &[], n) {
                    Block::Number(value) => out.fill(value),
                    Block::Each(values) => out.copy_from_slice(values),
                };
            }
        };
        for (i, (function, sources)) in self.steps.iter().enumerate() {
            let (before, rest) = registers.split_at_mut(i * BLOCK);
            let operand = |k: usize| resolve(sources[k], args, numbers, before, n);
            let target = if i == last { &mut *out } else { &mut rest[..n] };
            let value = match sources.len() {
                1 => one(*function, operand(0), target),
                2 => two(*function, [operand(0), operand(1)], target),
                _ => three([operand(0), operand(1), operand(2)], target),
            };
            if let (Some(value), true) = (value, i == last) {
                out.fill(value);
            }
            numbers[i] = value;
        }
    }
}

fn resolve<'a>(source: Source, args: &[Block<'a>], numbers: &[Option<f32>], before: &'a [f32], n: usize) -> Block<'a> {
    match source {
        Source::Arg(i) => args[i],
        Source::Number(value) => Block::Number(value as f32),
        Source::Step(i) => match numbers[i] {
            Some(value) => Block::Number(value),
            None => Block::Each(&before[i * BLOCK..][..n]),
        },
    }
}

fn number(function: Function, values: &[f32]) -> f32 {
    let values: [f64; 3] = std::array::from_fn(|i| values.get(i).copied().map_or(0.0, f64::from));
    function.eval(&values[..function.arity()]) as f32
}

fn one(function: Function, x: Block<'_>, out: &mut [f32]) -> Option<f32> {
    match x {
        Block::Number(x) => Some(number(function, &[x])),
        Block::Each(x) => {
            unary(function, x, out);
            None
        }
    }
}

fn two(function: Function, operands: [Block<'_>; 2], out: &mut [f32]) -> Option<f32> {
    match operands {
        [Block::Number(a), Block::Number(b)] => return Some(number(function, &[a, b])),
        [Block::Number(a), Block::Each(b)] => binary_left(function, a, b, out),
        [Block::Each(a), Block::Number(b)] => binary_right(function, a, b, out),
        [Block::Each(a), Block::Each(b)] => binary(function, a, b, out),
    }
    None
}

/// `where`, the only function of three operands.
fn three([condition, a, b]: [Block<'_>; 3], out: &mut [f32]) -> Option<f32> {
    match condition {
        Block::Number(c) => match if c != 0.0 { a } else { b } {
            Block::Number(value) => Some(value),
            Block::Each(values) => {
                out.copy_from_slice(values);
                None
            }
        },
        Block::Each(c) => {
            let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
            select(c, spread(a, &mut left, c.len()), spread(b, &mut right, c.len()), out);
            None
        }
    }
}

/// The elements of a block, where it is a number written to `room`.
fn spread<'a>(block: Block<'a>, room: &'a mut [f32; BLOCK], n: usize) -> &'a [f32] {
    match block {
        Block::Each(values) => values,
        Block::Number(value) => {
            room[..n].fill(value);
            &room[..n]
        }
    }
}

fn append(
    steps: &mut Vec<(Function, Vec<Source>)>,
    expr: &Expr,
    known: &dyn Fn(usize) -> Option<f64>,
) -> Result<Source> {
    match expr {
        Expr::Arg(i) => Ok(known(*i).map_or(Source::Arg(*i), Source::Number)),
        Expr::Const(constant) => {
            let value = constant.eval(&|_| None).map_err(|error| CpuError::Size(error.to_string()))?;
            Ok(Source::Number(value))
        }
        Expr::Apply(function, operands) => {
            let sources: Vec<Source> =
                operands.iter().map(|operand| append(steps, operand, known)).collect::<Result<_>>()?;
            if let Some(values) = sources.iter().map(Source::number).collect::<Option<Vec<f64>>>() {
                return Ok(Source::Number(function.eval(&values)));
            }
            let step = (*function, sources);
            let i = steps.iter().position(|known| *known == step).unwrap_or_else(|| {
                steps.push(step);
                steps.len() - 1
            });
            Ok(Source::Step(i))
        }
    }
}

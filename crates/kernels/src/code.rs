//! Straight code over a block of elements: functions one after the other, of operands and of what came before.
//!
//! In: steps, and operands that are slices or numbers. Out: what the last step gives, in place. What goes between two steps lies in
//! registers of a block each. Sums, differences, products and quotients run here, without a call for each, and two of them of which
//! only the second reads the first are one loop: each is rounded by itself, so such a pair has the bits that its steps have. All other
//! functions are those of `math`.
//!
//! Not here: where operands lie, and how code is made of an expression.
#![allow(unsafe_code)] // operands of a loop are addresses: a number is 16 lanes that are read again

use genesys_scalar::Function;

use crate::level::{Level, leveled};
use crate::math::{both_at, left_at, right_at, unary_at};
use crate::slices::{LANES, exactly, select_at};

/// How many elements are computed together at most.
pub const BLOCK: usize = 512;

/// How many steps code has at most.
pub const STEPS: usize = 128;

/// What a step is applied to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Term {
    /// An operand of the code.
    Arg(usize),
    /// A number.
    Number(f64),
    /// The value of an earlier step.
    Step(usize),
}

/// A function that is computed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// `a / b`
    Div,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A function of as many terms as it takes.
    Function(Function),
    /// One of two terms that is computed here.
    Arithmetic(Arithmetic),
    /// The second function of the first one of two terms, and a third: `second(first(a, b), c)`.
    Pair(Arithmetic, Arithmetic),
}

/// A step of code; terms that it does not take are anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// What it does.
    pub act: Act,
    /// What with.
    pub terms: [Term; 3],
}

/// Elements of a block: one number for all of them, or each by itself.
#[derive(Clone, Copy, Debug)]
pub enum Block<'a> {
    /// The same everywhere.
    Number(f32),
    /// As many as the block has.
    Each(&'a [f32]),
}

impl Arithmetic {
    /// The function as one that is computed here, if it is.
    #[must_use]
    pub fn of(function: Function) -> Option<Self> {
        let own = [
            (Function::Add, Self::Add),
            (Function::Sub, Self::Sub),
            (Function::Mul, Self::Mul),
            (Function::Div, Self::Div),
        ];
        own.into_iter().find(|(known, _)| *known == function).map(|(_, arithmetic)| arithmetic)
    }

    #[inline(always)]
    fn eval(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
        }
    }
}

impl Act {
    /// How many terms it takes.
    #[must_use]
    pub fn arity(self) -> usize {
        match self {
            Self::Function(function) => function.arity(),
            Self::Arithmetic(_) => 2,
            Self::Pair(..) => 3,
        }
    }
}

/// Runs code over a block: `out` is what `result` is. `registers` has [`BLOCK`] elements for each step.
///
/// # Panics
/// Where `out` has more than [`BLOCK`] elements, an operand that is no number has not as many, a term is none of an earlier step or an
/// operand, or there are more than [`STEPS`] steps.
pub fn run_code(steps: &[Step], result: Term, args: &[Block<'_>], registers: &mut [f32], out: &mut [f32]) {
    run_code_at(Level::best(), steps, result, args, registers, out);
}

/// [`run_code`] on a level.
pub(crate) fn run_code_at(
    level: Level,
    steps: &[Step],
    result: Term,
    args: &[Block<'_>],
    registers: &mut [f32],
    out: &mut [f32],
) {
    assert!(steps.len() <= STEPS && out.len() <= BLOCK, "code and its block are of bounded size");
    run_at(level, level, steps, result, args, registers, out);
}

leveled! {
    fn run_at(
        own: Level,
        steps: &[Step],
        result: Term,
        args: &[Block<'_>],
        registers: &mut [f32],
        out: &mut [f32],
    ) = run_body
}

/// What steps have given: numbers, by a bit each, or elements in registers.
struct Given<'a> {
    args: &'a [Block<'a>],
    numbers: [f32; STEPS],
    is_number: u128,
}

impl Given<'_> {
    #[inline(always)]
    fn resolve<'a>(&'a self, term: Term, before: &'a [f32], n: usize) -> Block<'a> {
        match term {
            Term::Arg(i) => self.args[i],
            Term::Number(value) => Block::Number(value as f32),
            Term::Step(i) if self.is_number >> i & 1 == 1 => Block::Number(self.numbers[i]),
            Term::Step(i) => Block::Each(&before[i * BLOCK..][..n]),
        }
    }
}

#[inline(always)]
fn run_body<const FUSED: bool>(
    level: Level,
    steps: &[Step],
    result: Term,
    args: &[Block<'_>],
    registers: &mut [f32],
    out: &mut [f32],
) {
    let n = out.len();
    let mut given = Given { args, numbers: [0.0; STEPS], is_number: 0 };
    for (i, Step { act, terms }) in steps.iter().enumerate() {
        let (before, rest) = registers.split_at_mut(i * BLOCK);
        let target = if result == Term::Step(i) { &mut *out } else { &mut rest[..n] };
        let term = |k: usize| given.resolve(terms[k], before, n);
        let value = match act {
            Act::Function(function) => match function.arity() {
                1 => one(level, *function, term(0), target),
                2 => two(level, *function, [term(0), term(1)], target),
                _ => three(level, [term(0), term(1), term(2)], target),
            },
            Act::Arithmetic(only) => pair(None, *only, [term(0), term(1), Block::Number(0.0)], target),
            Act::Pair(first, second) => pair(Some(*first), *second, [term(0), term(1), term(2)], target),
        };
        if let Some(value) = value {
            given.numbers[i] = value;
            given.is_number |= 1 << i;
        }
    }
    let before = match result {
        Term::Step(i) if given.is_number >> i & 1 == 0 => return,
        Term::Step(_) | Term::Arg(_) | Term::Number(_) => &[],
    };
    match given.resolve(result, before, n) {
        Block::Number(value) => out.fill(value),
        Block::Each(values) => out.copy_from_slice(values),
    }
}

fn number(function: Function, values: &[f32]) -> f32 {
    let values: [f64; 3] = std::array::from_fn(|i| values.get(i).copied().map_or(0.0, f64::from));
    function.eval(&values[..function.arity()]) as f32
}

fn one(level: Level, function: Function, x: Block<'_>, out: &mut [f32]) -> Option<f32> {
    match x {
        Block::Number(x) => Some(number(function, &[x])),
        Block::Each(x) => {
            unary_at(level, function, x, out);
            None
        }
    }
}

fn two(level: Level, function: Function, operands: [Block<'_>; 2], out: &mut [f32]) -> Option<f32> {
    match operands {
        [Block::Number(a), Block::Number(b)] => return Some(number(function, &[a, b])),
        [Block::Number(a), Block::Each(b)] => left_at(level, function, a, b, out),
        [Block::Each(a), Block::Number(b)] => right_at(level, function, a, b, out),
        [Block::Each(a), Block::Each(b)] => both_at(level, function, exactly(out.len(), a), b, out),
    }
    None
}

/// `where`, the only function of three operands.
fn three(level: Level, [condition, a, b]: [Block<'_>; 3], out: &mut [f32]) -> Option<f32> {
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
            select_at(level, c, spread(a, &mut left, c.len()), spread(b, &mut right, c.len()), out);
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

/// `second(first(a, b), c)`, or `second(a, b)` where there is no first.
#[inline(always)]
fn pair(first: Option<Arithmetic>, second: Arithmetic, terms: [Block<'_>; 3], out: &mut [f32]) -> Option<f32> {
    let n = out.len();
    let mut numbers = [[0.0; LANES]; 3];
    let mut lanes = [Lanes { at: std::ptr::null(), step: 0 }; 3];
    for ((term, number), lanes) in terms.iter().zip(&mut numbers).zip(&mut lanes) {
        *lanes = match term {
            Block::Number(value) => {
                *number = [*value; LANES];
                Lanes { at: number.as_ptr(), step: 0 }
            }
            Block::Each(values) => Lanes { at: exactly(n, values).as_ptr(), step: 1 },
        };
    }
    let [a, b, c] = lanes;
    if a.step + b.step + c.step == 0 {
        // All are numbers.
        let [a, b, c] = numbers.map(|number| number[0]);
        return Some(first.map_or_else(|| second.eval(a, b), |first| second.eval(first.eval(a, b), c)));
    }
    match (first, second) {
        (None, Arithmetic::Add) => each::<false, Sum, Sum>([a, b, c], out),
        (None, Arithmetic::Sub) => each::<false, Sum, Difference>([a, b, c], out),
        (None, Arithmetic::Mul) => each::<false, Sum, Product>([a, b, c], out),
        (None, Arithmetic::Div) => each::<false, Sum, Quotient>([a, b, c], out),
        (Some(Arithmetic::Add), second) => behind::<Sum>(second, [a, b, c], out),
        (Some(Arithmetic::Sub), second) => behind::<Difference>(second, [a, b, c], out),
        (Some(Arithmetic::Mul), second) => behind::<Product>(second, [a, b, c], out),
        (Some(Arithmetic::Div), second) => behind::<Quotient>(second, [a, b, c], out),
    }
    None
}

#[inline(always)]
fn behind<F: Two>(second: Arithmetic, terms: [Lanes; 3], out: &mut [f32]) {
    match second {
        Arithmetic::Add => each::<true, F, Sum>(terms, out),
        Arithmetic::Sub => each::<true, F, Difference>(terms, out),
        Arithmetic::Mul => each::<true, F, Product>(terms, out),
        Arithmetic::Div => each::<true, F, Quotient>(terms, out),
    }
}

/// `G(F(a, b), c)` of each element where there is a pair, else `G(a, b)`. The terms have as many elements as `out`.
#[inline(always)]
fn each<const PAIR: bool, F: Two, G: Two>(terms: [Lanes; 3], out: &mut [f32]) {
    let of = |a: f32, b: f32, c: f32| if PAIR { G::of(F::of(a, b), c) } else { G::of(a, b) };
    let (chunks, rest) = out.as_chunks_mut::<LANES>();
    let whole = chunks.len() * LANES;
    for (k, chunk) in chunks.iter_mut().enumerate() {
        // SAFETY: the chunk is one of the terms', too.
        let [a, b, c] = terms.map(|term| unsafe { *term.at(k * LANES).cast::<[f32; LANES]>() });
        *chunk = std::array::from_fn(|i| of(a[i], b[i], c[i]));
    }
    for (i, out) in rest.iter_mut().enumerate() {
        // SAFETY: the element is one of the terms', or one of the lanes of a number.
        let [a, b, c] = terms.map(|term| unsafe { *term.at(whole).add(i) });
        *out = of(a, b, c);
    }
}

/// An operand of a loop.
#[derive(Clone, Copy)]
struct Lanes {
    at: *const f32,
    /// 1 for elements, 0 for a number, which stands in as many lanes as a loop has.
    step: usize,
}

impl Lanes {
    /// Where the elements from `i` on are.
    #[inline(always)]
    fn at(self, i: usize) -> *const f32 {
        self.at.wrapping_add(i * self.step)
    }
}

/// A function of two numbers.
trait Two {
    fn of(a: f32, b: f32) -> f32;
}

struct Sum;
struct Difference;
struct Product;
struct Quotient;

impl Two for Sum {
    #[inline(always)]
    fn of(a: f32, b: f32) -> f32 {
        a + b
    }
}

impl Two for Difference {
    #[inline(always)]
    fn of(a: f32, b: f32) -> f32 {
        a - b
    }
}

impl Two for Product {
    #[inline(always)]
    fn of(a: f32, b: f32) -> f32 {
        a * b
    }
}

impl Two for Quotient {
    #[inline(always)]
    fn of(a: f32, b: f32) -> f32 {
        a / b
    }
}

#[cfg(test)]
mod tests;

//! Where a function may leave the domain in which it and its derivative are finite.

use genesys_check::core::{NodeId, Op};
use genesys_scalar::Function;
use genesys_span::Span;

use crate::interval::TINY;
use crate::{Interval, Ranges};

/// The largest number whose exponential 32 bits hold.
const LARGEST_EXPONENT: f64 = 88.0;
/// A number above -1 that 32 bits tell from it.
const JUST_ABOVE_MINUS_ONE: f64 = -1.0 + 1e-7;

/// What may not be finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    /// The value.
    Value,
    /// The derivative alone.
    Derivative,
}

/// A function that is not proven to stay in its domain.
#[derive(Clone, Debug, PartialEq)]
pub struct Doubt {
    /// Where it was written.
    pub span: Span,
    /// The function.
    pub function: Function,
    /// What may fail.
    pub fails: Fails,
    /// The operand that decides, by its interval.
    pub operand: Interval,
    /// What the operand should be, in words: `above 0`.
    pub needs: &'static str,
}

/// All doubts about a unit, in the order of the program; none is a proof that its numbers stay finite.
pub fn doubts(ranges: &Ranges<'_>) -> Vec<Doubt> {
    let gradients = ranges.program.gradients();
    let mut found = Vec::new();
    for &id in &ranges.program.live {
        let Op::Map(function) = ranges.program.graph.node(id).op else { continue };
        let args: Vec<NodeId> = ranges.program.args(id).collect();
        let trained = args.iter().any(|arg| gradients.contains(arg));
        if let Some((fails, operand, needs)) = doubt(ranges, function, &args)
            && (fails == Fails::Value || trained)
        {
            let span = ranges.program.graph.node(id).span;
            found.push(Doubt { span, function, fails, operand, needs });
        }
    }
    found
}

fn doubt(ranges: &Ranges<'_>, function: Function, args: &[NodeId]) -> Option<(Fails, Interval, &'static str)> {
    let x = ranges.of(*args.first()?);
    let away = x.low >= TINY;
    match function {
        Function::Log1p => (x.low <= JUST_ABOVE_MINUS_ONE).then_some((Fails::Value, x, "above -1")),
        Function::Log => (!away).then_some((Fails::Value, x, "above 0")),
        Function::InvSoftplus => (!away).then_some((Fails::Value, x, "above 0")),
        Function::Sqrt if x.low < 0.0 => Some((Fails::Value, x, "at least 0")),
        Function::Sqrt => (!away).then_some((Fails::Derivative, x, "above 0")),
        Function::Exp | Function::Expm1 => (x.high > LARGEST_EXPONENT).then_some((Fails::Value, x, "at most 88")),
        Function::Div | Function::Rem => {
            let divisor = ranges.of(args[1]);
            divisor.sign().is_none().then_some((Fails::Value, divisor, "away from 0"))
        }
        Function::Pow => power(x, ranges.of(args[1])),
        Function::Neg
        | Function::Abs
        | Function::Sign
        | Function::Floor
        | Function::Round
        | Function::Stop
        | Function::Erf
        | Function::Sin
        | Function::Cos
        | Function::Tanh
        | Function::Sigmoid
        | Function::LogSigmoid
        | Function::Softplus
        | Function::Silu
        | Function::Gelu
        | Function::Relu
        | Function::Add
        | Function::Sub
        | Function::Mul
        | Function::Min
        | Function::Max
        | Function::Less
        | Function::AtMost
        | Function::Equal
        | Function::Where => None,
    }
}

/// `a ^ b`: a whole exponent takes any base, another one none below 0, and one below 1 needs a base above 0 for
/// its derivative.
fn power(base: Interval, exponent: Interval) -> Option<(Fails, Interval, &'static str)> {
    let whole = exponent.low == exponent.high && exponent.low.fract() == 0.0;
    if whole && exponent.low >= 1.0 {
        return None;
    }
    if base.low < 0.0 {
        return Some((Fails::Value, base, "at least 0"));
    }
    let positive = base.low >= TINY;
    if exponent.low < 0.0 && !positive {
        return Some((Fails::Value, base, "above 0"));
    }
    if exponent.low < 1.0 && !positive {
        return Some((Fails::Derivative, base, "above 0"));
    }
    // A large base under a large exponent, or a small one under a very negative one.
    let logarithms = Interval::new(base.low.max(TINY).ln(), base.high.ln());
    let grown = logarithms.times(exponent);
    let moving = exponent.low != exponent.high;
    (moving && grown.high > LARGEST_EXPONENT).then_some((Fails::Value, exponent, "bounded"))
}

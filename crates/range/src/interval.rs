//! Closed intervals of real numbers, and the images of scalar functions on them.

use std::fmt;

use genesys_scalar::Function;

/// The least positive number that 32 bits keep as one: below it a bound is taken to be 0.
pub(crate) const TINY: f64 = 1e-37;

/// Real numbers from `low` to `high`; an infinite bound is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

impl Interval {
    /// All numbers.
    pub const ALL: Interval = Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
    /// From 0 on.
    pub const NOT_NEGATIVE: Interval = Interval { low: 0.0, high: f64::INFINITY };
    /// Up to 0.
    pub const NOT_POSITIVE: Interval = Interval { low: f64::NEG_INFINITY, high: 0.0 };
    /// From 0 to 1.
    pub const UNIT: Interval = Interval { low: 0.0, high: 1.0 };

    /// From `low` to `high`.
    pub fn new(low: f64, high: f64) -> Interval {
        Interval { low, high }
    }

    /// One number.
    pub fn point(value: f64) -> Interval {
        Interval::new(value, value)
    }

    /// Whether all of it is in `other`.
    pub fn within(self, other: Interval) -> bool {
        other.low <= self.low && self.high <= other.high
    }

    /// Whether a number is in it.
    pub fn holds(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The smallest interval that holds both.
    pub fn hull(self, other: Interval) -> Interval {
        Interval::new(self.low.min(other.low), self.high.max(other.high))
    }

    /// What both hold, for two that are known to hold the same value.
    pub fn meet(self, other: Interval) -> Interval {
        Interval::new(self.low.max(other.low), self.high.min(other.high))
    }

    /// `-x`
    pub fn negated(self) -> Interval {
        Interval::new(-self.high, -self.low)
    }

    /// `a + b`
    pub fn plus(self, other: Interval) -> Interval {
        Interval::new(self.low + other.low, self.high + other.high)
    }

    /// `a * b`
    pub fn times(self, other: Interval) -> Interval {
        // Bounds are limits of finite numbers: 0 times none of them is 0.
        let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        let corners = [
            product(self.low, other.low),
            product(self.low, other.high),
            product(self.high, other.low),
            product(self.high, other.high),
        ];
        Interval::new(
            corners.into_iter().fold(f64::INFINITY, f64::min),
            corners.into_iter().fold(f64::NEG_INFINITY, f64::max),
        )
    }

    /// `x * x`
    pub fn square(self) -> Interval {
        let square = self.times(self);
        if self.holds(0.0) { Interval::new(0.0, square.high) } else { square.meet(Interval::NOT_NEGATIVE) }
    }

    /// `1 / x`; everything where `x` may be 0.
    pub fn inverse(self) -> Interval {
        match self.sign() {
            None => Interval::ALL,
            Some(_) => Interval::new(1.0 / self.high, 1.0 / self.low),
        }
    }

    /// The sum of `n` of them, or of any positive number of them for `None`.
    pub fn summed(self, n: Option<f64>) -> Interval {
        match n {
            Some(n) => self.times(Interval::point(n)),
            None => self.times(Interval::new(1.0, f64::INFINITY)),
        }
    }

    /// 1 or -1 where all of it lies beyond 0 on that side.
    pub fn sign(self) -> Option<i8> {
        if self.low >= TINY {
            Some(1)
        } else if self.high <= -TINY {
            Some(-1)
        } else {
            None
        }
    }

    /// The interval of `f` where the operands are in `args`. Outside of `f`'s domain nothing is claimed of its
    /// value: [`doubts`](crate::doubts) are.
    pub fn image(f: Function, args: &[Interval]) -> Interval {
        match (f, args) {
            (Function::Neg, [x]) => x.negated(),
            (Function::Add, [a, b]) => a.plus(*b),
            (Function::Sub, [a, b]) => a.plus(b.negated()),
            (Function::Mul, [a, b]) => a.times(*b),
            (Function::Div, [a, b]) => a.times(b.inverse()),
            (Function::Pow, [a, b]) => power(*a, *b),
            (Function::Min, [a, b]) => Interval::new(a.low.min(b.low), a.high.min(b.high)),
            (Function::Max, [a, b]) => Interval::new(a.low.max(b.low), a.high.max(b.high)),
            (Function::Rem, [_, b]) => match b.sign() {
                Some(_) => b.hull(Interval::point(0.0)),
                None => Interval::ALL,
            },
            (Function::Less | Function::AtMost | Function::Equal, _) => Interval::UNIT,
            (Function::Where, [_, a, b]) => a.hull(*b),
            (Function::Abs, [x]) => {
                let high = x.low.abs().max(x.high.abs());
                if x.holds(0.0) { Interval::new(0.0, high) } else { Interval::new(x.low.abs().min(x.high.abs()), high) }
            }
            (Function::Sin | Function::Cos, _) => Interval::new(-1.0, 1.0),
            // One turn below 0 each, then upwards: their least values are -0.2785 and -0.1701.
            (Function::Silu, [x]) => Interval::new(if x.low >= 0.0 { 0.0 } else { -0.279 }, x.high.max(0.0)),
            (Function::Gelu, [x]) => Interval::new(if x.low >= 0.0 { 0.0 } else { -0.171 }, x.high.max(0.0)),
            (f, [x]) => monotone(f, *x),
            (f, _) => unreachable!("{} takes {} arguments", f.name(), f.arity()),
        }
    }
}

/// The image of a rising function of one argument, within the bounds that it has.
fn monotone(f: Function, x: Interval) -> Interval {
    let all = match f {
        Function::Exp | Function::Sqrt | Function::Softplus | Function::Relu => Interval::NOT_NEGATIVE,
        Function::Sigmoid => Interval::UNIT,
        Function::Tanh | Function::Erf | Function::Sign => Interval::new(-1.0, 1.0),
        Function::Expm1 => Interval::new(-1.0, f64::INFINITY),
        Function::LogSigmoid => Interval::NOT_POSITIVE,
        _ => Interval::ALL,
    };
    let at = |value: f64, none: f64| {
        let image = f.eval(&[value]);
        if value.is_finite() && !image.is_nan() { image } else { none }
    };
    let low = if x.low == f64::INFINITY { all.low } else { at(x.low, all.low) };
    Interval::new(low, at(x.high, all.high)).meet(all)
}

fn power(base: Interval, exponent: Interval) -> Interval {
    if exponent == Interval::point(2.0) {
        return base.square();
    }
    if base.low < 0.0 {
        return Interval::ALL;
    }
    if base.within(Interval::UNIT) && exponent.low >= 0.0 {
        return Interval::UNIT;
    }
    if exponent.low == exponent.high && exponent.low != 0.0 {
        let ends = (base.low.powf(exponent.low), base.high.powf(exponent.low));
        return if exponent.low > 0.0 { Interval::new(ends.0, ends.1) } else { Interval::new(ends.1, ends.0) };
    }
    let corner = |b: f64, e: f64| {
        let value = b.powf(e);
        if value.is_nan() { f64::INFINITY } else { value }
    };
    let corners = [
        corner(base.low, exponent.low),
        corner(base.low, exponent.high),
        corner(base.high, exponent.low),
        corner(base.high, exponent.high),
    ];
    if corners.iter().all(|value| value.is_finite()) {
        let low = corners.iter().copied().fold(f64::INFINITY, f64::min);
        return Interval::new(low, corners.iter().copied().fold(0.0, f64::max));
    }
    Interval::NOT_NEGATIVE
}

impl fmt::Display for Interval {
    /// `[0, 1]`; what has no bound is open: `[0, inf)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |value: f64| if value.is_infinite() { format!("{value}") } else { format!("{}", Short(value)) };
        let (open, close) =
            (if self.low.is_infinite() { '(' } else { '[' }, if self.high.is_infinite() { ')' } else { ']' });
        write!(f, "{open}{}, {}{close}", bound(self.low), bound(self.high))
    }
}

/// A number in at most four digits.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Also of -0.
        let value = self.0 + 0.0;
        if value != 0.0 && (value.abs() < 1e-3 || value.abs() >= 1e5) {
            return write!(f, "{value:.3e}");
        }
        let text = format!("{value:.4}");
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

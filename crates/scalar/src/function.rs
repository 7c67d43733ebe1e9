//! Scalar functions: name, arity, meaning.

/// A scalar function of one to three real arguments, applied element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// `-x`
    Neg,
    /// `|x|`
    Abs,
    /// -1, 0 or 1, as `x` lies below, at or above 0; its derivative is 0.
    Sign,
    /// The largest whole number that is not above `x`; its derivative is 0.
    Floor,
    /// The nearest whole number, halves away from 0; its derivative is 0.
    Round,
    /// `x`, with the derivative 0: what depends on it learns nothing through it.
    Stop,
    /// `e^x`
    Exp,
    /// `e^x - 1`, exact for small `x`.
    Expm1,
    /// Natural logarithm.
    Log,
    /// `log(1 + x)`, exact for small `x`.
    Log1p,
    /// Square root.
    Sqrt,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Hyperbolic tangent.
    Tanh,
    /// The error function, `2/sqrt(pi)` times the integral of `e^-u^2` from 0 to `x`.
    Erf,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// `log(sigmoid(x))`, stable for large negative `x`.
    LogSigmoid,
    /// `log(1 + e^x)`, stable for large `x`.
    Softplus,
    /// `log(e^x - 1)` for `x > 0`: the inverse of softplus.
    InvSoftplus,
    /// `x * sigmoid(x)` (Elfwing et al., 2017).
    Silu,
    /// `x * Phi(x)` by its tanh approximation (Hendrycks and Gimpel, 2016).
    Gelu,
    /// `x` where `x > 0`, else 0; its derivative at 0 is 0.
    Relu,
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// `a / b`
    Div,
    /// `a ^ b`
    Pow,
    /// `a - b floor(a / b)`: what is left of `a`, with the sign of `b`. Its derivatives are 1 and `-floor(a / b)`.
    Rem,
    /// The smaller of two; of equal ones each has half of the derivative.
    Min,
    /// The larger of two; of equal ones each has half of the derivative.
    Max,
    /// 1 where `a < b`, else 0.
    Less,
    /// 1 where `a <= b`, else 0.
    AtMost,
    /// 1 where `a == b`, else 0.
    Equal,
    /// The second argument where the first is not 0, else the third: a selection, never a product.
    Where,
}

use Function::*;

impl Function {
    /// Every function, in the order of declaration.
    pub const ALL: [Function; 34] = [
        Neg,
        Abs,
        Sign,
        Floor,
        Round,
        Stop,
        Exp,
        Expm1,
        Log,
        Log1p,
        Sqrt,
        Sin,
        Cos,
        Tanh,
        Erf,
        Sigmoid,
        LogSigmoid,
        Softplus,
        InvSoftplus,
        Silu,
        Gelu,
        Relu,
        Add,
        Sub,
        Mul,
        Div,
        Pow,
        Rem,
        Min,
        Max,
        Less,
        AtMost,
        Equal,
        Where,
    ];

    /// The name in IR text, and in the language where the function is written as a call.
    pub fn name(self) -> &'static str {
        match self {
            Neg => "neg",
            Abs => "abs",
            Sign => "sign",
            Floor => "floor",
            Round => "round",
            Stop => "stop",
            Exp => "exp",
            Expm1 => "expm1",
            Log => "log",
            Log1p => "log1p",
            Sqrt => "sqrt",
            Sin => "sin",
            Cos => "cos",
            Tanh => "tanh",
            Erf => "erf",
            Sigmoid => "sigmoid",
            LogSigmoid => "log_sigmoid",
            Softplus => "softplus",
            InvSoftplus => "inv_softplus",
            Silu => "silu",
            Gelu => "gelu",
            Relu => "relu",
            Add => "add",
            Sub => "sub",
            Mul => "mul",
            Div => "div",
            Pow => "pow",
            Rem => "rem",
            Min => "min",
            Max => "max",
            Less => "lt",
            AtMost => "le",
            Equal => "eq",
            Where => "where",
        }
    }

    /// The function of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Function> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// Whether designs write the function as a call, not as an operator.
    pub fn is_call(self) -> bool {
        !matches!(self, Neg | Add | Sub | Mul | Div | Pow | Rem | Less | AtMost | Equal)
    }

    /// Number of arguments.
    pub fn arity(self) -> usize {
        match self {
            Neg | Abs | Sign | Floor | Round | Stop | Exp | Expm1 | Log | Log1p | Sqrt | Sin | Cos | Tanh | Erf
            | Sigmoid | LogSigmoid | Softplus | InvSoftplus | Silu | Gelu | Relu => 1,
            Add | Sub | Mul | Div | Pow | Rem | Min | Max | Less | AtMost | Equal => 2,
            Where => 3,
        }
    }

    /// Whether the derivative is 0 wherever there is one: nothing is learned through the function.
    pub fn is_flat(self) -> bool {
        matches!(self, Sign | Floor | Round | Stop | Less | AtMost | Equal)
    }

    /// Whether the two arguments may be exchanged.
    pub fn is_commutative(self) -> bool {
        matches!(self, Add | Mul | Min | Max | Equal)
    }

    /// The value at `args`, which holds [`arity`](Self::arity) numbers.
    pub fn eval(self, args: &[f64]) -> f64 {
        match (self, args) {
            (Neg, [x]) => -x,
            (Abs, [x]) => x.abs(),
            (Sign, [x]) => sign(*x),
            (Floor, [x]) => x.floor(),
            (Round, [x]) => x.round(),
            (Stop, [x]) => *x,
            (Exp, [x]) => x.exp(),
            (Expm1, [x]) => x.exp_m1(),
            (Log, [x]) => x.ln(),
            (Log1p, [x]) => x.ln_1p(),
            (Sqrt, [x]) => x.sqrt(),
            (Sin, [x]) => x.sin(),
            (Cos, [x]) => x.cos(),
            (Tanh, [x]) => x.tanh(),
            (Erf, [x]) => libm::erf(*x),
            (Sigmoid, [x]) => sigmoid(*x),
            (LogSigmoid, [x]) => -softplus(-x),
            (Softplus, [x]) => softplus(*x),
            (InvSoftplus, [x]) => x + (-(-x).exp_m1()).ln(),
            (Silu, [x]) => x * sigmoid(*x),
            (Gelu, [x]) => gelu(*x),
            (Relu, [x]) => x.max(0.0),
            (Add, [a, b]) => a + b,
            (Sub, [a, b]) => a - b,
            (Mul, [a, b]) => a * b,
            (Div, [a, b]) => a / b,
            (Pow, [a, b]) => a.powf(*b),
            (Rem, [a, b]) => a - b * (a / b).floor(),
            (Min, [a, b]) => a.min(*b),
            (Max, [a, b]) => a.max(*b),
            (Less, [a, b]) => f64::from(a < b),
            (AtMost, [a, b]) => f64::from(a <= b),
            (Equal, [a, b]) => f64::from(a == b),
            (Where, [c, a, b]) => {
                if *c != 0.0 {
                    *a
                } else {
                    *b
                }
            }
            _ => unreachable!("{} takes {} arguments, not {}", self.name(), self.arity(), args.len()),
        }
    }
}

/// 0 at 0 of either sign, unlike `f64::signum`.
fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn gelu(x: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
    0.5 * x * (1.0 + inner.tanh())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arities_agree() {
        for f in Function::ALL {
            assert_eq!(Function::from_name(f.name()), Some(f));
            assert!(f.eval(&vec![1.5; f.arity()]).is_finite(), "{f:?}");
        }
    }

    #[test]
    fn stable_forms_stay_finite_far_out() {
        assert!((LogSigmoid.eval(&[-800.0]) + 800.0).abs() < 1e-9);
        assert_eq!(Softplus.eval(&[800.0]), 800.0);
        assert_eq!(Sigmoid.eval(&[-800.0]), 0.0);
        for x in [0.1, 1.0, 5.0] {
            assert!((InvSoftplus.eval(&[Softplus.eval(&[x])]) - x).abs() < 1e-12);
        }
    }

    #[test]
    fn remainders_have_the_sign_of_the_divisor() {
        for (a, b, left) in [(7.0, 4.0, 3.0), (-7.0, 4.0, 1.0), (7.0, -4.0, -1.0), (-7.0, -4.0, -3.0), (-8.0, 4.0, 0.0)]
        {
            assert_eq!(Rem.eval(&[a, b]), left, "{a} % {b}");
        }
        assert_eq!(Rem.eval(&[2.75, 0.5]), 0.25);
        assert!(Rem.eval(&[1.0, 0.0]).is_nan());
    }

    #[test]
    fn steps_are_where_they_are_said_to_be() {
        assert_eq!([-2.0, -0.0, 0.0, 3.0].map(|x| Sign.eval(&[x])), [-1.0, 0.0, 0.0, 1.0]);
        assert!(Sign.eval(&[f64::NAN]).is_nan());
        assert_eq!([-1.5, -0.5, 0.5, 1.5, 2.4].map(|x| Round.eval(&[x])), [-2.0, -1.0, 1.0, 2.0, 2.0]);
        assert_eq!([-1.5, -1.0, 0.9].map(|x| Floor.eval(&[x])), [-2.0, -1.0, 0.0]);
    }

    #[test]
    fn small_arguments_keep_their_digits() {
        assert_eq!(Expm1.eval(&[1e-20]), 1e-20);
        assert_eq!(Log1p.eval(&[1e-20]), 1e-20);
        // Abramowitz and Stegun, table 7.1.
        assert!((Erf.eval(&[0.5]) - 0.520_499_877_8).abs() < 1e-10);
    }

    #[test]
    fn where_selects_and_never_multiplies() {
        assert_eq!(Where.eval(&[0.0, f64::NAN, 2.0]), 2.0);
    }
}

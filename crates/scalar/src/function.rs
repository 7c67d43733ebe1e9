//! Scalar functions: name, arity, meaning.

/// A scalar function of one to three real arguments, applied element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// `-x`
    Neg,
    /// `|x|`
    Abs,
    /// `e^x`
    Exp,
    /// Natural logarithm.
    Log,
    /// Square root.
    Sqrt,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Hyperbolic tangent.
    Tanh,
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
    /// The smaller of two.
    Min,
    /// The larger of two.
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
    pub const ALL: [Function; 26] = [
        Neg,
        Abs,
        Exp,
        Log,
        Sqrt,
        Sin,
        Cos,
        Tanh,
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
            Exp => "exp",
            Log => "log",
            Sqrt => "sqrt",
            Sin => "sin",
            Cos => "cos",
            Tanh => "tanh",
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
        !matches!(self, Neg | Add | Sub | Mul | Div | Pow | Less | AtMost | Equal)
    }

    /// Number of arguments.
    pub fn arity(self) -> usize {
        match self {
            Neg | Abs | Exp | Log | Sqrt | Sin | Cos | Tanh | Sigmoid | LogSigmoid | Softplus | InvSoftplus | Silu
            | Gelu | Relu => 1,
            Add | Sub | Mul | Div | Pow | Min | Max | Less | AtMost | Equal => 2,
            Where => 3,
        }
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
            (Exp, [x]) => x.exp(),
            (Log, [x]) => x.ln(),
            (Sqrt, [x]) => x.sqrt(),
            (Sin, [x]) => x.sin(),
            (Cos, [x]) => x.cos(),
            (Tanh, [x]) => x.tanh(),
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
    fn where_selects_and_never_multiplies() {
        assert_eq!(Where.eval(&[0.0, f64::NAN, 2.0]), 2.0);
    }
}

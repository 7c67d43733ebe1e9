//! Scalar functions as calls of candle, or of the functions that are taken along.

use genesys_scalar::Function::{self, *};

use crate::body::Body;
use crate::code::{Code, number};
use crate::dims::{Piece, Value};

impl Body<'_> {
    /// A function of numbers and tensors, which broadcast by dimension.
    pub(crate) fn apply(&mut self, function: Function, args: Vec<Value>) -> Value {
        let numbers: Option<Vec<f64>> = args.iter().map(Value::number).collect();
        if let Some(numbers) = numbers {
            return Value::Number(function.eval(&numbers));
        }
        let mut args = args.into_iter();
        Value::Tensor(match (args.next(), args.next(), args.next()) {
            (Some(Value::Tensor(x)), None, None) => self.unary(function, x),
            (Some(Value::Tensor(x)), Some(Value::Number(n)), None) => self.with_number(function, x, n),
            (Some(Value::Number(n)), Some(Value::Tensor(x)), None) => self.of_number(function, n, x),
            (Some(Value::Tensor(a)), Some(Value::Tensor(b)), None) => self.binary(function, a, b),
            (Some(c), Some(a), Some(b)) => self.choice(c, a, b),
            _ => unreachable!("a scalar function takes one to three arguments"),
        })
    }

    fn unary(&mut self, function: Function, x: Piece) -> Piece {
        match function {
            Neg | Abs | Exp | Log | Sqrt | Sin | Cos | Tanh | Erf | Silu => x.then(function.name(), ""),
            // candle has no derivative of these steps, or one that is said to be 0: none is asked for.
            Sign | Floor | Round => Piece::new(x.code.detach(), x.dims).then(function.name(), ""),
            Stop => Piece::new(x.code.detach(), x.dims),
            Sigmoid => self.called("candle_nn::ops::sigmoid", x),
            Expm1 | Log1p | LogSigmoid | Softplus | InvSoftplus | Gelu | Relu => self.called(function.name(), x),
            Add | Sub | Mul | Div | Pow | Rem | Min | Max | Less | AtMost | Equal | Where => {
                unreachable!("the validator counts arguments")
            }
        }
    }

    fn called(&mut self, name: &str, x: Piece) -> Piece {
        let x = self.short(x);
        Piece::new(Code::call(name, vec![x.code.borrowed()]), x.dims)
    }

    fn binary(&mut self, function: Function, a: Piece, b: Piece) -> Piece {
        match function {
            Add => self.zip("add", a, b),
            Sub => self.zip("sub", a, b),
            Mul => self.zip("mul", a, b),
            Div => self.zip("div", a, b),
            Pow => self.zip("mul", b, a.then("log", "")).then("exp", ""),
            Min => self.zip("minimum", a, b),
            Max => self.zip("maximum", a, b),
            Less => self.zip("lt", a, b).then("to_dtype", "dtype"),
            AtMost => self.zip("le", a, b).then("to_dtype", "dtype"),
            Equal => self.zip("eq", a, b).then("to_dtype", "dtype"),
            Rem => {
                let order = self.axes.union(&[&a.dims, &b.dims]);
                let args = [a, b].map(|x| self.beside(x, &order));
                Piece::new(Code::call("remainder", args.map(|x| x.borrowed()).to_vec()), order)
            }
            Neg | Abs | Sign | Floor | Round | Stop | Exp | Expm1 | Log | Log1p | Sqrt | Sin | Cos | Tanh | Erf
            | Sigmoid | LogSigmoid | Softplus | InvSoftplus | Silu | Gelu | Relu | Where => {
                unreachable!("the validator counts arguments")
            }
        }
    }

    /// `function(x, n)`
    fn with_number(&mut self, function: Function, x: Piece, n: f64) -> Piece {
        let n_text = number(n);
        match function {
            Add => x.then("affine", &format!("1.0, {n_text}")),
            Sub => x.then("affine", &format!("1.0, {}", number(-n))),
            Mul => x.then("affine", &format!("{n_text}, 0.0")),
            Div => x.then("affine", &format!("1.0 / {n_text}, 0.0")),
            Pow => power(x, n),
            Min => x.then("minimum", &n_text),
            Max => x.then("maximum", &n_text),
            Less => x.then("lt", &n_text).then("to_dtype", "dtype"),
            AtMost => x.then("le", &n_text).then("to_dtype", "dtype"),
            Equal => x.then("eq", &n_text).then("to_dtype", "dtype"),
            _ => {
                let n = self.tensor(Value::Number(n));
                self.binary(function, x, n)
            }
        }
    }

    /// `function(n, x)`
    fn of_number(&mut self, function: Function, n: f64, x: Piece) -> Piece {
        let n_text = number(n);
        match function {
            Add => x.then("affine", &format!("1.0, {n_text}")),
            Sub => x.then("affine", &format!("-1.0, {n_text}")),
            Mul => x.then("affine", &format!("{n_text}, 0.0")),
            Div if n == 1.0 => x.then("recip", ""),
            Div => x.then("recip", "").then("affine", &format!("{n_text}, 0.0")),
            Pow if n > 0.0 => x.then("affine", &format!("{}, 0.0", number(n.ln()))).then("exp", ""),
            Min => x.then("minimum", &n_text),
            Max => x.then("maximum", &n_text),
            Less => x.then("gt", &n_text).then("to_dtype", "dtype"),
            AtMost => x.then("ge", &n_text).then("to_dtype", "dtype"),
            Equal => x.then("eq", &n_text).then("to_dtype", "dtype"),
            _ => {
                let n = self.tensor(Value::Number(n));
                self.binary(function, n, x)
            }
        }
    }

    /// `where(c, a, b)`
    fn choice(&mut self, c: Value, a: Value, b: Value) -> Piece {
        if let Some(c) = c.number() {
            // The other side is not computed, but lends its dimensions.
            let (taken, other) = if c == 0.0 { (b, a) } else { (a, b) };
            let (taken, other) = (self.tensor(taken), self.tensor(other));
            let order = self.axes.union(&[&taken.dims, &other.dims]);
            let code = self.expanded(taken, &order);
            return Piece::new(code, order);
        }
        let parts = [c, a, b].map(|x| self.tensor(x));
        let order = self.axes.union(&[&parts[0].dims, &parts[1].dims, &parts[2].dims]);
        let args = parts.map(|x| self.beside(x, &order));
        Piece::new(Code::call("select", args.map(|x| x.borrowed()).to_vec()), order)
    }

    /// A method of two tensors, element by element.
    pub(crate) fn zip(&mut self, method: &str, a: Piece, b: Piece) -> Piece {
        let mut order = self.axes.union(&[&a.dims, &b.dims]);
        if order.len() > a.dims.len() && order.len() > b.dims.len() {
            // What neither operand gives an order is laid out as weights are.
            order.sort_by_key(|dim| (self.axes.dependent(&[*dim]).len(), *dim));
        }
        let same = a.dims.len() == order.len() && b.dims.len() == order.len();
        let b = self.beside(b, &order);
        let method = if same { method.to_owned() } else { format!("broadcast_{method}") };
        Piece::new(a.aligned(&order).then(&method, &b.borrowed()), order)
    }
}

/// `x ^ n`; the derivative of the whole powers is right at 0, where `n x^(n-1)` may be `0 * inf`.
fn power(x: Piece, n: f64) -> Piece {
    match n {
        0.0 => x.then("ones_like", ""),
        1.0 => x,
        2.0 => x.then("sqr", ""),
        0.5 => x.then("sqrt", ""),
        -1.0 => x.then("recip", ""),
        _ => x.then("powf", &number(n)),
    }
}

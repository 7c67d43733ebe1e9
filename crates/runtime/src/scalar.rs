//! Scalar functions on tensors, composed of operations that candle differentiates.
//!
//! Each function has the value of [`Function::eval`] and its derivative, also far out, where the
//! textbook form overflows: sigmoids and softplus go through `exp(-|x|)`, comparisons and `where`
//! select. Candle's own `gelu` and `relu` are not used: the derivative of the first is rounded to
//! six digits, that of the second at 0 is 1.
//!
//! `a ^ b` with a tensor exponent is `exp(b log a)`, which asks for `a > 0`.

use candle_core::{DType, Result, Tensor};
use genesys_scalar::Function::{self, *};

use crate::contract::product;
use crate::named::{Place, Value, select, zip};

/// A function of numbers and tensors, which broadcast by label.
pub(crate) fn apply(place: &Place, function: Function, args: &[Value]) -> Result<Value> {
    if let Some(numbers) = args.iter().map(Value::number).collect::<Option<Vec<f64>>>() {
        return Ok(Value::Number(function.eval(&numbers)));
    }
    Ok(Value::Tensor(match args {
        [x] => x.named(place)?.map(|x| unary(function, x))?,
        [Value::Tensor(x), Value::Number(n)] => x.map(|x| with_number(place, function, x, *n))?,
        [Value::Number(n), Value::Tensor(x)] => x.map(|x| of_number(place, function, *n, x))?,
        [Value::Tensor(a), Value::Tensor(b)] if function == Mul => product(a, b)?,
        [a, b] => zip(&a.named(place)?, &b.named(place)?, |a, b| binary(function, a, b))?,
        [c, a, b] => {
            let mask = c.named(place)?.map(|c| c.ne(0.0))?;
            select(&mask, &a.named(place)?, &b.named(place)?)?
        }
        _ => unreachable!("a scalar function takes one to three arguments"),
    }))
}

fn unary(function: Function, x: &Tensor) -> Result<Tensor> {
    match function {
        Neg => x.neg(),
        Abs => x.abs(),
        Exp => x.exp(),
        Log => x.log(),
        Sqrt => x.sqrt(),
        Sin => x.sin(),
        Cos => x.cos(),
        Tanh => x.tanh(),
        Sigmoid => candle_nn::ops::sigmoid(x),
        LogSigmoid => softplus(&x.neg()?)?.neg(),
        Softplus => softplus(x),
        InvSoftplus => x + log_one_minus_exp(x)?,
        Silu => x.silu(),
        Gelu => gelu(x),
        Relu => x.gt(0.0)?.where_cond(x, &x.zeros_like()?),
        Add | Sub | Mul | Div | Pow | Min | Max | Less | AtMost | Equal | Where => {
            unreachable!("the validator counts arguments")
        }
    }
}

fn binary(function: Function, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match function {
        Add => a.add(b),
        Sub => a.sub(b),
        Mul => a.mul(b),
        Div => a.div(b),
        Pow => b.mul(&a.log()?)?.exp(),
        Min => a.minimum(b),
        Max => a.maximum(b),
        Less => a.lt(b)?.to_dtype(a.dtype()),
        AtMost => a.le(b)?.to_dtype(a.dtype()),
        Equal => a.eq(b)?.to_dtype(a.dtype()),
        Neg | Abs | Exp | Log | Sqrt | Sin | Cos | Tanh | Sigmoid | LogSigmoid | Softplus | InvSoftplus | Silu
        | Gelu | Relu | Where => unreachable!("the validator counts arguments"),
    }
}

/// `function(x, n)`
fn with_number(place: &Place, function: Function, x: &Tensor, n: f64) -> Result<Tensor> {
    match function {
        Add => x.affine(1.0, n),
        Sub => x.affine(1.0, -n),
        Mul => x.affine(n, 0.0),
        Div => x.affine(1.0 / n, 0.0),
        Pow => power(x, n),
        _ => binary(function, x, &place.number(n)?.broadcast_as(x.dims())?),
    }
}

/// `function(n, x)`
fn of_number(place: &Place, function: Function, n: f64, x: &Tensor) -> Result<Tensor> {
    match function {
        Add => x.affine(1.0, n),
        Sub => x.affine(-1.0, n),
        Mul => x.affine(n, 0.0),
        Div => x.recip()?.affine(n, 0.0),
        Pow if n > 0.0 => x.affine(n.ln(), 0.0)?.exp(),
        _ => binary(function, &place.number(n)?.broadcast_as(x.dims())?, x),
    }
}

/// `x ^ n`; the derivative of the whole powers is right at 0, where `n x^(n-1)` may be `0 * inf`.
fn power(x: &Tensor, n: f64) -> Result<Tensor> {
    match n {
        0.0 => x.ones_like(),
        1.0 => Ok(x.clone()),
        2.0 => x.sqr(),
        0.5 => x.sqrt(),
        -1.0 => x.recip(),
        _ => x.powf(n),
    }
}

/// `max(x, 0) + log(1 + exp(-|x|))`. The derivatives of both parts at 0 are taken from the right.
fn softplus(x: &Tensor) -> Result<Tensor> {
    x.relu()? + log_one_plus(&x.abs()?.neg()?.exp()?)?
}

/// `log(1 + z)` for `0 <= z <= 1`: a series where `1 + z` would lose the digits of `z`.
fn log_one_plus(z: &Tensor) -> Result<Tensor> {
    let series = (z * (((z * z.affine(1.0 / 3.0, -0.5)?)?) + 1.0)?)?;
    z.lt(threshold(z.dtype()))?.where_cond(&series, &z.affine(1.0, 1.0)?.log()?)
}

/// `log(1 - exp(-x))` for `x > 0`: `log(x (1 - x/2 + x^2/6))` where `1 - exp(-x)` would lose the
/// digits of `x`.
fn log_one_minus_exp(x: &Tensor) -> Result<Tensor> {
    let series = (x * (((x * x.affine(1.0 / 6.0, -0.5)?)?) + 1.0)?)?;
    let plain = x.neg()?.exp()?.affine(-1.0, 1.0)?;
    x.lt(threshold(x.dtype()))?.where_cond(&series, &plain)?.log()
}

/// Where the series above are as exact as the type.
fn threshold(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-5,
        _ => 1e-2,
    }
}

/// `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))` (Hendrycks and Gimpel, 2016).
fn gelu(x: &Tensor) -> Result<Tensor> {
    let scale = (2.0 / std::f64::consts::PI).sqrt();
    let inner = x.mul(&x.sqr()?.affine(0.044_715 * scale, scale)?)?.tanh()?;
    x.affine(0.5, 0.0)?.mul(&inner.affine(1.0, 1.0)?)
}

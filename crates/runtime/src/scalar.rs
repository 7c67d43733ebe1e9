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
        // Candle has no derivative of these steps, or one that is said to be 0: none is asked for.
        Sign => x.detach().sign(),
        Floor => x.detach().floor(),
        Round => x.detach().round(),
        Stop => Ok(x.detach()),
        Exp => x.exp(),
        Expm1 => expm1(x),
        Log => x.log(),
        Log1p => log1p(x),
        Sqrt => x.sqrt(),
        Sin => x.sin(),
        Cos => x.cos(),
        Tanh => x.tanh(),
        Erf => x.erf(),
        Sigmoid => candle_nn::ops::sigmoid(x),
        LogSigmoid => softplus(&x.neg()?)?.neg(),
        Softplus => softplus(x),
        InvSoftplus => x + log_one_minus_exp(x)?,
        Silu => x.silu(),
        Gelu => gelu(x),
        Relu => x.gt(0.0)?.where_cond(x, &x.zeros_like()?),
        Add | Sub | Mul | Div | Pow | Rem | Min | Max | Less | AtMost | Equal | Where => {
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
        Rem => remainder(a, b),
        Min => a.minimum(b),
        Max => a.maximum(b),
        Less => a.lt(b)?.to_dtype(a.dtype()),
        AtMost => a.le(b)?.to_dtype(a.dtype()),
        Equal => a.eq(b)?.to_dtype(a.dtype()),
        Neg | Abs | Sign | Floor | Round | Stop | Exp | Expm1 | Log | Log1p | Sqrt | Sin | Cos | Tanh | Erf
        | Sigmoid | LogSigmoid | Softplus | InvSoftplus | Silu | Gelu | Relu | Where => {
            unreachable!("the validator counts arguments")
        }
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

/// `a - b floor(a / b)`, where the quotient is a constant. It is divided, never multiplied by a reciprocal, so that
/// whole numbers divide exactly.
fn remainder(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let quotient = a.detach().div(&b.detach())?.floor()?;
    a.sub(&b.mul(&quotient)?)
}

/// `tanh(x/2) (e^x + 1)`, which loses no digits of a small `x`.
fn expm1(x: &Tensor) -> Result<Tensor> {
    x.affine(0.5, 0.0)?.tanh()?.mul(&x.exp()?.affine(1.0, 1.0)?)
}

/// `log(1 + x)`: a series where `1 + x` would lose the digits of `x`. Each branch is given 0 where the other holds, so
/// that no derivative of what is not chosen overflows.
fn log1p(x: &Tensor) -> Result<Tensor> {
    let small = x.abs()?.lt(threshold(x.dtype()))?;
    let zero = x.zeros_like()?;
    let (near, far) = (small.where_cond(x, &zero)?, small.where_cond(&zero, x)?);
    let far = far.affine(1.0, 1.0)?.log()?;
    small.where_cond(&log_series(&near)?, &far)
}

/// `max(x, 0) + log(1 + exp(-|x|))`. The derivatives of both parts at 0 are taken from the right.
fn softplus(x: &Tensor) -> Result<Tensor> {
    x.relu()? + log_one_plus(&x.abs()?.neg()?.exp()?)?
}

/// `log(1 + z)` for `0 <= z <= 1`: a series where `1 + z` would lose the digits of `z`.
fn log_one_plus(z: &Tensor) -> Result<Tensor> {
    let series = log_series(z)?;
    z.lt(threshold(z.dtype()))?.where_cond(&series, &z.affine(1.0, 1.0)?.log()?)
}

/// `z - z^2/2 + z^3/3`
fn log_series(z: &Tensor) -> Result<Tensor> {
    z * (((z * z.affine(1.0 / 3.0, -0.5)?)?) + 1.0)?
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use candle_core::{Device, Var};

    use super::*;
    use crate::named::{Label, Named};

    const POINTS: [f64; 13] = [-750.0, -40.0, -8.0, -2.5, -1.0, -1e-3, -1e-7, 1e-7, 1e-3, 0.7, 3.0, 40.0, 650.0];

    fn place() -> Place {
        Place { dtype: DType::F64, device: Device::Cpu }
    }

    fn in_domain(function: Function, args: &[f64]) -> bool {
        match function {
            Log | Sqrt | InvSoftplus => args[0] > 0.0,
            Log1p => args[0] > -1.0,
            Pow => args[0] > 0.0 && args[1].abs() < 50.0,
            _ => true,
        }
    }

    /// Whether the derivative is that of the values: not near a jump, nor of what is stopped.
    fn is_smooth(function: Function, args: &[f64]) -> bool {
        match function {
            Floor | Round => (2.0 * args[0]).fract() != 0.0,
            Rem => {
                let quotient = args[0] / args[1];
                quotient.abs() < 100.0 && (quotient - quotient.round()).abs() > 1e-2
            }
            Stop => false,
            _ => true,
        }
    }

    /// Value and derivatives at a point, the arguments of `numbers` given as numbers.
    fn at(function: Function, args: &[f64], numbers: &[bool]) -> (f64, Vec<f64>) {
        let vars: Vec<Var> = args.iter().map(|x| Var::new(*x, &Device::Cpu).unwrap()).collect();
        let value = |i: usize| match numbers[i] {
            true => Value::Number(args[i]),
            false => Value::Tensor(Named::new(vars[i].as_tensor().clone(), vec![])),
        };
        let values: Vec<Value> = (0..args.len()).map(value).collect();
        let result = apply(&place(), function, &values).unwrap().named(&place()).unwrap();
        let store = result.tensor().backward().unwrap();
        let gradient = |v: &Var| store.get(v).map_or(0.0, |g| g.to_scalar::<f64>().unwrap());
        (result.tensor().to_scalar().unwrap(), vars.iter().map(gradient).collect())
    }

    fn check(function: Function, args: &[f64], numbers: &[bool]) {
        if !in_domain(function, args) || !function.eval(args).is_finite() {
            return;
        }
        let (value, gradient) = at(function, args, numbers);
        let expected = function.eval(args);
        let near = |a: f64, b: f64, tolerance: f64| (a - b).abs() <= tolerance * (1.0 + b.abs());
        assert!(near(value, expected, 1e-12), "{function:?} at {args:?}: {value}, not {expected}");
        for i in (0..args.len()).filter(|i| !numbers[*i]) {
            let h = 1e-4 * args[i].abs().min(1.0);
            let rounding = 1e-15 * args.iter().fold(expected.abs(), |m, x| m.max(x.abs())) / h;
            let moved = |by: f64| {
                let mut moved = args.to_vec();
                moved[i] += by;
                function.eval(&moved)
            };
            let difference = (moved(h) - moved(-h)) / (2.0 * h);
            if difference.is_finite() && is_smooth(function, args) {
                let found = gradient[i];
                let same = (found - difference).abs() <= 2e-5 * (1.0 + difference.abs()) + rounding;
                assert!(same, "{function:?} at {args:?}: slope {found}, not {difference}");
            }
        }
    }

    #[test]
    fn values_and_derivatives_are_those_of_the_definition() {
        for function in Function::ALL {
            for a in POINTS {
                match function.arity() {
                    1 => check(function, &[a], &[false]),
                    2 => {
                        for b in POINTS.iter().map(|b| b * 1.01) {
                            check(function, &[a, b], &[false, false]);
                            check(function, &[a, b], &[false, true]);
                            check(function, &[a, b], &[true, false]);
                        }
                    }
                    _ => {
                        check(function, &[1.0, a, 2.0], &[false, false, false]);
                        check(function, &[0.0, a, 2.0], &[true, false, true]);
                    }
                }
            }
        }
    }

    #[test]
    fn derivatives_at_kinks_are_as_stated() {
        assert_eq!(at(Relu, &[0.0], &[false]).1, [0.0]);
        for (function, slope) in [(Sigmoid, 0.25), (Softplus, 0.5), (LogSigmoid, 0.5), (Silu, 0.5), (Gelu, 0.5)] {
            let found = at(function, &[0.0], &[false]).1[0];
            assert!((found - slope).abs() < 1e-12, "{function:?}: {found}");
        }
        for function in [Min, Max] {
            for numbers in [[false, false], [false, true], [true, false]] {
                let slopes = at(function, &[0.7, 0.7], &numbers).1;
                let halves = numbers.map(|number| if number { 0.0 } else { 0.5 });
                assert_eq!(slopes, halves, "{function:?} of equal ones");
            }
        }
        for function in Function::ALL.into_iter().filter(|function| function.is_flat()) {
            for x in [-2.0, -0.5, 0.0, 0.5, 3.0] {
                let args = [x, 0.5];
                let args = &args[..function.arity()];
                assert!(
                    at(function, args, &vec![false; args.len()]).1.iter().all(|slope| *slope == 0.0),
                    "{function:?}"
                );
            }
        }
        assert_eq!(at(Rem, &[-7.0, 4.0], &[false, false]).1, [1.0, 2.0]);
        for n in [0.0, 1.0, 2.0, 3.0] {
            assert!(at(Pow, &[0.0, n], &[false, true]).1[0].is_finite(), "power {n} at 0");
        }
    }

    #[test]
    fn whole_numbers_have_exact_remainders_in_single_precision() {
        let single = Place { dtype: DType::F32, device: Device::Cpu };
        let positions: Vec<f32> = (0..4096).map(|t| t as f32).collect();
        let x = Value::Tensor(Named::new(Tensor::new(positions.as_slice(), &Device::Cpu).unwrap(), vec![Label::Time]));
        for n in 1..70 {
            let rest = apply(&single, Rem, &[x.clone(), Value::Number(f64::from(n))]).unwrap().named(&single).unwrap();
            let expected: Vec<f32> = (0..4096).map(|t| (t % n) as f32).collect();
            assert_eq!(rest.tensor().to_vec1::<f32>().unwrap(), expected, "% {n}");
        }
    }

    #[test]
    fn a_stopped_value_is_a_constant() {
        let x = Var::new(3.0, &Device::Cpu).unwrap();
        let named = Value::Tensor(Named::new(x.as_tensor().clone(), vec![]));
        let stopped = apply(&place(), Stop, std::slice::from_ref(&named)).unwrap();
        // x - stop(x) is 0, and its derivative 1.
        let difference = apply(&place(), Sub, &[named, stopped]).unwrap().named(&place()).unwrap();
        let store = difference.tensor().backward().unwrap();
        assert_eq!(difference.tensor().to_scalar::<f64>().unwrap(), 0.0);
        assert_eq!(store.get(&x).unwrap().to_scalar::<f64>().unwrap(), 1.0);
    }

    #[test]
    fn a_selection_never_multiplies() {
        let (value, gradient) = at(Where, &[0.0, f64::NAN, 2.0], &[false, false, false]);
        assert_eq!((value, &gradient[1..]), (2.0, [0.0, 1.0].as_slice()));
    }
}

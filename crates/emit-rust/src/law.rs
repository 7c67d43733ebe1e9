//! First values of weights, as candle's `Init`.
//!
//! A law that `Init` cannot say (a function of a draw, an index, the number of the block) has the value NaN, and the weight
//! says that it comes from a checkpoint: what is silently wrong would train.

use genesys_axis::Constant;
use genesys_scalar::Law;

use crate::body::real;
use crate::code::number;

/// What a weight begins as.
pub(crate) struct Initial {
    /// An expression of candle's type `Init`.
    pub(crate) code: String,
    /// Whether candle cannot draw it.
    pub(crate) is_foreign: bool,
}

/// The `Init` of a law.
pub(crate) fn initial(law: &Law<Constant>) -> Initial {
    let known = |code| Initial { code, is_foreign: false };
    if let Some(value) = constant(law) {
        return known(format!("Init::Const({})", number(value)));
    }
    match law {
        Law::Uniform(low, high) => match (constant(low), constant(high)) {
            (Some(low), Some(high)) => known(format!("uniform({}, {})", number(low), number(high))),
            _ => foreign(),
        },
        Law::Normal(deviation) => match constant(deviation) {
            Some(deviation) => known(format!("normal({})", number(deviation))),
            None => foreign(),
        },
        Law::Const(_) | Law::Index(_) | Law::Layer | Law::Map(..) => foreign(),
    }
}

fn foreign() -> Initial {
    Initial { code: "Init::Const(f64::NAN)".to_owned(), is_foreign: true }
}

/// The number that a law gives everywhere, if it is one.
fn constant(law: &Law<Constant>) -> Option<f64> {
    match law {
        Law::Const(value) => Some(real(value)),
        Law::Map(function, args) => {
            let args: Option<Vec<f64>> = args.iter().map(constant).collect();
            Some(function.eval(&args?))
        }
        Law::Index(_) | Law::Layer | Law::Uniform(..) | Law::Normal(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use genesys_scalar::Function;

    use super::*;

    #[test]
    fn a_law_is_an_init_or_says_that_it_is_none() {
        let c = |value: f64| Law::Const(Constant::Real(value));
        let root = Law::Map(Function::Div, vec![c(1.0), Law::Map(Function::Sqrt, vec![c(16.0)])]);
        let low = Law::Map(Function::Neg, vec![root.clone()]);
        assert_eq!(initial(&Law::Uniform(Box::new(low), Box::new(root.clone()))).code, "uniform(-0.25, 0.25)");
        assert_eq!(initial(&c(1.0)).code, "Init::Const(1.0)");
        assert_eq!(initial(&Law::Normal(Box::new(c(0.02)))).code, "normal(0.02)");
        assert!(initial(&Law::Map(Function::Log, vec![Law::Normal(Box::new(root))])).is_foreign);
    }
}

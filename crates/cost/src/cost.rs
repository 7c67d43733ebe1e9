//! Formulas in `D` and `T`.

use std::collections::BTreeMap;
use std::fmt;

use genesys_axis::{Size, SizeError};

use crate::Extent;

/// A sum of terms, each a polynomial over the width times an extent of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    terms: BTreeMap<Extent, Size>,
}

impl Cost {
    /// `size` of them at each place of an extent.
    pub fn of(extent: Extent, size: Size) -> Cost {
        let terms = if size == Size::int(0) { BTreeMap::new() } else { BTreeMap::from([(extent, size)]) };
        Cost { terms }
    }

    /// Whether it is 0 at every scale.
    pub fn is_zero(&self) -> bool {
        self.terms.is_empty()
    }

    /// `self + other`.
    ///
    /// # Errors
    /// A coefficient does not fit in 64 bits.
    pub fn plus(&self, other: &Cost) -> Result<Cost, SizeError> {
        let mut sum = self.clone();
        for (extent, size) in &other.terms {
            let known = sum.terms.remove(extent).unwrap_or_default();
            let size = known.add(size)?;
            if size != Size::int(0) {
                sum.terms.insert(extent.clone(), size);
            }
        }
        Ok(sum)
    }

    /// `n * self`.
    ///
    /// # Errors
    /// A coefficient does not fit in 64 bits.
    pub fn times(&self, n: i64) -> Result<Cost, SizeError> {
        let scaled = |(extent, size): (&Extent, &Size)| Ok((extent.clone(), size.mul(&Size::int(n))?));
        let terms = self.terms.iter().map(scaled).collect::<Result<BTreeMap<_, _>, SizeError>>()?;
        Ok(Cost { terms: terms.into_iter().filter(|(_, size)| *size != Size::int(0)).collect() })
    }

    /// The value for one row of `length` positions at a width.
    ///
    /// # Errors
    /// A size has no value at this width, or the value does not fit in 128 bits.
    pub fn eval(&self, width: i64, length: u64) -> Result<i128, SizeError> {
        self.terms.iter().try_fold(0i128, |sum, (extent, size)| {
            let factor = size.eval(&|name| (name == "D").then_some(width))?;
            let term = extent.eval(width, length)?.checked_mul(i128::from(factor));
            term.and_then(|term| sum.checked_add(term)).ok_or(SizeError::Overflow)
        })
    }

    /// As [`eval`](Self::eval), each dependent axis with all positions of the row: what a rectangular buffer holds.
    ///
    /// # Errors
    /// As [`eval`](Self::eval).
    pub fn eval_square(&self, width: i64, length: u64) -> Result<i128, SizeError> {
        self.terms.iter().try_fold(0i128, |sum, (extent, size)| {
            let factor = i128::from(size.eval(&|name| (name == "D").then_some(width))?);
            let places = match extent {
                Extent::Once => Some(1),
                Extent::Each(domains) => i128::from(length).checked_pow(1 + domains.len() as u32),
            };
            let term = places.and_then(|places| places.checked_mul(factor));
            term.and_then(|term| sum.checked_add(term)).ok_or(SizeError::Overflow)
        })
    }

    /// The power of `T` that it grows with.
    pub fn degree(&self) -> u32 {
        self.terms.keys().map(Extent::degree).max().unwrap_or(0)
    }

    /// The complexity class of its growth: `O(1)`, `O(T)`, `O(T^2)`.
    pub fn class(&self) -> String {
        match self.degree() {
            0 => "O(1)".into(),
            1 => "O(T)".into(),
            power => format!("O(T^{power})"),
        }
    }
}

impl fmt::Display for Cost {
    /// Fastest growth first: `4 D * T(T+1)/2 + 8 D^2 * T`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        let mut terms: Vec<(&Extent, &Size)> = self.terms.iter().collect();
        terms.sort_by_key(|(extent, _)| std::cmp::Reverse(extent.degree()));
        for (i, (extent, size)) in terms.into_iter().enumerate() {
            let sum = size.terms() > 1;
            let (open, close) = if sum { ("(", ")") } else { ("", "") };
            write!(f, "{}{open}{}{close}", if i == 0 { "" } else { " + " }, size.formula())?;
            if *extent != Extent::Once {
                write!(f, " * {extent}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use genesys_axis::Domain;
    use proptest::prelude::*;

    use super::*;

    fn cost() -> impl Strategy<Value = Cost> {
        let past = prop_oneof![Just(None), (1i64..5).prop_map(Some)]
            .prop_map(|window| Domain::Past { window: window.map(Size::int), skip: Size::int(0) });
        let extent = prop_oneof![Just(Extent::Once), prop::collection::vec(past, 0..3).prop_map(Extent::Each)];
        let size = (-3i64..4, 0u32..3)
            .prop_map(|(n, power)| (0..power).try_fold(Size::int(n), |size, _| size.mul(&Size::symbol("D"))).unwrap());
        prop::collection::vec((extent, size), 0..5).prop_map(|terms| {
            terms.into_iter().fold(Cost::default(), |sum, (extent, size)| sum.plus(&Cost::of(extent, size)).unwrap())
        })
    }

    proptest! {
        #[test]
        fn values_of_sums_are_sums_of_values(a in cost(), b in cost(), n in -3i64..4, width in 1i64..9, length in 0u64..9) {
            let at = |cost: &Cost| cost.eval(width, length).unwrap();
            prop_assert_eq!(at(&a.plus(&b).unwrap()), at(&a) + at(&b));
            prop_assert_eq!(at(&a.times(n).unwrap()), i128::from(n) * at(&a));
            prop_assert!(a.plus(&a.times(-1).unwrap()).unwrap().is_zero());
        }
    }

    #[test]
    fn a_formula_reads_from_the_fastest_growth_on() {
        let d = Size::symbol("D");
        let square = d.mul(&d).unwrap().mul(&Size::int(8)).unwrap();
        let past = Extent::Each(vec![Domain::Past { window: None, skip: Size::int(0) }]);
        let sum = Cost::of(Extent::positions(), square).plus(&Cost::of(past, d.mul(&Size::int(4)).unwrap())).unwrap();
        assert_eq!(sum.to_string(), "4 D * T(T+1)/2 + 8 D^2 * T");
        assert_eq!((sum.class().as_str(), sum.eval(64, 100)), ("O(T^2)", Ok(256 * 5050 + 8 * 4096 * 100)));
        assert_eq!(Cost::default().to_string(), "0");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let d = Size::symbol("D");
        let quartic = d.mul(&d).unwrap().mul(&d).unwrap().mul(&d).unwrap();
        assert_eq!(Cost::of(Extent::Once, quartic).eval(i64::MAX, 1), Err(SizeError::Overflow));
    }
}

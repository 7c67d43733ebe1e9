//! Symbolic sizes in normal form.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use num_rational::Ratio;
use num_traits::{CheckedAdd, CheckedDiv, CheckedMul, CheckedSub, One, Zero};
use smallvec::{SmallVec, smallvec};

type Rational = Ratio<i64>;

/// A size: a polynomial with rational coefficients, kept in normal form.
///
/// `D / 64 * 64 == D` holds because division keeps a rational coefficient; that `D / 64` is whole
/// is asked where it becomes the size of an axis ([`Requirement`](crate::Requirement)).
#[derive(Clone)]
pub struct Size(Form);

/// A number has one form, so that equal sizes have equal forms.
#[derive(Clone)]
enum Form {
    /// No symbol occurs.
    Number(Rational),
    /// Monomials in ascending order, each with its coefficient, which is not zero; the number among them is that of the
    /// empty one. Copies share them.
    Sum(Arc<[Term]>),
}

/// A monomial and its coefficient.
type Term = (Monomial, Rational);

/// Terms being put together; most sizes have one.
type Terms = SmallVec<[Term; 2]>;

/// A product of atoms in ascending order, with positive powers; empty is 1.
type Monomial = SmallVec<[Factor; 1]>;

/// An atom and its power.
type Factor = (Atom, u32);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Atom {
    Symbol(Arc<str>),
    CeilTo(Box<Size>, Box<Size>),
    Min(Box<Size>, Box<Size>),
    Max(Box<Size>, Box<Size>),
    Quotient(Box<Size>, Box<Size>),
}

/// Why a size has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SizeError {
    /// A coefficient or a value left the range of 64-bit integers.
    Overflow,
    /// Division by a size that is zero.
    DivisionByZero,
    /// The value is not an integer: this division is not exact.
    Inexact(String),
    /// A symbol has no value.
    Unbound(String),
}

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SizeError::Overflow => write!(f, "the size does not fit in 64 bits"),
            SizeError::DivisionByZero => write!(f, "division by a size that is zero"),
            SizeError::Inexact(size) => write!(f, "`{size}` is not a whole number"),
            SizeError::Unbound(symbol) => write!(f, "`{symbol}` has no value here"),
        }
    }
}

impl std::error::Error for SizeError {}

type Result<T> = std::result::Result<T, SizeError>;

/// A product: without a look for common factors where a whole number holds the other's denominator.
fn multiply(a: Rational, b: Rational) -> Result<Rational> {
    let (whole, other) = if a.is_integer() { (a, b) } else { (b, a) };
    let (n, denominator) = (*whole.numer(), *other.denom());
    let product = if !whole.is_integer() {
        a.checked_mul(&b)
    } else if denominator == 1 {
        n.checked_mul(*other.numer()).map(Rational::from_integer)
    } else if n % denominator == 0 {
        (n / denominator).checked_mul(*other.numer()).map(Rational::from_integer)
    } else {
        a.checked_mul(&b)
    };
    product.ok_or(SizeError::Overflow)
}

impl Size {
    /// The constant `n`.
    pub fn int(n: i64) -> Self {
        Self::number(Rational::from_integer(n))
    }

    /// The symbol `name`: the width `D` or a static parameter.
    pub fn symbol(name: impl Into<Arc<str>>) -> Self {
        Self::atom(Atom::Symbol(name.into()))
    }

    /// `self + other`.
    #[allow(clippy::should_implement_trait, reason = "checked: it can fail")]
    pub fn add(&self, other: &Size) -> Result<Size> {
        self.combine(other, |a, b| a.checked_add(b))
    }

    /// `self - other`.
    #[allow(clippy::should_implement_trait, reason = "checked: it can fail")]
    pub fn sub(&self, other: &Size) -> Result<Size> {
        self.combine(other, |a, b| a.checked_sub(b))
    }

    /// `self * other`.
    #[allow(clippy::should_implement_trait, reason = "checked: it can fail")]
    pub fn mul(&self, other: &Size) -> Result<Size> {
        if let (Form::Number(a), Form::Number(b)) = (&self.0, &other.0) {
            return a.checked_mul(b).map(Size::number).ok_or(SizeError::Overflow);
        }
        if self.as_int() == Some(1) {
            return Ok(other.clone());
        }
        let mut out = Terms::new();
        for (left, a) in self.iter() {
            for (right, b) in other.iter() {
                add_term(&mut out, times(left, right)?, a.checked_mul(&b).ok_or(SizeError::Overflow)?)?;
            }
        }
        Ok(Size::sum(out))
    }

    /// Exact division: the quotient may be a fraction until a size that must be whole is made of it.
    #[allow(clippy::should_implement_trait, reason = "checked: it can fail")]
    pub fn div(&self, other: &Size) -> Result<Size> {
        if self == other && !other.is_zero() {
            return Ok(Size::int(1));
        }
        let mut terms = other.iter();
        let Some((monomial, coefficient)) = terms.next() else { return Err(SizeError::DivisionByZero) };
        if terms.next().is_none()
            && let Some(quotient) = self.div_monomial(monomial, coefficient)?
        {
            return Ok(quotient);
        }
        Ok(Size::atom(Atom::Quotient(Box::new(self.clone()), Box::new(other.clone()))))
    }

    /// The smallest multiple of `step` that is not below `self`, which need not be whole.
    pub fn ceil_to(&self, step: &Size) -> Result<Size> {
        self.fold_or(step, ceil_to, Atom::CeilTo)
    }

    /// The smaller of two sizes.
    pub fn smaller(&self, other: &Size) -> Result<Size> {
        self.fold_or(other, |a, b| Ok(a.min(b)), Atom::Min)
    }

    /// The larger of two sizes.
    pub fn larger(&self, other: &Size) -> Result<Size> {
        self.fold_or(other, |a, b| Ok(a.max(b)), Atom::Max)
    }

    /// The value, where the size is a whole constant.
    pub fn as_int(&self) -> Option<i64> {
        let rational = self.as_rational()?;
        rational.is_integer().then(|| rational.to_integer())
    }

    /// Whether no symbol occurs.
    pub fn is_constant(&self) -> bool {
        self.as_rational().is_some()
    }

    /// The integer value where each symbol has the value that `lookup` gives.
    pub fn eval(&self, lookup: &dyn Fn(&str) -> Option<i64>) -> Result<i64> {
        let value = self.value(lookup)?;
        if value.is_integer() { Ok(value.to_integer()) } else { Err(SizeError::Inexact(self.to_string())) }
    }

    fn value(&self, lookup: &dyn Fn(&str) -> Option<i64>) -> Result<Rational> {
        let mut sum = None;
        for (monomial, coefficient) in self.iter() {
            let mut product = coefficient;
            for (atom, power) in monomial {
                let value = atom.value(lookup)?;
                for _ in 0..*power {
                    product = multiply(product, value)?;
                }
            }
            // Most sizes have one term.
            sum = Some(match sum {
                None => product,
                Some(sum) => product.checked_add(&sum).ok_or(SizeError::Overflow)?,
            });
        }
        Ok(sum.unwrap_or_else(Rational::zero))
    }

    /// Every symbol replaced by what `lookup` gives for it; the others stay.
    pub fn substitute(&self, lookup: &dyn Fn(&str) -> Option<Size>) -> Result<Size> {
        let mut out = Size::default();
        for (monomial, coefficient) in self.iter() {
            let mut term = Size::number(coefficient);
            for (atom, power) in monomial {
                let value = atom.substitute(lookup)?;
                for _ in 0..*power {
                    term = term.mul(&value)?;
                }
            }
            out = out.add(&term)?;
        }
        Ok(out)
    }

    /// How many terms are summed; 0 has none.
    pub fn terms(&self) -> usize {
        self.iter().count()
    }

    /// The size as people write formulas: `8 D^2/3 + 1`. The form that is read back is [`fmt::Display`].
    pub fn formula(&self) -> impl fmt::Display + '_ {
        Formula(self)
    }

    fn number(value: Rational) -> Self {
        Size(Form::Number(value))
    }

    fn atom(atom: Atom) -> Self {
        Size(Form::Sum(Arc::new([(smallvec![(atom, 1)], Rational::one())])))
    }

    /// What terms in ascending order sum up to.
    fn sum(terms: Terms) -> Self {
        match terms.as_slice() {
            [] => Size::number(Rational::zero()),
            [(monomial, value)] if monomial.is_empty() => Size::number(*value),
            _ => Size(Form::Sum(terms.into_iter().collect())),
        }
    }

    fn is_zero(&self) -> bool {
        matches!(&self.0, Form::Number(value) if value.is_zero())
    }

    /// The terms in ascending order of their monomials; 0 has none.
    fn iter(&self) -> impl DoubleEndedIterator<Item = (&[Factor], Rational)> {
        let (number, sum): (Option<Rational>, &[Term]) = match &self.0 {
            Form::Number(value) => (Some(*value).filter(|value| !value.is_zero()), &[]),
            Form::Sum(terms) => (None, terms),
        };
        let number = number.into_iter().map(|value| (&[][..], value));
        number.chain(sum.iter().map(|(monomial, value)| (monomial.as_slice(), *value)))
    }

    fn as_rational(&self) -> Option<Rational> {
        match &self.0 {
            Form::Number(value) => Some(*value),
            Form::Sum(_) => None,
        }
    }

    fn combine(&self, other: &Size, f: impl Fn(&Rational, &Rational) -> Option<Rational>) -> Result<Size> {
        if let (Form::Number(a), Form::Number(b)) = (&self.0, &other.0) {
            return f(a, b).map(Size::number).ok_or(SizeError::Overflow);
        }
        let mut out: Terms = self.iter().map(|(monomial, value)| (monomial.into(), value)).collect();
        for (monomial, b) in other.iter() {
            let a = match out.binary_search_by(|(known, _)| known.as_slice().cmp(monomial)) {
                Ok(place) => out.remove(place).1,
                Err(_) => Rational::zero(),
            };
            add_term(&mut out, monomial.into(), f(&a, &b).ok_or(SizeError::Overflow)?)?;
        }
        Ok(Size::sum(out))
    }

    /// Division by one term; `None` where a monomial does not hold the divisor's atoms.
    fn div_monomial(&self, divisor: &[Factor], coefficient: Rational) -> Result<Option<Size>> {
        let inverse = coefficient.recip();
        let mut out = Terms::new();
        for (monomial, value) in self.iter() {
            let Some(rest) = without(monomial, divisor) else { return Ok(None) };
            add_term(&mut out, rest, value.checked_mul(&inverse).ok_or(SizeError::Overflow)?)?;
        }
        Ok(Some(Size::sum(out)))
    }

    fn fold_or(
        &self,
        other: &Size,
        fold: impl Fn(Rational, Rational) -> Result<Rational>,
        atom: impl Fn(Box<Size>, Box<Size>) -> Atom,
    ) -> Result<Size> {
        match (self.as_rational(), other.as_rational()) {
            (Some(a), Some(b)) => Ok(Size::number(fold(a, b)?)),
            _ => Ok(Size::atom(atom(Box::new(self.clone()), Box::new(other.clone())))),
        }
    }
}

impl Default for Size {
    fn default() -> Self {
        Size::int(0)
    }
}

impl PartialEq for Size {
    fn eq(&self, other: &Size) -> bool {
        match (&self.0, &other.0) {
            (Form::Number(a), Form::Number(b)) => a == b,
            (Form::Sum(a), Form::Sum(b)) => Arc::ptr_eq(a, b) || a == b,
            (Form::Number(_), Form::Sum(_)) | (Form::Sum(_), Form::Number(_)) => false,
        }
    }
}

impl Eq for Size {}

impl PartialOrd for Size {
    fn partial_cmp(&self, other: &Size) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As lists of terms: an order for normal forms, not that of values.
impl Ord for Size {
    fn cmp(&self, other: &Size) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl Hash for Size {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|term| term.hash(state));
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Size").field("terms", &self.iter().collect::<Vec<_>>()).finish()
    }
}

fn add_term(terms: &mut Terms, monomial: Monomial, value: Rational) -> Result<()> {
    match terms.binary_search_by(|(known, _)| known.cmp(&monomial)) {
        Ok(place) => {
            let sum = terms[place].1.checked_add(&value).ok_or(SizeError::Overflow)?;
            if sum.is_zero() {
                terms.remove(place);
            } else {
                terms[place].1 = sum;
            }
        }
        Err(place) if !value.is_zero() => terms.insert(place, (monomial, value)),
        Err(_) => {}
    }
    Ok(())
}

/// The product of two monomials.
fn times(left: &[Factor], right: &[Factor]) -> Result<Monomial> {
    let mut product = Monomial::from(left);
    for (atom, power) in right {
        match product.binary_search_by(|(known, _)| known.cmp(atom)) {
            Ok(place) => {
                let sum = product[place].1.checked_add(*power).ok_or(SizeError::Overflow)?;
                product[place].1 = sum;
            }
            Err(place) => product.insert(place, (atom.clone(), *power)),
        }
    }
    Ok(product)
}

/// What is left of a monomial without the atoms of another; `None` where it does not hold them.
fn without(monomial: &[Factor], divisor: &[Factor]) -> Option<Monomial> {
    let mut rest = Monomial::from(monomial);
    for (atom, power) in divisor {
        let place = rest.binary_search_by(|(known, _)| known.cmp(atom)).ok()?;
        rest[place].1 = rest[place].1.checked_sub(*power)?;
        if rest[place].1 == 0 {
            rest.remove(place);
        }
    }
    Some(rest)
}

impl Atom {
    fn value(&self, lookup: &dyn Fn(&str) -> Option<i64>) -> Result<Rational> {
        let pair = |a: &Size, b: &Size| Ok((a.value(lookup)?, b.value(lookup)?));
        match self {
            Atom::Symbol(name) => match lookup(name) {
                Some(value) => Ok(Rational::from_integer(value)),
                None => Err(SizeError::Unbound(name.to_string())),
            },
            Atom::CeilTo(a, b) => pair(a, b).and_then(|(a, b)| ceil_to(a, b)),
            Atom::Min(a, b) => pair(a, b).map(|(a, b)| a.min(b)),
            Atom::Max(a, b) => pair(a, b).map(|(a, b)| a.max(b)),
            Atom::Quotient(a, b) => match pair(a, b)? {
                (_, b) if b.is_zero() => Err(SizeError::DivisionByZero),
                (a, b) => a.checked_div(&b).ok_or(SizeError::Overflow),
            },
        }
    }

    fn substitute(&self, lookup: &dyn Fn(&str) -> Option<Size>) -> Result<Size> {
        let pair = |a: &Size, b: &Size| Ok((a.substitute(lookup)?, b.substitute(lookup)?));
        match self {
            Atom::Symbol(name) => Ok(lookup(name).unwrap_or_else(|| Size::symbol(name.clone()))),
            Atom::CeilTo(a, b) => pair(a, b).and_then(|(a, b)| a.ceil_to(&b)),
            Atom::Min(a, b) => pair(a, b).and_then(|(a, b)| a.smaller(&b)),
            Atom::Max(a, b) => pair(a, b).and_then(|(a, b)| a.larger(&b)),
            Atom::Quotient(a, b) => pair(a, b).and_then(|(a, b)| a.div(&b)),
        }
    }
}

fn ceil_to(value: Rational, step: Rational) -> Result<Rational> {
    if step <= Rational::zero() {
        return Err(SizeError::DivisionByZero);
    }
    let steps = value.checked_div(&step).ok_or(SizeError::Overflow)?.ceil();
    steps.checked_mul(&step).ok_or(SizeError::Overflow)
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_terms(self, f, write_term)
    }
}

/// A size with powers and without signs of multiplication.
struct Formula<'a>(&'a Size);

impl fmt::Display for Formula<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_terms(self.0, f, write_powers)
    }
}

/// A sum, highest monomials first, which reads as people write it: `2*D + 1`.
fn write_terms(
    size: &Size,
    f: &mut fmt::Formatter<'_>,
    write: fn(&mut fmt::Formatter<'_>, &[Factor], Rational) -> fmt::Result,
) -> fmt::Result {
    if size.is_zero() {
        return f.write_str("0");
    }
    for (i, (monomial, value)) in size.iter().rev().enumerate() {
        let negative = *value.numer() < 0;
        match (i, negative) {
            (0, false) => {}
            (0, true) => f.write_str("-")?,
            (_, false) => f.write_str(" + ")?,
            (_, true) => f.write_str(" - ")?,
        }
        write(f, monomial, if negative { -value } else { value })?;
    }
    Ok(())
}

fn write_powers(f: &mut fmt::Formatter<'_>, monomial: &[Factor], value: Rational) -> fmt::Result {
    let mut gap = "";
    if monomial.is_empty() || !value.numer().is_one() {
        write!(f, "{}", value.numer())?;
        gap = " ";
    }
    for (atom, power) in monomial {
        match power {
            1 => write!(f, "{gap}{atom}")?,
            _ => write!(f, "{gap}{atom}^{power}")?,
        }
        gap = " ";
    }
    if value.denom().is_one() { Ok(()) } else { write!(f, "/{}", value.denom()) }
}

fn write_term(f: &mut fmt::Formatter<'_>, monomial: &[Factor], value: Rational) -> fmt::Result {
    let mut sign = "";
    if monomial.is_empty() || !value.numer().is_one() {
        write!(f, "{}", value.numer())?;
        sign = "*";
    }
    for (atom, power) in monomial {
        for _ in 0..*power {
            f.write_str(sign)?;
            fmt::Display::fmt(atom, f)?;
            sign = "*";
        }
    }
    if value.denom().is_one() { Ok(()) } else { write!(f, "/{}", value.denom()) }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Atom::Symbol(name) => f.write_str(name),
            Atom::CeilTo(a, b) => write!(f, "ceil_to({a}, {b})"),
            Atom::Min(a, b) => write!(f, "min({a}, {b})"),
            Atom::Max(a, b) => write!(f, "max({a}, {b})"),
            Atom::Quotient(a, b) => write!(f, "(({a}) / ({b}))"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn d() -> Size {
        Size::symbol("D")
    }

    #[test]
    fn exact_division_cancels() {
        let h = d().div(&Size::int(64)).unwrap();
        assert_eq!(h.mul(&Size::int(64)).unwrap(), d());
        assert_eq!(d().mul(&d()).unwrap().div(&d()).unwrap(), d());
        assert_eq!(h.to_string(), "D/64");
        assert_eq!(h.eval(&|_| Some(100)), Err(SizeError::Inexact("D/64".into())));
        assert_eq!(h.eval(&|_| Some(128)), Ok(2));
    }

    #[test]
    fn atoms_fold_once_they_are_constant() {
        let hidden = d().mul(&Size::int(8)).unwrap().div(&Size::int(3)).unwrap().ceil_to(&Size::int(128)).unwrap();
        assert_eq!(hidden.to_string(), "ceil_to(8*D/3, 128)");
        assert_eq!(hidden.eval(&|_| Some(96)), Ok(256));
        assert_eq!(hidden.eval(&|_| Some(64)), Ok(256), "8 * 64 / 3 is not whole, its multiple of 128 is");
        assert_eq!(Size::int(5).smaller(&Size::int(3)).unwrap(), Size::int(3));
    }

    #[test]
    fn formulas_have_powers() {
        let square = d().mul(&d()).unwrap();
        let size = square.mul(&Size::int(8)).unwrap().div(&Size::int(3)).unwrap().sub(&d()).unwrap();
        assert_eq!(size.formula().to_string(), "8 D^2/3 - D");
        assert_eq!((size.terms(), Size::int(0).formula().to_string()), (2, "0".into()));
    }

    #[test]
    fn errors_are_values() {
        assert_eq!(d().div(&Size::int(0)), Err(SizeError::DivisionByZero));
        assert_eq!(Size::int(i64::MAX).add(&Size::int(1)), Err(SizeError::Overflow));
        assert_eq!(d().eval(&|_| None), Err(SizeError::Unbound("D".into())));
    }

    fn size() -> impl Strategy<Value = Size> {
        let leaf = prop_oneof![(-9i64..10).prop_map(Size::int), Just(d()), Just(Size::symbol("E"))];
        leaf.prop_recursive(4, 16, 2, |inner| {
            (inner.clone(), inner, 0..3).prop_map(|(a, b, op)| match op {
                0 => a.add(&b).unwrap(),
                1 => a.sub(&b).unwrap(),
                _ => a.mul(&b).unwrap(),
            })
        })
    }

    proptest! {
        #[test]
        fn arithmetic_commutes_with_evaluation(a in size(), b in size(), x in -5i64..6, y in -5i64..6) {
            let at = |s: &Size| s.eval(&|n| Some(if n == "D" { x } else { y })).unwrap();
            prop_assert_eq!(at(&a.add(&b).unwrap()), at(&a) + at(&b));
            prop_assert_eq!(at(&a.sub(&b).unwrap()), at(&a) - at(&b));
            prop_assert_eq!(at(&a.mul(&b).unwrap()), at(&a) * at(&b));
        }

        #[test]
        fn a_value_is_what_substitution_gives(a in size(), b in size(), x in -5i64..6, y in -5i64..6) {
            let at = |n: &str| Some(if n == "D" { x } else { y });
            for size in [a.div(&b), a.ceil_to(&b), a.smaller(&b), a.larger(&b)].into_iter().flatten() {
                let substituted = size.substitute(&|n| at(n).map(Size::int));
                prop_assert_eq!(size.eval(&at).ok(), substituted.ok().and_then(|value| value.as_int()));
            }
        }

        #[test]
        fn the_normal_form_decides_ring_laws(a in size(), b in size(), c in size()) {
            prop_assert_eq!(a.mul(&b.add(&c).unwrap()).unwrap(), a.mul(&b).unwrap().add(&a.mul(&c).unwrap()).unwrap());
            prop_assert_eq!(a.sub(&a).unwrap(), Size::int(0));
        }
    }
}

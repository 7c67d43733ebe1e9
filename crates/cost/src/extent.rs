//! How often something happens over the `T` positions of one row.

use std::fmt;

use genesys_axis::{Domain, Size, SizeError};

/// How often a value is computed in one row of `T` positions, for one element of its static axes.
///
/// A value over a past has as many elements at `t` as positions are seen there, so over a row it has their
/// sum: `T (T + 1) / 2` for the whole past. A value over several pasts has the sum of the products.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extent {
    /// Once, whatever the length: it varies with no position.
    Once,
    /// At each position, for each element of these dependent axes; for none of them, `T` times.
    Each(Vec<Domain>),
}

impl Extent {
    /// At each position, for each element of those of the axes that are dependent.
    pub fn over(axes: impl IntoIterator<Item = Domain>) -> Extent {
        let mut dependent: Vec<Domain> = axes.into_iter().filter(Domain::is_dependent).collect();
        dependent.sort();
        Extent::Each(dependent)
    }

    /// Once a position: `T`.
    pub fn positions() -> Extent {
        Extent::Each(Vec::new())
    }

    /// How often, in a row of `length` positions at a width.
    ///
    /// # Errors
    /// A window has no value at this width, or the number does not fit.
    pub fn eval(&self, width: i64, length: u64) -> Result<i128, SizeError> {
        let Extent::Each(domains) = self else { return Ok(1) };
        let seen: Vec<Seen> = domains.iter().map(|domain| Seen::at(domain, width)).collect::<Result<_, _>>()?;
        match seen.as_slice() {
            [] => Ok(i128::from(length)),
            [seen] => seen.sum(length),
            several => (0..length).try_fold(0i128, |sum, t| {
                let product = several.iter().try_fold(1i128, |product, seen| product.checked_mul(seen.count(t)));
                product.and_then(|product| sum.checked_add(product)).ok_or(SizeError::Overflow)
            }),
        }
    }

    /// The power of `T` it grows with: a window is bounded, a whole past is not.
    pub fn degree(&self) -> u32 {
        match self {
            Extent::Once => 0,
            Extent::Each(domains) => 1 + domains.iter().filter(|domain| is_unbounded(domain)).count() as u32,
        }
    }
}

/// Whether a dependent axis grows with the position.
pub(crate) fn is_unbounded(domain: &Domain) -> bool {
    match domain {
        Domain::Static(_) | Domain::Past { window: Some(_), .. } => false,
        Domain::Past { window: None, .. } | Domain::Blocks { .. } => true,
    }
}

/// A dependent axis with plain numbers.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// Always this many.
    Always(i128),
    /// `min(window, max(0, t + 1 - skip))`.
    Past { window: i128, skip: i128 },
    /// `(t + 1) / size`, rounded down.
    Blocks { size: i128 },
}

impl Seen {
    fn at(domain: &Domain, width: i64) -> Result<Seen, SizeError> {
        let number = |size: &Size| size.eval(&|name| (name == "D").then_some(width)).map(i128::from);
        Ok(match domain {
            Domain::Static(size) => Seen::Always(number(size)?),
            Domain::Past { window, skip } => {
                Seen::Past { window: window.as_ref().map_or(Ok(i128::MAX), number)?, skip: number(skip)? }
            }
            Domain::Blocks { size } => Seen::Blocks { size: number(size)?.max(1) },
        })
    }

    /// Elements at position `t`.
    fn count(self, t: u64) -> i128 {
        match self {
            Seen::Always(n) => n,
            Seen::Past { window, skip } => (i128::from(t) + 1 - skip).clamp(0, window),
            Seen::Blocks { size } => (i128::from(t) + 1) / size,
        }
    }

    /// The sum of [`count`](Self::count) over `t < length`.
    fn sum(self, length: u64) -> Result<i128, SizeError> {
        match self {
            Seen::Always(n) => n.checked_mul(i128::from(length)).ok_or(SizeError::Overflow),
            Seen::Blocks { size } => {
                // 0, 1, 2, .. blocks for `size` positions each, and the last number once more.
                let (blocks, rest) = (i128::from(length) / size, i128::from(length) % size);
                let whole = (blocks * (blocks - 1) / 2).checked_mul(size).ok_or(SizeError::Overflow)?;
                whole.checked_add(blocks * (rest + 1)).ok_or(SizeError::Overflow)
            }
            Seen::Past { window, skip } => {
                // 1, 2, .. up to the window, then the window.
                let seeing = (i128::from(length) - skip).max(0);
                let rising = seeing.min(window);
                let triangle = rising.checked_mul(rising + 1).ok_or(SizeError::Overflow)? / 2;
                match seeing - rising {
                    0 => Ok(triangle),
                    full => full.checked_mul(window).and_then(|n| n.checked_add(triangle)).ok_or(SizeError::Overflow),
                }
            }
        }
    }
}

impl fmt::Display for Extent {
    /// `T`, `T(T+1)/2`, and `seen(T; w, k)` for the sum over `t < T` of the positions that a past of window
    /// `w` and skip `k` holds at `t`, or of the blocks of `n` positions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Extent::Each(domains) = self else { return f.write_str("1") };
        match domains.as_slice() {
            [] => f.write_str("T"),
            [Domain::Past { window: None, skip }] if *skip == Size::int(0) => f.write_str("T(T+1)/2"),
            [domain] => write!(f, "seen(T; {})", Limits(domain)),
            several => {
                f.write_str("seen(T;")?;
                for (i, domain) in several.iter().enumerate() {
                    write!(f, "{}({})", if i == 0 { " " } else { " x " }, Limits(domain))?;
                }
                f.write_str(")")
            }
        }
    }
}

/// Window and skip of a dependent axis, for a formula.
struct Limits<'a>(&'a Domain);

impl fmt::Display for Limits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Domain::Static(size) => write!(f, "{size}"),
            Domain::Past { window, skip } => {
                match window {
                    Some(window) => write!(f, "{window}")?,
                    None => f.write_str("all")?,
                }
                if *skip == Size::int(0) { Ok(()) } else { write!(f, ", {skip}") }
            }
            Domain::Blocks { size } => write!(f, "blocks of {size}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn past(window: Option<i64>, skip: i64) -> Domain {
        Domain::Past { window: window.map(Size::int), skip: Size::int(skip) }
    }

    /// Position by position, from the definition of a past.
    fn counted(domains: &[Domain], length: u64) -> i128 {
        let inside = |domain: &Domain, t: i64, s: i64| match domain {
            Domain::Static(_) => unreachable!("no static axis is drawn"),
            Domain::Past { window, skip } => {
                let end = t - skip.as_int().unwrap();
                s <= end && window.as_ref().is_none_or(|w| s > end - w.as_int().unwrap())
            }
            Domain::Blocks { size } => (s + 1) * size.as_int().unwrap() <= t + 1,
        };
        let at =
            |t: i64| domains.iter().map(|d| (0..=t).filter(|&s| inside(d, t, s)).count() as i128).product::<i128>();
        (0..length as i64).map(at).sum()
    }

    #[test]
    fn extents_are_the_sums_that_they_stand_for() {
        let blocks = |size| Domain::Blocks { size: Size::int(size) };
        let pasts = [past(None, 0), past(None, 3), past(Some(1), 0), past(Some(5), 0), past(Some(4), 2)];
        let shapes: Vec<Domain> = pasts.into_iter().chain([blocks(1), blocks(3), blocks(30)]).collect();
        for length in [0, 1, 2, 3, 7, 20] {
            for a in &shapes {
                let one = Extent::Each(vec![a.clone()]);
                assert_eq!(one.eval(64, length), Ok(counted(std::slice::from_ref(a), length)), "{one} at {length}");
                for b in &shapes {
                    let two = Extent::Each(vec![a.clone(), b.clone()]);
                    assert_eq!(two.eval(64, length), Ok(counted(&[a.clone(), b.clone()], length)), "{two} at {length}");
                }
            }
        }
        assert_eq!(Extent::Each(vec![past(None, 0)]).eval(64, 2048), Ok(2048 * 2049 / 2));
    }

    #[test]
    fn formulas_read_as_they_are_written() {
        let shown = |domains: Vec<Domain>| Extent::Each(domains).to_string();
        assert_eq!(shown(vec![]), "T");
        assert_eq!(shown(vec![past(None, 0)]), "T(T+1)/2");
        assert_eq!(shown(vec![past(None, 1)]), "seen(T; all, 1)");
        assert_eq!(shown(vec![past(Some(16), 0)]), "seen(T; 16)");
        assert_eq!(Extent::Each(vec![past(None, 0), past(Some(2), 0)]).degree(), 2);
    }
}

//! The smallest case in which what a rule about time guards against happens.
//!
//! In: a [`Counterexample`] as the checker found it, positions and places. Out: its sentence, with what the text says at each
//! place. It claims what is *read*, element by element, and not what a number makes of it: `0 * x` reads `x`.
//!
//! Not here: the search, and which diagnostics have one.

use genesys_span::{Sources, Span};

/// Most characters of a text that is quoted in a sentence.
const QUOTED: usize = 40;
/// Most values on the way that a sentence names; the structured form has them all.
const NAMED: usize = 3;

/// A case of few positions that shows why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// The number of positions, `T`: with fewer there is no such case.
    pub length: u64,
    /// What goes wrong in it.
    pub flaw: Flaw,
    /// From the value that is at fault to what it reads, each with its position.
    pub path: Vec<Step>,
}

/// A value at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where the value is written; of a parameter, where it is declared.
    pub span: Span,
    /// The position, from 0.
    pub position: u64,
}

/// What goes wrong. The first step of the path is at the position `t`, the last at `s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The first value reads the last one, and `s > t`.
    Future,
    /// The first value would be one for all positions: at `t = 0` it would read the last one, and `s > 0`.
    Constant,
    /// The axis would have the same elements at all positions: at `t = 0` the first value would read the last one, `s > 0`.
    Static {
        /// The dependent axis.
        axis: String,
    },
    /// The first value would be a sum over all positions: at `t = 0` it would read the last one, and `s > 0`.
    Summed,
    /// At `t` the axis has an element which the last value lacks at `s`.
    Lacks {
        /// The dependent axis.
        axis: String,
        /// The element: a position of a past, the number of a block.
        element: u64,
    },
    /// At `t` the axis has an element as the first step uses it, and has not as the last one does, or the other way round.
    Differs {
        /// The dependent axis.
        axis: String,
        /// The element: a position of a past, the number of a block.
        element: u64,
    },
    /// At `t` the axis has no element.
    Empty {
        /// The dependent axis.
        axis: String,
    },
}

impl Flaw {
    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Flaw::Future => "future",
            Flaw::Constant => "constant",
            Flaw::Static { .. } => "static",
            Flaw::Summed => "summed",
            Flaw::Lacks { .. } => "lacks",
            Flaw::Differs { .. } => "differs",
            Flaw::Empty { .. } => "empty",
        }
    }

    /// The axis that it is about.
    pub fn axis(&self) -> Option<&str> {
        match self {
            Flaw::Static { axis } | Flaw::Lacks { axis, .. } | Flaw::Differs { axis, .. } | Flaw::Empty { axis } => {
                Some(axis)
            }
            Flaw::Future | Flaw::Constant | Flaw::Summed => None,
        }
    }

    /// The element that it is about.
    pub fn element(&self) -> Option<u64> {
        match self {
            Flaw::Lacks { element, .. } | Flaw::Differs { element, .. } => Some(*element),
            Flaw::Future | Flaw::Constant | Flaw::Static { .. } | Flaw::Summed | Flaw::Empty { .. } => None,
        }
    }
}

impl Counterexample {
    /// The case in one line: `with T = 2: position 0 of `shift(x, -1)` reads position 1 of `x``.
    pub fn sentence(&self, sources: &Sources) -> String {
        let (Some(first), Some(last)) = (self.path.first(), self.path.last()) else {
            return format!("with T = {}", self.length);
        };
        let (t, s, read) = (first.position, last.position, quote(sources, last.span));
        let way = self.way(sources);
        let told = match &self.flaw {
            Flaw::Future => format!("position {t} of {} reads position {s} of {read}{way}", quote(sources, first.span)),
            Flaw::Constant => {
                format!(
                    "a constant is the same at all positions, so position {t} would read position {s} of {read}{way}"
                )
            }
            Flaw::Static { axis } => {
                format!("were `{axis}` the same at all positions, position {t} would read position {s} of {read}{way}")
            }
            Flaw::Summed => format!(
                "a derivative to a weight is a sum over all positions, so position {t} would read position {s} of \
                 {read}{way}"
            ),
            Flaw::Lacks { axis, element } => {
                format!("at position {t} `{axis}` has the element {element}, which {read} lacks at position {s}")
            }
            Flaw::Differs { axis, element } => {
                format!("at position {t} one `{axis}` has the element {element}, and the other has not")
            }
            Flaw::Empty { axis } => format!("at position {t} `{axis}` has no element"),
        };
        format!("with T = {}: {told}", self.length)
    }

    /// The values between the first and the last one.
    fn way(&self, sources: &Sources) -> String {
        let between = self.path.get(1..self.path.len().saturating_sub(1)).unwrap_or_default();
        if between.is_empty() {
            return String::new();
        }
        let more = if between.len() > NAMED { ", .." } else { "" };
        let named = between.iter().take(NAMED);
        let named: Vec<String> =
            named.map(|step| format!("{} at {}", quote(sources, step.span), step.position)).collect();
        format!(", through {}{more}", named.join(", "))
    }
}

/// What the text says at a place, on one line and cut short.
pub(crate) fn excerpt(sources: &Sources, span: Span) -> String {
    let mut line = sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > QUOTED {
        line = line.chars().take(QUOTED - 3).chain(" ..".chars()).collect();
    }
    line
}

fn quote(sources: &Sources, span: Span) -> String {
    format!("`{}`", excerpt(sources, span))
}

//! The registry of diagnostic codes.

use std::fmt;

/// A stable name of one kind of mistake, in kebab case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

impl Code {
    /// The name.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+) => {
        impl Code {
            $($(#[doc = $doc])+ pub const $name: Code = Code($text);)+

            /// Every code with its one-line meaning.
            pub const ALL: &[(Code, &'static str)] = &[$((Code::$name, concat!($($doc),+))),+];
        }
    };
}

codes! {
    /// The file is larger than the limit.
    FILE_TOO_LARGE = "file-too-large";
    /// The file holds no item.
    FILE_EMPTY = "file-empty";
    /// The file cannot be read.
    FILE_UNREADABLE = "file-unreadable";
    /// The file is not UTF-8.
    NOT_UTF8 = "not-utf8";
    /// Brackets nest deeper than the limit.
    NESTING_TOO_DEEP = "nesting-too-deep";
    /// A bracket is not closed, or closes nothing.
    UNBALANCED_BRACKET = "unbalanced-bracket";
    /// The text does not follow the grammar.
    SYNTAX = "syntax";
    /// A binary minus that starts a line could be read as a new expression.
    AMBIGUOUS_MINUS = "ambiguous-minus";
    /// A word of the language where a name is expected.
    RESERVED_WORD = "reserved-word";
    /// A derivative to what is no start of a state, or across positions.
    DERIVATIVE = "derivative";
    /// A loss where none may stand, or a mean over tokens that something else than a loss reads.
    LOSS = "loss";
    /// A loop whose count or weights differ where they must be the same.
    LOOP = "loop";
    /// The file does not hold exactly one design.
    DESIGN_COUNT = "design-count";
    /// A design's field is missing, unknown, repeated or of the wrong form.
    DESIGN_FIELD = "design-field";
    /// A name is declared twice where it may be declared once.
    DUPLICATE_NAME = "duplicate-name";
    /// No unit, value, axis or primitive has that name.
    UNKNOWN_NAME = "unknown-name";
    /// A unit calls itself, directly or through others.
    RECURSIVE_UNIT = "recursive-unit";
    /// A call has too many, too few or unknown arguments.
    ARGUMENTS = "arguments";
    /// A tuple stands where one value is asked for, or has not as many values as names.
    TUPLE = "tuple";
    /// A value beside the main one of the stack is given or taken, but not both.
    SIDE_VALUE = "side-value";
    /// A unit is not what the static parameter it is bound to promises.
    UNIT_PARAMETER = "unit-parameter";
    /// Something is not written yet, or nothing says of which type it should be.
    HOLE = "hole";
    /// The axes found are not those expected.
    AXIS_MISMATCH = "axis-mismatch";
    /// Operands share no side that holds all axes: an outer product must be asked for.
    IMPLICIT_OUTER = "implicit-outer";
    /// An axis is needed that the value does not have.
    AXIS_MISSING = "axis-missing";
    /// An axis would occur twice.
    AXIS_REPEATED = "axis-repeated";
    /// Which axis is meant cannot be told.
    AXIS_AMBIGUOUS = "axis-ambiguous";
    /// A callee's own axis would escape to its caller.
    AXIS_ESCAPES = "axis-escapes";
    /// A dependent axis stands where only static axes may.
    DEPENDENT_AXIS = "dependent-axis";
    /// Two pasts of different reach share one axis name.
    PAST_DOMAIN = "past-domain";
    /// A time view of a value that itself looks at a past.
    VIEW_OF_PAST = "view-of-past";
    /// A time view, or a scan, of a value that depends on a scan's state.
    VIEW_OF_STATE = "view-of-state";
    /// A shift or skip that would read the future, or a window of no width.
    NEGATIVE_OFFSET = "negative-offset";
    /// A sequence stands where only a constant may.
    NOT_CONSTANT = "not-constant";
    /// A reduction over a past that may be empty needs `else`.
    EMPTY_PAST = "empty-past";
    /// Sizes that must be equal are not provably equal.
    SIZE_MISMATCH = "size-mismatch";
    /// A size has no value: overflow, division by zero, or not positive.
    SIZE_INVALID = "size-invalid";
    /// A requirement does not hold at the scale.
    REQUIREMENT = "requirement";
    /// A statement stands where it may not.
    MISPLACED = "misplaced";
    /// A state is never updated, or a scan yields nothing.
    SCAN_INCOMPLETE = "scan-incomplete";
    /// The state class stated is not the one found.
    CLASS_MISMATCH = "class-mismatch";
    /// A weight, value or input has no effect on the result.
    DEAD_CODE = "dead-code";
    /// A weight that is read, and whose every path to the result cancels out.
    INERT_WEIGHT = "inert-weight";
    /// A weight that no derivative reaches, or that stays at its first value.
    UNTRAINABLE = "untrainable";
    /// Weights would share one name; they are numbered.
    UNLABELED_WEIGHTS = "unlabeled-weights";
    /// The design is larger than the limits.
    TOO_LARGE = "too-large";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_kebab_case_and_described() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, meaning) in Code::ALL {
            assert!(seen.insert(code), "{code} stands twice");
            assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            assert!(meaning.trim().ends_with('.'), "{code}");
        }
    }
}

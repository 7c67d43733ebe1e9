//! Why a unit is no layer.

use std::fmt;

use genesys_autodiff::Unsupported;
use genesys_axis::SizeError;
use genesys_cpu::CpuError;

/// A unit or model that does not become a layer.
#[derive(Debug)]
pub enum LayerError {
    /// The stack of the design has no unit of that name.
    Unknown {
        /// The name that was asked for.
        unit: String,
        /// The units that there are.
        known: Vec<String>,
    },
    /// The unit takes or gives other values beside its sequence.
    Sides {
        /// The unit.
        unit: String,
        /// How many sequences it takes, and how many it gives.
        takes: usize,
        /// How many it gives.
        gives: usize,
    },
    /// A size is a formula: the module is not specialized.
    Size(SizeError),
    /// It has no derivative.
    Underivable(Unsupported),
    /// The executor does not run it.
    Program(CpuError),
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { unit, known } => {
                let known = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "expected a unit of the stack, which are {known}, found `{unit}`; a unit within these becomes "
                )?;
                write!(f, "one in a design whose stack names it")
            }
            Self::Sides { unit, takes, gives } => {
                write!(
                    f,
                    "expected a unit that maps one sequence to one, found `{unit}`, which takes {takes} and gives "
                )?;
                write!(f, "{gives}: values beside the main one pass between units of a stack; compile the whole model")
            }
            Self::Size(error) => write!(f, "expected sizes as numbers, found a formula: {error}; compile at a scale"),
            Self::Underivable(error) => write!(f, "expected operations that have a derivative: {error}"),
            Self::Program(error) => write!(f, "{error}; `genesys_runtime` runs it, operation by operation"),
        }
    }
}

impl std::error::Error for LayerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unknown { .. } | Self::Sides { .. } => None,
            Self::Size(error) => Some(error),
            Self::Underivable(error) => Some(error),
            Self::Program(error) => Some(error),
        }
    }
}

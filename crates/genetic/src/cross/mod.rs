//! The operators of crossover: each looks at two parents and lists what the first could take over.
//!
//! As a mutation's, an operator is a function to [`Candidate`]s; each file says what is taken and
//! why the result is well typed. What comes along is closed: units with all they call, and terms
//! and expressions only with names that mean the same in both parents.

mod expression;
mod field;
mod lift;
mod stack;
mod sublayer;
mod unit;

use std::sync::Arc;

use crate::candidate::Candidate;
use crate::genome::Source;
use crate::pool::Pool;

/// Two parents.
pub(crate) struct Cross<'a> {
    /// The first parent, and the units that may be called in it: its own and the second's.
    pub(crate) pool: Pool<'a>,
    /// The second parent.
    pub(crate) donor: Arc<Source>,
}

/// Lists an operator's candidates.
pub(crate) type Operator = fn(&Cross<'_>) -> Vec<Candidate>;

/// Every operator, in the order in which their candidates are drawn from.
const ALL: [Operator; 6] =
    [unit::call, unit::unit, stack::stack, sublayer::sublayer, expression::expression, field::field];

/// Every candidate of every operator, grouped by operator.
pub(crate) fn candidates(cross: &Cross<'_>) -> Vec<Vec<Candidate>> {
    ALL.iter().map(|operator| operator(cross)).collect()
}

//! A change that an operator proposes, not yet made.

use std::sync::Arc;

use genesys_syntax::ast::Unit;

use crate::genome::Genome;
use crate::pool::Pooled;

/// One possible change of a parent.
pub(crate) struct Candidate {
    /// The operator.
    pub(crate) operator: &'static str,
    /// What it would change, in words.
    pub(crate) detail: String,
    /// Makes the change in a copy of the parent.
    pub(crate) edit: Box<dyn FnOnce(&mut Genome) + Send>,
}

impl Candidate {
    /// A change of the whole genome.
    pub(crate) fn new(operator: &'static str, detail: String, edit: impl FnOnce(&mut Genome) + Send + 'static) -> Self {
        Self { operator, detail, edit: Box::new(edit) }
    }

    /// A change of one unit.
    pub(crate) fn in_unit(
        operator: &'static str,
        unit: &Unit,
        detail: &str,
        edit: impl FnOnce(&mut Unit) + Send + 'static,
    ) -> Self {
        let name = unit.name.text.clone();
        Self::new(operator, format!("{name}: {detail}"), move |genome| {
            if let Some(unit) = genome.unit_mut(&name) {
                edit(unit);
            }
        })
    }

    /// A change of one unit that calls another one, whose name there is handed to `edit`.
    pub(crate) fn bringing(
        operator: &'static str,
        new: &Arc<Pooled>,
        unit: &Unit,
        detail: &str,
        edit: impl FnOnce(&mut Unit, &str) + Send + 'static,
    ) -> Self {
        let (name, new) = (unit.name.text.clone(), Arc::clone(new));
        Self::new(operator, format!("{name}: {detail}"), move |genome| {
            let local = new.bring(genome);
            if let Some(unit) = genome.unit_mut(&name) {
                edit(unit, &local);
            }
        })
    }
}

//! What a text that is expanded several times makes once: its weights, and the axes it declares.
//!
//! The rounds of a loop are one instance, and so are the calls of what is shared. While the first is expanded, what it makes is written down;
//! the later ones are handed the same in the same order, for it is the same text. What differs all the
//! same (a weight whose shape depends on the counter) is an error.

use genesys_axis::{Constant, Domain};
use genesys_diag::{Code, Diagnostic};
use genesys_scalar::Law;
use genesys_span::Span;

use super::{Elab, Elaborator, Reported};
use crate::core::{Axis, AxisId, LeafId, NodeId, Op, Stage, Type};

/// What makes several expansions one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The rounds of a loop.
    Loop,
    /// The calls of what is shared.
    Share,
}

/// What was made, in order.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    purpose: Purpose,
    leaves: Vec<LeafId>,
    axes: Vec<AxisId>,
    /// How much of it the present round was handed; `None` while it is made.
    handed: Option<(usize, usize)>,
}

impl Elaborator<'_, '_> {
    /// Begins to write down what is made.
    pub(crate) fn begin_instance(&mut self, purpose: Purpose) {
        self.instances.push(Instance { purpose, leaves: Vec::new(), axes: Vec::new(), handed: None });
    }

    /// Hands out what was made from its beginning on.
    pub(crate) fn again(&mut self) {
        self.instances.last_mut().expect("an instance is open").handed = Some((0, 0));
    }

    /// Closes the innermost instance.
    pub(crate) fn end_instance(&mut self) -> Instance {
        self.instances.pop().expect("an instance is open")
    }

    /// The weight that an earlier round made here, if this is a later one.
    pub(crate) fn known_leaf(&mut self, axes: &[AxisId], law: &Law<Constant>, span: Span) -> Option<Elab<NodeId>> {
        let (place, instance) = self.handing()?;
        let purpose = instance.purpose;
        let (leaves, _) = instance.handed.as_mut()?;
        let id = instance.leaves.get(*leaves).copied()?;
        *leaves += 1;
        self.instances[place + 1..].iter_mut().for_each(|inner| inner.leaves.push(id));
        let leaf = self.graph.leaf(id);
        if purpose == Purpose::Share && leaf.axes != axes {
            let (first, found) = (leaf.axes.clone(), self.names(axes.iter().copied()));
            return Some(Err(self.other_shape(&first, &found, span)));
        }
        if leaf.axes != axes || *leaf.law != *law {
            let message = "expected the same weights in every round of the loop, found others in a later one";
            let help = "no weight's shape or initial law may depend on the counter: declare it before the loop";
            return Some(Err(self.fail(Diagnostic::error(Code::LOOP, span, message).help(help))));
        }
        let ty = Type { stage: Stage::Const, axes: axes.iter().copied().collect() };
        Some(self.push(Op::Weight(id), &[], ty, span))
    }

    fn other_shape(&mut self, first: &[AxisId], found: &str, span: Span) -> Reported {
        let first = self.names(first.iter().copied());
        let message =
            format!("expected the same axes at each call of what is shared, found [{found}] for its weight [{first}]");
        let help = "one instance has one shape: share another instance for other axes";
        self.fail(Diagnostic::error(Code::AXIS_MISMATCH, span, message).help(help))
    }

    /// Writes a new weight down.
    pub(crate) fn note_leaf(&mut self, id: LeafId) {
        self.instances.iter_mut().for_each(|instance| instance.leaves.push(id));
    }

    /// Declares an axis, or gives the one that an earlier round declared here.
    pub(crate) fn declare_axis(&mut self, name: &str, domain: Domain) -> AxisId {
        let from = match self.handing() {
            Some((place, instance)) => {
                let known = instance.handed.as_mut().and_then(|(_, axes)| {
                    *axes += 1;
                    instance.axes.get(*axes - 1).copied()
                });
                let same =
                    known.filter(|&id| *self.graph.axis(id) == Axis { name: name.into(), domain: domain.clone() });
                if let Some(id) = same {
                    self.instances[place + 1..].iter_mut().for_each(|inner| inner.axes.push(id));
                    return id;
                }
                place + 1
            }
            None => 0,
        };
        let id = AxisId(self.graph.axes.len() as u32);
        self.graph.axes.push(Axis { name: name.into(), domain });
        self.instances[from..].iter_mut().for_each(|instance| instance.axes.push(id));
        id
    }

    /// The innermost instance that hands out; those within it are being made.
    fn handing(&mut self) -> Option<(usize, &mut Instance)> {
        self.instances.iter_mut().enumerate().rev().find(|(_, instance)| instance.handed.is_some())
    }
}

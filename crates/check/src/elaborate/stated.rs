//! Scans that state their class: `scan S: [..] = 0 : diagonal { .. }`.

use genesys_diag::{Code, Diagnostic};
use genesys_syntax::ast::Ident;

use super::{Elab, Elaborator};
use crate::class::{self, ComponentClass};
use crate::core::{NodeId, Op, ScanId};
use crate::error;

impl Elaborator<'_, '_> {
    /// Whether there is a class of that name.
    pub(super) fn known_class(&mut self, stated: &Ident) -> Elab<()> {
        if class::NAMES.contains(&stated.text.as_str()) {
            return Ok(());
        }
        Err(self.fail(error::unknown("class of scans", stated, class::NAMES.iter().copied())))
    }

    /// Whether every component of a scan is of the class that it states, or of a simpler one.
    pub(super) fn is_of_class(&mut self, scan: ScanId, stated: &Ident) -> Elab<()> {
        let found = class::classify_scan(&self.graph, scan);
        match found.components.into_iter().find(|component| !component.kind.is_within(&stated.text)) {
            None => Ok(()),
            Some(component) => Err(self.class_mismatch(scan, stated, &component)),
        }
    }

    fn class_mismatch(&mut self, scan: ScanId, stated: &Ident, component: &ComponentClass) -> super::Reported {
        let states = &self.graph.scan(scan).states;
        let (at, state) = component.cause.unwrap_or((states[component.states[0] as usize].next, component.states[0]));
        let state = states[state as usize].name.clone();
        let message = format!(
            "expected a scan of the class `{}`, found {}, because `{state}` is an operand of {} here",
            stated.text,
            component.kind,
            self.operation(at)
        );
        let help = format!("state `: {}`, or leave the class out", component.kind.name());
        let diagnostic = Diagnostic::error(Code::CLASS_MISMATCH, self.graph.node(at).span, message);
        self.fail(diagnostic.label(stated.span, "stated here").help(help))
    }

    /// An operation as a person writes it.
    fn operation(&self, id: NodeId) -> String {
        match &self.graph.node(id).op {
            Op::Map(function) => format!("`{}`", function.name()),
            Op::Dot { .. } => "`dot`".into(),
            Op::Reduce { reduction, .. } => format!("`{}`", format!("{reduction:?}").to_lowercase()),
            Op::Softmax { .. } => "`softmax`".into(),
            Op::Regroup { .. } => "a change of axes".into(),
            Op::Grad => "`grad`".into(),
            _ => "this".into(),
        }
    }
}

//! T-scan: a recurrence over time, a fold with explicit states; and the steps of scans and loops.

use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{Block, Expr, Ident, Scan, State as StateExpr, Stmt, StmtKind};

use super::frame::Owner;
use super::primitive::leave;
use super::tuple::part_spans;
use super::{Binding, Elab, Elaborator, Given, Reported};
use crate::AxisSet;
use crate::core::{self, AxisId, NodeId, Op, ScanId, Stage, Type};
use crate::error;

impl<'a> Elaborator<'a, '_> {
    /// `scan S: [A] = init { S <- ..; yield .. }`
    pub(crate) fn scan(&mut self, scan: &'a Scan, span: Span) -> Elab<Given> {
        let chunk = self.chunk(scan)?;
        if let Some(class) = &scan.class {
            self.known_class(class)?;
        }
        let id = ScanId(self.graph.scans.len() as u32);
        self.graph.scans.push(core::Scan { states: Vec::new(), chunk, span });
        let (outer, found) = (self.frame().names.clone(), self.diagnostics.len());
        let around = self.frame().owner.replace(Owner::Scan(id));
        let enclosing = self.frame().scan.replace(id);
        let states = self.states(id, &scan.states);
        let result = match states {
            Ok(()) => self.step(&scan.body, "scan", span),
            Err(reported) => Err(reported),
        };
        // An update that failed, here or for a value found fault with before, is none that is missing.
        let failed = result.is_err() || self.diagnostics[found..].iter().any(Diagnostic::is_error);
        let finished = if failed { Err(Reported) } else { self.finish_scan(id, &scan.states) };
        if finished.is_ok() {
            self.finish_chunk(id, scan);
        }
        self.frame().owner = around;
        self.frame().scan = enclosing;
        self.frame().names = outer;
        let values = result?.values();
        finished?;
        if let Some(class) = &scan.class {
            self.is_of_class(id, class)?;
        }
        self.scanned(id, values, span)
    }

    fn states(&mut self, scan: ScanId, states: &'a [StateExpr]) -> Elab<()> {
        for (index, state) in states.iter().enumerate() {
            if state.reset && self.graph.scan(scan).chunk.is_none() {
                return Err(self.reset_without_chunk(state));
            }
            let init = self.expr(&state.init)?;
            let axes = self.state_axes(&state.name, &state.axes)?;
            self.check_init(init, &axes, state)?;
            let ty = Type { stage: Stage::Moment, axes: axes.iter().copied().collect() };
            let current = self.push(Op::State { scan, index: index as u32 }, &[], ty, state.name.span)?;
            let declared = core::State { name: state.name.text.clone(), axes, init, next: current, reset: state.reset };
            self.graph.scans[scan.0 as usize].states.push(declared);
            self.declare(&state.name, Binding::State { owner: Owner::Scan(scan), value: current })?;
        }
        Ok(())
    }

    pub(super) fn reset_without_chunk(&mut self, state: &StateExpr) -> Reported {
        let message = format!("expected a scan in chunks around the `reset` of `{}`, found none", state.name.text);
        let help = "a state is reset where a chunk begins: write `every C` behind the states of a scan";
        self.fail(Diagnostic::error(Code::MISPLACED, state.name.span, message).help(help))
    }

    pub(super) fn state_axes(&mut self, name: &Ident, axes: &'a [genesys_syntax::ast::AxisRef]) -> Elab<Vec<AxisId>> {
        let mut ids = self.axes(axes)?;
        if let Some(&past) = ids.iter().find(|&&axis| self.is_dependent(axis)) {
            let axis = Ident { text: self.graph.axis(past).name.clone(), span: name.span };
            return Err(self.needs_static(&axis, "a state has the same shape at every position"));
        }
        let lifted: Vec<AxisId> = self.lifted.iter().copied().filter(|axis| !ids.contains(axis)).collect();
        ids.splice(0..0, lifted);
        Ok(ids)
    }

    fn check_init(&mut self, init: NodeId, axes: &[AxisId], state: &StateExpr) -> Elab<()> {
        let ty = self.ty(init).clone();
        if ty.stage != Stage::Const {
            let message = format!(
                "expected a constant as the initial value of `{}`, found {}",
                state.name.text,
                self.show(ty.stage, &ty.axes)
            );
            let help = "a state starts the same in every document: a number, or weights";
            let case = self.varying(init, state.init.span);
            let diagnostic = Diagnostic::error(Code::NOT_CONSTANT, state.init.span, message).help(help);
            return Err(self.fail(diagnostic.counterexample(case)));
        }
        self.within_axes(init, &axes.iter().copied().collect(), state)
    }

    /// Checks that an initial value has no axis but its state's.
    pub(super) fn within_axes(&mut self, init: NodeId, allowed: &AxisSet, state: &StateExpr) -> Elab<()> {
        let found = self.ty(init).axes.clone();
        if !found.is_subset(allowed) {
            let extra = self.names(found.difference(allowed).copied());
            let message =
                format!("expected an initial value within the axes of `{}`, found extra {extra}", state.name.text);
            return Err(self.fail(Diagnostic::error(Code::AXIS_MISMATCH, state.init.span, message)));
        }
        Ok(())
    }

    /// The statements of one step of a scan, or of one round of a loop, and what it yields.
    pub(super) fn step(&mut self, body: &'a Block, what: &str, span: Span) -> Elab<Given> {
        let mut result = None;
        let mut spoiled = false;
        for stmt in &body.stmts {
            match &stmt.kind {
                StmtKind::Let { name, ty, value } => {
                    // Reported where it was found.
                    let _: Elab<()> = self.let_stmt(name, ty.as_ref(), value);
                }
                StmtKind::LetTuple { names, value } => {
                    let _: Elab<()> = self.let_tuple(names, value);
                }
                StmtKind::Update { state, value } => {
                    // A state is not missed where its update was found fault with.
                    spoiled |= self.update(state, value).is_err();
                }
                StmtKind::Yield(value) => result = self.yielded(result, value, stmt, what),
                StmtKind::Loss(_) => _ = self.loss_within(what, stmt.span),
                StmtKind::Share { .. } | StmtKind::Param { .. } | StmtKind::Axis { .. } | StmtKind::Require { .. } => {
                    let message = format!("expected `let`, `<-` or `yield` in a {what}, found a declaration");
                    let help = format!("declare it before the {what}");
                    self.fail(Diagnostic::error(Code::MISPLACED, stmt.span, message).help(help));
                }
            }
        }
        if let Some(value) = &body.result {
            let message = format!("expected `yield` before the value of a {what}, found an expression");
            let at = Span { end: value.span.start, ..value.span };
            return Err(self.fail(Diagnostic::error(Code::SCAN_INCOMPLETE, value.span, message).edit(at, "yield ")));
        }
        match result {
            Some(_) if spoiled => Err(Reported),
            Some(result) => result,
            None => {
                let message = format!("expected `yield ..` in the {what}, found none: it would give nothing");
                // The value was probably meant to be given where the body ends.
                let last = body.stmts.last().map_or(span, |stmt| stmt.span);
                Err(self.fail(Diagnostic::error(Code::SCAN_INCOMPLETE, last, message)))
            }
        }
    }

    fn yielded(
        &mut self,
        before: Option<Elab<Given>>,
        value: &'a Expr,
        stmt: &'a Stmt,
        what: &str,
    ) -> Option<Elab<Given>> {
        if before.is_some() {
            let message = format!("expected one `yield` in a {what}, found another");
            self.fail(Diagnostic::error(Code::SCAN_INCOMPLETE, stmt.span, message));
            return before;
        }
        let outer = self.begin_statement();
        let given = self.given(value);
        self.end_statement(outer, None);
        Some(given.and_then(|given| {
            for (&node, span) in given.nodes().iter().zip(part_spans(value, given.nodes().len())) {
                self.no_mean(node, "a value to yield", span)?;
                self.no_past(node, Code::DEPENDENT_AXIS, "a value to yield", span)?;
            }
            Ok(given)
        }))
    }

    /// `S <- e`: `e` has the state's axes exactly.
    fn update(&mut self, name: &'a Ident, value: &'a Expr) -> Elab<()> {
        let outer = self.begin_statement();
        let wanted = match self.lookup(&name.text) {
            Some(Binding::State { value: current, .. }) => {
                Some(Type { stage: Stage::Moment, axes: self.seen(current) })
            }
            _ => None,
        };
        let node = self.expr_wanted(value, wanted);
        self.end_statement(outer, Some(name));
        let Some(Binding::State { owner, value: current }) = self.lookup(&name.text) else {
            let known = self.state_names().into_iter();
            return Err(self.fail(error::unknown("state of this scan", name, known)));
        };
        if self.frame().owner != Some(owner) {
            let message =
                format!("expected a state of the innermost scan or loop, found `{}` of one around it", name.text);
            let help = "yield the value, and update the state with it outside";
            return Err(self.fail(Diagnostic::error(Code::MISPLACED, name.span, message).help(help)));
        }
        let node = node?;
        self.no_mean(node, "the new value of a state", value.span)?;
        let (expected, found) = (self.seen(current), self.seen(node));
        if expected != found {
            let message = format!(
                "expected {} as the new value of `{}`, found {}",
                self.show(Stage::Moment, &expected),
                name.text,
                self.show_node(node)
            );
            let difference = self.difference(&expected, &found);
            return Err(self.fail(Diagnostic::error(Code::AXIS_MISMATCH, value.span, message).at(difference)));
        }
        let all: Vec<AxisId> = self.ty(current).axes.iter().copied().collect();
        let node = self.broadcast_to(node, &all, value.span)?;
        self.bind(name, Binding::State { owner, value: node });
        Ok(())
    }

    fn state_names(&mut self) -> Vec<&'a str> {
        let names = &self.frame().names;
        names.iter().filter(|(_, (b, _))| matches!(b, Binding::State { .. })).map(|(n, _)| *n).collect()
    }

    /// Takes the last value of each state as its next one.
    fn finish_scan(&mut self, scan: ScanId, states: &'a [StateExpr]) -> Elab<()> {
        for (index, state) in states.iter().enumerate() {
            let Some(Binding::State { owner, value }) = self.lookup(&state.name.text) else { return Err(Reported) };
            if owner != Owner::Scan(scan) {
                return Err(Reported);
            }
            let declared = &mut self.graph.scans[scan.0 as usize].states[index];
            if declared.next == value {
                return Err(self.never_updated(&state.name));
            }
            declared.next = value;
        }
        Ok(())
    }

    pub(super) fn never_updated(&mut self, name: &Ident) -> Reported {
        let message = format!("expected an update of the state `{0}`, as in `{0} <- ..`, found none", name.text);
        self.fail(Diagnostic::error(Code::SCAN_INCOMPLETE, name.span, message))
    }

    /// The scan's values, once no part of it depends on a state of an enclosing scan.
    fn scanned(&mut self, scan: ScanId, values: Vec<NodeId>, span: Span) -> Elab<Given> {
        if self.reads_outer_state(scan, &values) {
            let message = "expected a scan free of the enclosing scan's state, found one that depends on it";
            return Err(self.fail(Diagnostic::error(Code::VIEW_OF_STATE, span, message)));
        }
        let given = values.into_iter().map(|value| {
            let ty = self.ty(value).clone();
            let stage = leave(ty.stage).max(Stage::Seq);
            self.push(Op::Scanned(scan), &[value], Type { stage, axes: ty.axes }, span)
        });
        Ok(Given::of(given.collect::<Elab<_>>()?))
    }

    fn reads_outer_state(&self, scan: ScanId, values: &[NodeId]) -> bool {
        let states = self.graph.scan(scan).states.iter();
        let ends = states.map(|state| state.next).chain(values.iter().copied());
        let is_outer = |op: &Op| matches!(op, Op::State { scan: of, .. } | Op::Start { scan: of, .. } if *of != scan);
        self.graph.step(ends).into_iter().any(|id| is_outer(&self.graph.node(id).op))
    }
}

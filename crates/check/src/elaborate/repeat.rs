//! A loop of fixed count within a position: its rounds are expanded one after the other.
//!
//! A round is the body with the states as the round before left them, and the counter as a size. All
//! rounds are one instance of weights. Where a unit is checked on its own and the count is one of its
//! static parameters, one round is expanded for each stage that a state passes through, with the
//! counter as a symbol.

use genesys_axis::{Compare, Requirement, Size, SizeError};
use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{Loop, State, StmtKind};

use super::frame::Owner;
use super::instance::Purpose;
use super::{Binding, Elab, Elaborator, Given, Reported};
use crate::AxisSet;
use crate::core::{NodeId, Stage};
use crate::error;

/// Most rounds of all loops of a graph together: a round may make no operation at all.
const MAX_ROUNDS: u32 = 10_000;

impl<'a> Elaborator<'a, '_> {
    /// `repeat I < 3 R: [A] = init { R <- ..  yield .. }`
    pub(crate) fn repeat(&mut self, repeat: &'a Loop, span: Span) -> Elab<Given> {
        let count = self.count(repeat)?;
        self.updated(repeat)?;
        let owner = Owner::Loop(self.rounds);
        let mut held = Vec::new();
        for state in &repeat.states {
            held.push(self.loop_state(state)?);
        }
        let outer = self.frame().names.clone();
        let around = self.frame().owner.replace(owner);
        self.begin_instance(Purpose::Loop);
        let result = match count {
            Some(count) => self.run_rounds(repeat, owner, held, count, span),
            None => self.symbolic_rounds(repeat, owner, held, span),
        };
        self.end_instance();
        self.frame().owner = around;
        self.frame().names = outer;
        result
    }

    /// The number of rounds; `None` where it is a static parameter of the unit being checked.
    fn count(&mut self, repeat: &Loop) -> Elab<Option<u32>> {
        let count = self.size(&repeat.count)?;
        let span = repeat.count.span;
        if let Some(n) = count.as_int() {
            let least = Requirement::Holds { left: count, compare: Compare::AtLeast, right: Size::int(1) };
            self.require(least, span, "a loop runs at least once", Code::SIZE_INVALID)?;
            return match u32::try_from(n) {
                Ok(n) if n <= MAX_ROUNDS => Ok(Some(n)),
                Ok(_) | Err(_) => Err(self.too_many(span)),
            };
        }
        if matches!(count.eval(&|name| (name == "D").then_some(1)), Err(SizeError::Unbound(_))) {
            return Ok(None);
        }
        let message = format!("expected a whole number of rounds, found `{count}`, which varies with the width");
        Err(self.fail(Diagnostic::error(Code::LOOP, span, message).help("a loop has as many rounds at every scale")))
    }

    fn too_many(&mut self, span: Span) -> Reported {
        self.fail(error::too_large(span, &format!("the loops of a unit have more than {MAX_ROUNDS} rounds")))
    }

    /// Every state is updated in the body.
    fn updated(&mut self, repeat: &Loop) -> Elab<()> {
        let updates = |name: &str| {
            let stmts = &mut repeat.body.stmts.iter();
            stmts.any(|stmt| matches!(&stmt.kind, StmtKind::Update { state, .. } if state.text == name))
        };
        match repeat.states.iter().find(|state| !updates(&state.name.text)) {
            None => Ok(()),
            Some(state) => Err(self.never_updated(&state.name)),
        }
    }

    /// A state's initial value with all of the state's axes.
    fn loop_state(&mut self, state: &'a State) -> Elab<NodeId> {
        if state.reset {
            return Err(self.reset_without_chunk(state));
        }
        let init = self.expr(&state.init)?;
        self.no_mean(init, "the initial value of a state", state.init.span)?;
        let axes = self.state_axes(&state.name, &state.axes)?;
        let allowed: AxisSet = axes.iter().copied().collect();
        self.within_axes(init, &allowed, state)?;
        self.broadcast_to(init, &axes, state.init.span)
    }

    fn run_rounds(
        &mut self,
        repeat: &'a Loop,
        owner: Owner,
        mut held: Vec<NodeId>,
        count: u32,
        span: Span,
    ) -> Elab<Given> {
        let mut result = Err(Reported);
        for round in 0..count {
            result = Ok(self.round(repeat, owner, &mut held, Size::int(i64::from(round)), span)?);
            self.again();
        }
        result
    }

    fn symbolic_rounds(&mut self, repeat: &'a Loop, owner: Owner, mut held: Vec<NodeId>, span: Span) -> Elab<Given> {
        let counter = Size::symbol(repeat.counter.as_ref().map_or("..", |name| name.text.as_str()));
        loop {
            let before = self.stages(&held);
            let result = self.round(repeat, owner, &mut held, counter.clone(), span)?;
            if self.stages(&held) == before {
                return Ok(result);
            }
            self.again();
        }
    }

    fn stages(&self, held: &[NodeId]) -> Vec<Stage> {
        held.iter().map(|&node| self.ty(node).stage).collect()
    }

    /// One round: its values, and in `held` what the states hold behind it. The first error ends the loop.
    fn round(&mut self, repeat: &'a Loop, owner: Owner, held: &mut [NodeId], counter: Size, span: Span) -> Elab<Given> {
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err(self.too_many(span));
        }
        let names = self.frame().names.clone();
        let found = self.diagnostics.len();
        if let Some(name) = &repeat.counter {
            self.declare(name, Binding::Size(counter.into()))?;
        }
        for (state, &value) in repeat.states.iter().zip(&*held) {
            self.declare(&state.name, Binding::State { owner, value })?;
        }
        let result = self.step(&repeat.body, "loop", span)?;
        if self.diagnostics[found..].iter().any(Diagnostic::is_error) {
            return Err(Reported);
        }
        for (state, value) in repeat.states.iter().zip(held) {
            let Some(Binding::State { value: new, .. }) = self.lookup(&state.name.text) else { return Err(Reported) };
            *value = new;
        }
        self.frame().names = names;
        Ok(result)
    }
}

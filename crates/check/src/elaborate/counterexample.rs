//! The smallest case in which what a rule about time guards against happens.
//!
//! In: the values that a rule has refused. Out: a [`Counterexample`] of as few positions as there can be, with the values
//! that the fault goes through; nothing where there is none, where it would be longer than [`MOST_POSITIONS`], or where the
//! search would take too long. A text is searched position by position, so what is found first is the shortest; only the
//! first step reads ahead, by as much as the text says, and the others are followed back (see [`crate::flow`]).
//!
//! Not here: rules on states. A view of a state has no case: as a function of the text it is causal, and it is refused
//! because no form of the program could compute it.

use std::ops::Range;

use genesys_axis::{Domain, Size};
use genesys_diag::{Counterexample, Flaw, Step};
use genesys_span::Span;

use super::Elaborator;
use crate::core::{AxisId, NodeId};
use crate::flow::{Element, Flow, Place, holds, number, pooled};

/// Longest case that is looked for.
const MOST_POSITIONS: u64 = 2048;
/// Most places that are looked at for all diagnostics of one unit.
pub(super) const MOST_PLACES: usize = 50_000;

/// A view in time, which reads a value at other positions.
pub(super) enum View<'s> {
    /// `shift(x, n)`.
    Shift(&'s Size),
    /// `window[W](x)`.
    Window(AxisId),
    /// `pool(x, n)`.
    Pool(&'s Size),
    /// `past[P](x, window = n, skip = k)`.
    Past(&'s Domain),
    /// `blocks[B, W](x)`.
    Blocks(AxisId),
}

impl View<'_> {
    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        match self {
            View::Shift(_) => "shift",
            View::Window(_) => "window",
            View::Pool(_) => "pool",
            View::Past(_) => "past",
            View::Blocks(_) => "blocks",
        }
    }
}

impl Elaborator<'_, '_> {
    /// Why `shift(x, by)` is no view of the past.
    pub(super) fn shift_ahead(&mut self, x: NodeId, by: &Size, span: Span) -> Option<Counterexample> {
        let ahead = ahead(by)?;
        self.future(x, span, |read| match read.checked_sub(ahead) {
            Some(t) => t..t + 1,
            None => 0..0,
        })
    }

    /// Why `past(x, window = .., skip = ..)` is no view of the past.
    pub(super) fn skip_ahead(
        &mut self,
        x: NodeId,
        window: Option<&Size>,
        skip: &Size,
        span: Span,
    ) -> Option<Counterexample> {
        let ahead = ahead(skip)?;
        let window = match window {
            Some(window) => Some(number(window)?),
            None => None,
        };
        // `t + ahead - window < read <= t + ahead`.
        let end = |read: u64| window.map_or(read, |window| read.saturating_add(window).saturating_sub(ahead).min(read));
        self.future(x, span, |read| read.saturating_sub(ahead)..end(read))
    }

    /// A value that reads `x` at a later position than its own; `readers` are the positions at which it reads one.
    fn future(&mut self, x: NodeId, span: Span, readers: impl Fn(u64) -> Range<u64>) -> Option<Counterexample> {
        (1..MOST_POSITIONS).find_map(|read| {
            let found = readers(read).find_map(|t| Some((t, self.way(Place::all(x, read), t)?)));
            found.map(|(t, way)| self.case(read + 1, Flaw::Future, Step { span, position: t }, &way))
        })
    }

    /// Why a value is not the same at all positions.
    pub(super) fn varying(&mut self, x: NodeId, span: Span) -> Option<Counterexample> {
        self.held(x, Flaw::Constant, span)
    }

    /// Why a derivative to a weight knows the future: `e` is what would be summed.
    pub(super) fn summed(&mut self, e: NodeId, span: Span) -> Option<Counterexample> {
        self.held(e, Flaw::Summed, span)
    }

    /// What position 0 would read if it held what a later one holds.
    fn held(&mut self, x: NodeId, flaw: Flaw, span: Span) -> Option<Counterexample> {
        let (t, way) = (1..MOST_POSITIONS).find_map(|t| Some((t, self.way(Place::all(x, t), 0)?)))?;
        Some(self.case(t + 1, flaw, Step { span, position: 0 }, &way))
    }

    /// Why a dependent axis of `x` is not the same at all positions.
    pub(super) fn growing(&mut self, x: NodeId, axis: AxisId, span: Span) -> Option<Counterexample> {
        let domain = self.graph.axis(axis).domain.clone();
        if !self.ty(x).axes.contains(&axis) {
            return None;
        }
        let (t, way) = (1..MOST_POSITIONS).find_map(|t| {
            let (first, mut later) = (holds(&domain, 0)?, holds(&domain, t)?);
            later.find_map(|element| {
                let elements = [(axis, Element::At(element))].into();
                let place = Place { node: x, position: 0, elements };
                (!first.contains(&element)).then(|| self.way(place, 0)).flatten().map(|way| (t, way))
            })
        })?;
        let flaw = Flaw::Static { axis: self.graph.axis(axis).name.clone() };
        Some(self.case(t + 1, flaw, Step { span, position: 0 }, &way))
    }

    /// Why a view of `x`, which looks at a past itself, has no value for an element of that past.
    pub(super) fn lacking(&mut self, x: NodeId, view: &View<'_>, span: Span) -> Option<Counterexample> {
        let axes = self.dependent(&self.ty(x).axes.clone());
        let at = self.graph.node(x).span;
        (0..MOST_POSITIONS).find_map(|t| {
            axes.iter().find_map(|&axis| {
                let domain = &self.graph.axis(axis).domain;
                let wanted = holds(domain, t)?;
                let (read, element) = self.positions(view, t).find_map(|read| {
                    let found = holds(domain, read)?;
                    Some((read, wanted.clone().find(|element| !found.contains(element))?))
                })?;
                let flaw = Flaw::Lacks { axis: self.graph.axis(axis).name.clone(), element };
                let path = vec![Step { span, position: t }, Step { span: at, position: read }];
                Some(Counterexample { length: t + 1, flaw, path })
            })
        })
    }

    /// The positions that a view reads.
    fn positions(&self, view: &View<'_>, t: u64) -> Range<u64> {
        let size = |axis: AxisId| self.graph.axis(axis).domain.size().and_then(number);
        match view {
            View::Shift(by) => number(by).and_then(|by| t.checked_sub(by)).map_or(0..0, |read| read..read + 1),
            View::Window(axis) => size(*axis).map_or(0..0, |size| (t + 1).saturating_sub(size)..t + 1),
            View::Pool(length) => pooled(number(length), t),
            View::Past(domain) => holds(domain, t).unwrap_or(0..0),
            View::Blocks(within) => {
                0..size(*within).and_then(|size| Some((t + 1).checked_div(size)? * size)).unwrap_or(0)
            }
        }
    }

    /// Where two uses of one axis hold different elements.
    pub(super) fn differing(&self, axis: AxisId, first: Span, domain: &Domain, at: Span) -> Option<Counterexample> {
        let before = &self.graph.axis(axis).domain;
        (0..MOST_POSITIONS).find_map(|t| {
            let (old, new) = (holds(before, t)?, holds(domain, t)?);
            let only_old = old.clone().find(|element| !new.contains(element)).map(|element| (element, first, at));
            let only_new = new.clone().find(|element| !old.contains(element)).map(|element| (element, at, first));
            let (element, has, lacks) = only_old.or(only_new)?;
            let flaw = Flaw::Differs { axis: self.graph.axis(axis).name.clone(), element };
            let path = vec![Step { span: has, position: t }, Step { span: lacks, position: t }];
            Some(Counterexample { length: t + 1, flaw, path })
        })
    }

    /// Where an axis has no element.
    pub(super) fn empty(&self, axis: AxisId, span: Span) -> Option<Counterexample> {
        let axis = self.graph.axis(axis);
        let none = holds(&axis.domain, 0)?.is_empty();
        let flaw = Flaw::Empty { axis: axis.name.clone() };
        none.then(|| Counterexample { length: 1, flaw, path: vec![Step { span, position: 0 }] })
    }

    fn way(&mut self, from: Place, floor: u64) -> Option<Vec<Place>> {
        let Elaborator { graph, places, .. } = self;
        Flow { graph, budget: places }.reads_behind(from, floor)
    }

    /// A case whose first step is `first`; values that stand at one place of the text are one step.
    fn case(&self, length: u64, flaw: Flaw, first: Step, way: &[Place]) -> Counterexample {
        let steps = way.iter().map(|at| Step { span: self.graph.node(at.node).span, position: at.position });
        let mut path: Vec<Step> = [first].into_iter().chain(steps).collect();
        path.dedup();
        Counterexample { length, flaw, path }
    }
}

/// How far a negative offset reads ahead.
fn ahead(offset: &Size) -> Option<u64> {
    offset.as_int().filter(|&by| by < 0).map(i64::unsigned_abs)
}

//! T-view: the only rules that read another position. They read positions `<= t`, of values that
//! look at no past themselves and depend on no state. And T-ordered, which sums along a past that
//! a view has made.

use genesys_axis::{Domain, Size};
use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{Arg, AxisRef, Call, Ident, Slot};

use super::counterexample::View;
use super::{Binding, Elab, Elaborator};
use crate::core::{AxisId, NodeId, Op, Stage, Type};
use crate::error;

impl<'a> Elaborator<'a, '_> {
    /// `shift(x, n)`: `x` at `t - n`, zero before the start.
    pub(crate) fn shift(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let (value, by) = match call.args.as_slice() {
            [Arg::Value(value), Arg::Value(by)] => (value, by),
            _ => return Err(self.fail(error::arguments(span, "expected a value and a distance: `shift(x, 1)`"))),
        };
        let x = self.expr(value)?;
        let size = self.size_of_expr(by)?;
        let ahead = self.shift_ahead(x, &size, span);
        self.offset(&size, 0, by.span, "a negative shift would read the future", ahead)?;
        self.viewable(x, &View::Shift(&size), span)?;
        let ty = Type { stage: Stage::Seq, ..self.ty(x).clone() };
        self.push(Op::Shift { by: size }, &[x], ty, span)
    }

    /// `window[W](x)`: the last values of `x`, as many as `W` has elements, the oldest first, zero
    /// before the start.
    pub(crate) fn window(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let (axis, value) = match (&call.slot, call.args.as_slice()) {
            (Some(Slot::Axes(axes)), [Arg::Value(value)]) => match axes.as_slice() {
                [AxisRef::Named(axis)] => (axis, value),
                _ => return Err(self.window_form(span)),
            },
            _ => return Err(self.window_form(span)),
        };
        let x = self.expr(value)?;
        let id = self.axis(axis)?;
        if self.is_dependent(id) {
            return Err(self.needs_static(axis, "a past of the last 64 positions is `past[Near](x, window = 64)`"));
        }
        self.viewable(x, &View::Window(id), span)?;
        self.lacks_axis(x, id, axis.span)?;
        let axes = self.ty(x).axes.iter().copied().chain([id]).collect();
        self.push(Op::Window(id), &[x], Type { stage: Stage::Seq, axes }, span)
    }

    /// `pool(x, n)`: the mean of `x` over the last completed block of `n` positions, 0 before the first.
    pub(crate) fn pool(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let (value, size) = match (&call.slot, call.args.as_slice()) {
            (None, [Arg::Value(value), Arg::Value(size)]) => (value, size),
            _ => return Err(self.fail(error::arguments(span, "expected a value and a block's length: `pool(x, 16)`"))),
        };
        let x = self.expr(value)?;
        let length = self.size_of_expr(size)?;
        self.at_least(&length, 1, size.span, "a block holds at least one position")?;
        self.viewable(x, &View::Pool(&length), span)?;
        let ty = Type { stage: Stage::Seq, ..self.ty(x).clone() };
        self.push(Op::Pool { size: length }, &[x], ty, span)
    }

    /// `blocks[B, W](x)`: `x` at the positions of every completed block of as many positions as `W` has elements.
    pub(crate) fn blocks(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let form = "expected two axes and one value: `blocks[B, W](x)`";
        let (name, within, value) = match (&call.slot, call.args.as_slice()) {
            (Some(Slot::Axes(axes)), [Arg::Value(value)]) => match axes.as_slice() {
                [AxisRef::Named(blocks), AxisRef::Named(within)] => (blocks, within, value),
                _ => return Err(self.fail(blocks_help(error::arguments(span, form)))),
            },
            _ => return Err(self.fail(blocks_help(error::arguments(span, form)))),
        };
        let x = self.expr(value)?;
        let id = self.axis(within)?;
        if self.is_dependent(id) {
            return Err(self.needs_static(within, "a block holds a fixed number of positions: `axis W = 64`"));
        }
        self.viewable(x, &View::Blocks(id), span)?;
        self.lacks_axis(x, id, within.span)?;
        let size = self.size_of(id);
        let blocks = self.dependent_axis(&name.text, name.span, Domain::Blocks { size })?;
        let axes = self.ty(x).axes.iter().copied().chain([blocks, id]).collect();
        self.push(Op::Blocks { blocks, within: id }, &[x], Type { stage: Stage::Seq, axes }, span)
    }

    fn window_form(&mut self, span: Span) -> super::Reported {
        let diagnostic = error::arguments(span, "expected one axis and one value: `window[W](x)`");
        self.fail(diagnostic.help("a window is as long as its axis: `axis W = 4`, then `window[W](x)`"))
    }

    /// `past(x)`, `past[Near](x, window = n, skip = k)`: `x` at every `s` with
    /// `t - k - n < s <= t - k`.
    pub(crate) fn past(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let (x, options) = self.one_value(call, &["window", "skip"], span)?;
        let window = match options.get("window") {
            Some(expr) => {
                let size = self.size_of_expr(expr)?;
                self.at_least(&size, 1, expr.span, "a window holds at least one position")?;
                Some(size)
            }
            None => None,
        };
        let skip = match options.get("skip") {
            Some(expr) => {
                let size = self.size_of_expr(expr)?;
                let ahead = self.skip_ahead(x, window.as_ref(), &size, span);
                self.offset(&size, 0, expr.span, "a negative skip would read the future", ahead)?;
                size
            }
            None => Size::int(0),
        };
        let domain = Domain::Past { window, skip };
        self.viewable(x, &View::Past(&domain), span)?;
        let axis = self.past_axis(call, domain)?;
        let ty = self.ty(x).clone();
        let ty = Type { stage: Stage::Seq, axes: ty.axes.into_iter().chain([axis]).collect() };
        self.push(Op::Past(axis), &[x], ty, span)
    }

    /// The dependent axis of a view: declared where it is first used, of one reach ever after.
    fn past_axis(&mut self, call: &'a Call, domain: Domain) -> Elab<AxisId> {
        let (name, at) = match &call.slot {
            None => ("Past", call.head.span),
            Some(Slot::Axes(axes)) if matches!(axes.as_slice(), [AxisRef::Named(_)]) => match &axes[0] {
                AxisRef::Named(name) => (name.text.as_str(), name.span),
                AxisRef::Row(_) | AxisRef::Rest(_) => unreachable!("the guard admits a name only"),
            },
            Some(_) => {
                let message = "expected one name for the past, as in `past[Near](x, window = 64)`";
                return Err(self.fail(error::arguments(call.head.span, message)));
            }
        };
        self.dependent_axis(name, at, domain)
    }

    /// The dependent axis of that name: declared where it is first used, of one domain ever after.
    fn dependent_axis(&mut self, name: &'a str, at: Span, domain: Domain) -> Elab<AxisId> {
        match self.lookup(name) {
            None => {
                let axis = self.declare_axis(name, domain);
                self.frame().names.insert(name, (Binding::Axis(axis), at));
                Ok(axis)
            }
            Some(Binding::Axis(axis)) if self.graph.axis(axis).domain == domain => Ok(axis),
            Some(Binding::Axis(axis)) if self.is_dependent(axis) => {
                let message = match domain {
                    Domain::Past { .. } => format!("the past `{name}` has another window or skip here than before"),
                    Domain::Static(_) | Domain::Blocks { .. } => {
                        format!("the blocks `{name}` are of another length here than what is called so before")
                    }
                };
                let help = "one axis has one reach: give this past a name of its own, as in `past[Near](..)`";
                let first = self.frame().names[name].1;
                let case = self.differing(axis, first, &domain, at);
                let diagnostic = Diagnostic::error(Code::PAST_DOMAIN, at, message).counterexample(case);
                Err(self.fail(diagnostic.label(first, "first used here").help(help)))
            }
            Some(_) => {
                let first = self.frame().names[name].1;
                let ident = |span| Ident { text: name.into(), span };
                Err(self.fail(error::duplicate("name", &ident(at), &ident(first))))
            }
        }
    }

    /// T-ordered: `cumsum[Past](e)`, at each position of the past the sum up to it;
    /// `after[Past](e)`, the sum of what stands behind it.
    pub(crate) fn ordered(&mut self, op: fn(AxisId) -> Op, call: &'a Call, span: Span) -> Elab<NodeId> {
        let (x, _) = self.one_value(call, &[], span)?;
        let axis = self.ordered_axis(call, x, span)?;
        let ty = self.ty(x).clone();
        self.push(op(axis), &[x], ty, span)
    }

    /// The past that is summed along; it may be left out where the value has just one.
    fn ordered_axis(&mut self, call: &Call, x: NodeId, span: Span) -> Elab<AxisId> {
        let head = &call.head.text;
        let pasts = self.dependent(&self.seen(x));
        let name = match &call.slot {
            Some(Slot::Axes(axes)) => match axes.as_slice() {
                [AxisRef::Named(name)] => Some(name),
                _ => None,
            },
            None if pasts.len() == 1 => return Ok(pasts[0]),
            Some(Slot::Map { .. } | Slot::Of { .. }) | None => None,
        };
        if pasts.is_empty() {
            let message = format!("expected a value with a past in `{head}`, found {}", self.show_node(x));
            let help = format!("positions have an order, axes have none: look back first, `{head}[Past](past(x))`");
            return Err(self.fail(Diagnostic::error(Code::AXIS_MISSING, span, message).help(help)));
        }
        let Some(name) = name else {
            let message = format!("expected one past, as in `{head}[Past](..)`");
            return Err(self.fail(error::arguments(call.head.span, message)));
        };
        let axis = self.axis(name)?;
        if !self.is_dependent(axis) {
            let message = format!("expected a past, found the static axis `{}`", name.text);
            let help = format!("the value's past is `{}`", self.names(pasts));
            return Err(self.fail(Diagnostic::error(Code::DEPENDENT_AXIS, name.span, message).help(help)));
        }
        self.has_axis(x, axis, name.span)?;
        Ok(axis)
    }

    /// Whether a time view may read a value.
    fn viewable(&mut self, x: NodeId, view: &View<'_>, span: Span) -> Elab<()> {
        let name = view.name();
        if self.ty(x).stage == Stage::Moment {
            let message = format!("expected a value free of any state in `{name}`, found one that depends on a state");
            let help =
                "within a step only the present state is known: look back before the scan, or keep a second state";
            return Err(self.fail(Diagnostic::error(Code::VIEW_OF_STATE, span, message).help(help)));
        }
        match self.past_of(x, Code::VIEW_OF_PAST, &format!("a value in `{name}`"), span) {
            None => Ok(()),
            Some(diagnostic) => {
                let case = self.lacking(x, view, span);
                Err(self.fail(diagnostic.counterexample(case)))
            }
        }
    }
}

fn blocks_help(diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.help("a block is as long as its axis: `axis W = 64`, then `blocks[B, W](x)`, where the name `B` is new")
}

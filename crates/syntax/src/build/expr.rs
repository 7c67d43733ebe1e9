//! Values: operators, calls, scans.

use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use pest::iterators::Pair;

use super::body::compare_op;
use super::operators::{Fold, Infix};
use super::size::shorten;
use super::{Builder, Built};
use crate::ast::{
    Arg, AxisRef, BinaryOp, Call, CompareOp, Expr, ExprId, ExprKind, Ident, Loop, Scan, Slot, State, StaticArg,
    StaticValue,
};
use crate::grammar::Rule;
use crate::limits::MAX_EXPR_DEPTH;

/// A value with what its surroundings need.
pub(super) struct Value {
    pub(super) expr: Expr,
    /// How deep its tree is.
    pub(super) depth: usize,
    /// Its place with the parentheses around it.
    pub(super) outer: Span,
}

/// What waits between operands: a sign waits with a left operand that is never used.
#[derive(Clone, Copy)]
enum Op {
    Neg(Span),
    Binary(BinaryOp),
    Compare(CompareOp, Span),
}

const SIGN: u8 = 4;

impl Builder<'_> {
    /// `expr` and `init`: operands, operators, signs and renames in a flat list.
    pub(super) fn expr(&self, pair: Pair<'_, Rule>) -> Built<Value> {
        let mut end = self.span(&pair).start;
        let mut parts = pair.into_inner();
        // Most values are one operand, and need no stacks.
        if parts.len() == 1 {
            return self.operand(parts.next().expect("the one part"));
        }
        let mut fold = Fold::new();
        let mut waiting: Option<Value> = None;
        for part in parts {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::rename => {
                    let value = waiting.take().expect("a rename follows a value");
                    waiting = Some(self.rename(value, part)?);
                }
                Rule::op => {
                    self.check_minus(part.as_str(), end, span)?;
                    fold.operand(waiting.take());
                    fold.infix(infix(part.as_str(), span), &mut |op, a, b| self.join(op, a, b))?;
                }
                Rule::neg => fold.prefix(Infix { op: Op::Neg(span), strength: SIGN, right: true }, None),
                _ => waiting = Some(self.operand(part)?),
            }
            end = span.end;
        }
        fold.operand(waiting);
        let value = fold.finish(&mut |op, a, b| self.join(op, a, b))?;
        Ok(value.expect("a list of operators ends in an operand"))
    }

    /// A binary minus that is first on its line must be followed by a blank. There is no edit: which
    /// of two readings is meant cannot be told.
    pub(super) fn check_minus(&self, op: &str, previous_end: u32, span: Span) -> Built<()> {
        let between = &self.text[previous_end as usize - self.base..span.start as usize - self.base];
        let after = self.text.as_bytes().get(span.end as usize - self.base);
        if op != "-" || !between.contains('\n') || after.is_some_and(|b| b.is_ascii_whitespace()) {
            return Ok(());
        }
        let message = "expected a blank after a `-` that begins a line, found none: it could begin a new value";
        let error = Diagnostic::error(Code::AMBIGUOUS_MINUS, span, message);
        Err(Box::new(error.help("write `- ` to subtract, or put the new value in parentheses")))
    }

    fn join(&self, op: Op, left: Option<Value>, right: Option<Value>) -> Built<Option<Value>> {
        let right = right.expect("every operator has an operand to its right");
        let infix = || left.expect("every infix operator has an operand to its left");
        let (kind, span, depth) = match op {
            Op::Neg(sign) => (ExprKind::Neg(Box::new(right.expr)), sign.to(right.outer), right.depth),
            Op::Binary(op) => {
                let left = infix();
                let (span, depth) = (left.outer.to(right.outer), left.depth.max(right.depth));
                (ExprKind::Binary(op, Box::new(left.expr), Box::new(right.expr)), span, depth)
            }
            Op::Compare(op, at) => {
                let left = infix();
                let in_parentheses = left.outer != left.expr.span;
                if matches!(left.expr.kind, ExprKind::Compare(..)) && !in_parentheses {
                    let help = "comparisons do not chain; use parentheses";
                    return self.error(at, "expected the end of the comparison, found another", help);
                }
                let (span, depth) = (left.outer.to(right.outer), left.depth.max(right.depth));
                (ExprKind::Compare(op, Box::new(left.expr), Box::new(right.expr)), span, depth)
            }
        };
        self.node(kind, span, depth + 1).map(Some)
    }

    fn node(&self, kind: ExprKind, span: Span, depth: usize) -> Built<Value> {
        if depth > MAX_EXPR_DEPTH {
            let message = format!("this value is more than {MAX_EXPR_DEPTH} operators and calls deep");
            let error = Diagnostic::error(Code::NESTING_TOO_DEEP, span, message);
            return Err(Box::new(error.help("bind a part of it with `let`")));
        }
        Ok(Value { expr: Expr { id: ExprId(0), kind, span }, depth, outer: span })
    }

    fn operand(&self, pair: Pair<'_, Rule>) -> Built<Value> {
        let part = pair.into_inner().next().expect("an operand has a form");
        let span = self.span(&part);
        match part.as_rule() {
            Rule::number => self.number(&part),
            Rule::bool => self.node(ExprKind::Bool(part.as_str() == "true"), span, 1),
            Rule::scan => self.scan(part),
            Rule::repeat => self.repeat(part),
            Rule::each => self.each(part),
            Rule::hole => {
                let name = part.into_inner().next().map(|name| self.ident(&name));
                self.node(ExprKind::Hole(name), span, 1)
            }
            Rule::apply => self.apply(part),
            Rule::regroup => self.regroup(part),
            _ => self.group(part),
        }
    }

    fn number(&self, pair: &Pair<'_, Rule>) -> Built<Value> {
        let (text, span) = (pair.as_str(), self.span(pair));
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => self.node(ExprKind::Number { value, text: text.to_owned() }, span, 1),
            _ => {
                let message = format!("expected a number below 1.8e308, found `{}`", shorten(text));
                self.error(span, message, "write a smaller number")
            }
        }
    }

    fn group(&self, pair: Pair<'_, Rule>) -> Built<Value> {
        let outer = self.span(&pair);
        let mut values = pair.into_inner().filter(|p| p.as_rule() == Rule::expr);
        let first = self.expr(values.next().expect("parentheses hold a value"))?;
        let (mut depth, mut parts) = (first.depth, Vec::new());
        for value in values {
            let value = self.expr(value)?;
            depth = depth.max(value.depth);
            parts.push(value.expr);
        }
        if parts.is_empty() {
            return Ok(Value { outer, ..first });
        }
        parts.insert(0, first.expr);
        self.node(ExprKind::Tuple(parts), outer, depth + 1)
    }

    /// What is shared: a call without values, which may have options.
    pub(super) fn shared(&self, pair: Pair<'_, Rule>) -> Built<Expr> {
        let span = self.span(&pair);
        let mut call = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => {
                    call = Some(Call { head: self.ident(&part), statics: vec![], slot: None, args: vec![] });
                }
                rule => {
                    let call = call.as_mut().expect("a name stands first");
                    match rule {
                        Rule::statics => call.statics = self.statics(part)?,
                        Rule::slot => call.slot = Some(self.slot(part)?),
                        _ => call.args = self.args(part)?.0,
                    }
                }
            }
        }
        let call = call.expect("what is shared has a head");
        if let Some(Arg::Value(value)) = call.args.iter().find(|arg| matches!(arg, Arg::Value(_))) {
            let help = "its values are given where it is called: `share f = Mlp<F = 128>`, then `f(x)`";
            return self.error(value.span, "expected options alone in what is shared, found a value", help);
        }
        Ok(Expr { id: ExprId(0), kind: ExprKind::Call(call), span })
    }

    fn rename(&self, value: Value, pair: Pair<'_, Rule>) -> Built<Value> {
        let span = value.outer.to(self.span(&pair));
        let at = self.span(&pair);
        let slot = pair.into_inner().find(|p| p.as_rule() == Rule::slot).expect("a rename has a slot");
        let (mut from, mut to) = match self.slot(slot)? {
            Slot::Map { from, to, per } if per.is_empty() => (from, to),
            Slot::Axes(_) | Slot::Map { .. } | Slot::Of { .. } => (Vec::new(), Vec::new()),
        };
        match (from.pop(), to.pop()) {
            (Some(old), Some(new)) if from.is_empty() && to.is_empty() => {
                let depth = value.depth + 1;
                self.node(ExprKind::Rename { value: Box::new(value.expr), from: old, to: new }, span, depth)
            }
            _ => self.error(at, "expected `as [OLD -> NEW]` with one axis on either side", "rename one axis at a time"),
        }
    }

    fn regroup(&self, pair: Pair<'_, Rule>) -> Built<Value> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let slot = self.slot(parts.next().expect("a regrouping has a slot"))?;
        let (mut args, depth) = self.args(parts.next().expect("a regrouping has an argument"))?;
        let (from, to) = match slot {
            Slot::Map { from, to, per } if per.is_empty() && !from.is_empty() && !to.is_empty() => (from, to),
            Slot::Axes(_) | Slot::Map { .. } | Slot::Of { .. } => {
                return self.error(span, "expected `[AXES -> AXES](value)`", "name the axes taken and the axes made");
            }
        };
        match (args.pop(), args.is_empty()) {
            (Some(Arg::Value(value)), true) if !matches!(value.kind, ExprKind::Labeled { .. }) => {
                self.node(ExprKind::Regroup { from, to, value: Box::new(value) }, span, depth + 1)
            }
            _ => self.error(span, "expected one value to regroup", "write `[D -> H, E](x)`"),
        }
    }

    fn each(&self, pair: Pair<'_, Rule>) -> Built<Value> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner().skip(1);
        let slot = parts.next().expect("each has a slot");
        let at = self.span(&slot);
        let axes = match self.slot(slot)? {
            Slot::Axes(axes) => axes.into_iter().map(|axis| self.plain_axis(axis)).collect::<Built<Vec<_>>>()?,
            Slot::Map { .. } | Slot::Of { .. } => {
                return self.error(at, "expected axes, found a map", "write `each[H] Unit(x)`");
            }
        };
        let call = self.apply(parts.next().expect("each has a call"))?;
        if !matches!(call.expr.kind, ExprKind::Call(_)) {
            return self.error(call.outer, "expected a call after `each[..]`", "write `each[H] Unit(x)`");
        }
        let depth = call.depth + 1;
        self.node(ExprKind::Each { axes, call: Box::new(call.expr) }, span, depth)
    }

    fn apply(&self, pair: Pair<'_, Rule>) -> Built<Value> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let head = self.ident(&parts.next().expect("an application has a head"));
        let (mut statics, mut slot, mut args) = (Vec::new(), None, None);
        for part in parts {
            match part.as_rule() {
                Rule::statics => statics = self.statics(part)?,
                Rule::slot => slot = Some(self.slot(part)?),
                _ => args = Some(self.args(part)?),
            }
        }
        match (args, slot) {
            (Some((args, depth)), slot) => {
                self.node(ExprKind::Call(Call { head, statics, slot, args }), span, depth + 1)
            }
            (None, None) if statics.is_empty() => self.node(ExprKind::Name(head), span, 1),
            (None, Some(Slot::Axes(mut axes))) if statics.is_empty() && axes.len() == 1 => {
                let axis = self.plain_axis(axes.remove(0))?;
                self.node(ExprKind::Indexed { head, axis }, span, 1)
            }
            (None, _) => {
                let message =
                    format!("expected the arguments of `{}` in `(..)` on the same line, found none", head.text);
                self.error(span, message, "a call is `head<sizes>[axes](values)`")
            }
        }
    }

    fn slot(&self, pair: Pair<'_, Rule>) -> Built<Slot> {
        let span = self.span(&pair);
        let (mut axes, mut to, mut per, mut of) = (None, None, Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::axis_list => axes = Some(part),
                Rule::of_axis => of = part.into_inner().find(|p| p.as_rule() == Rule::upper),
                Rule::map_to => to = Some(part.into_inner().find(|p| p.as_rule() == Rule::axis_list)),
                Rule::per => {
                    let list = part.into_inner().find(|p| p.as_rule() == Rule::axis_list);
                    per = self.plain_axes(list.expect("per has axes"))?;
                }
                _ => {}
            }
        }
        if let Some(of) = of {
            let made = axes.map_or_else(|| Ok(Vec::new()), |list| self.plain_axes(list))?;
            return match <[Ident; 1]>::try_from(made) {
                Ok([made]) if per.is_empty() && to.is_none() => Ok(Slot::Of { made, axis: self.ident(&of) }),
                _ => self.error(span, "expected one axis on either side of `of`", "write `top[K of Past](score, v)`"),
            };
        }
        let Some(to) = to else {
            if !per.is_empty() {
                return self.error(span, "expected `->` before `; per`, found none", "write `[D -> E; per G]`");
            }
            let axes = axes.map_or_else(Vec::new, |list| self.axis_list(list));
            if axes.is_empty() {
                return self.error(
                    span,
                    "expected an axis in `[..]`, found none",
                    "name an axis, or leave the brackets out",
                );
            }
            return Ok(Slot::Axes(axes));
        };
        let plain = |list: Option<Pair<'_, Rule>>| list.map_or_else(|| Ok(Vec::new()), |list| self.plain_axes(list));
        Ok(Slot::Map { from: plain(axes)?, to: plain(to)?, per })
    }

    pub(super) fn statics(&self, pair: Pair<'_, Rule>) -> Built<Vec<StaticArg>> {
        let args = pair.into_inner().filter(|p| p.as_rule() == Rule::static_arg);
        args.map(|p| self.static_arg(p)).collect()
    }

    fn static_arg(&self, pair: Pair<'_, Rule>) -> Built<StaticArg> {
        let (mut name, mut value) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::upper => name = Some(self.ident(&part)),
                Rule::size => value = Some(StaticValue::Size(self.size(part)?)),
                Rule::unit_arg => value = Some(StaticValue::Unit(self.unit_ref(part)?)),
                _ => {}
            }
        }
        Ok(StaticArg { name, value: value.expect("a static argument has a value") })
    }

    /// The arguments, and how deep the deepest is.
    fn args(&self, pair: Pair<'_, Rule>) -> Built<(Vec<Arg>, usize)> {
        let (mut args, mut deepest) = (Vec::new(), 0);
        for part in pair.into_inner().filter(|p| p.as_rule() == Rule::arg) {
            let (arg, depth) = self.arg(part)?;
            deepest = depth.max(deepest);
            args.push(arg);
        }
        Ok((args, deepest))
    }

    fn arg(&self, pair: Pair<'_, Rule>) -> Built<(Arg, usize)> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let first = parts.next().expect("an argument has a value");
        if first.as_rule() == Rule::expr {
            let value = self.expr(first)?;
            return Ok((Arg::Value(value.expr), value.depth));
        }
        let name = self.ident(&first);
        let mark = parts.next().expect("a named argument has a mark").as_rule();
        let value = self.expr(parts.next().expect("a named argument has a value"))?;
        if mark == Rule::eq {
            return Ok((Arg::Named(name, value.expr), value.depth));
        }
        let labeled = self.labeled(name, value, span)?;
        Ok((Arg::Value(labeled.expr), labeled.depth))
    }

    fn labeled(&self, label: Ident, value: Value, span: Span) -> Built<Value> {
        if label.text == "else" {
            return self.error(label.span, "expected a label, found `else`", "write `else = 0`");
        }
        if !matches!(value.expr.kind, ExprKind::Call(_) | ExprKind::Each { .. }) {
            let message = format!("expected a call after the label `{}:`", label.text);
            return self.error(value.outer, message, "a label names the weights of a call; a named argument takes `=`");
        }
        let depth = value.depth + 1;
        self.node(ExprKind::Labeled { label, call: Box::new(value.expr) }, span, depth)
    }

    fn scan(&self, pair: Pair<'_, Rule>) -> Built<Value> {
        let span = self.span(&pair);
        let (mut states, mut every, mut class, mut body, mut deepest) = (Vec::new(), None, None, None, 0);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::state => {
                    let (state, depth) = self.state(part)?;
                    deepest = depth.max(deepest);
                    states.push(state);
                }
                Rule::every => every = Some(self.size(part.into_inner().last().expect("`every` has a size"))?),
                Rule::name => class = Some(self.ident(&part)),
                Rule::block => {
                    let (block, depth) = self.scan_body(part)?;
                    deepest = depth.max(deepest);
                    body = Some(block);
                }
                _ => {}
            }
        }
        let body = body.expect("a scan has a body");
        self.node(ExprKind::Scan(Box::new(Scan { states, every, class, body })), span, deepest + 1)
    }

    fn repeat(&self, pair: Pair<'_, Rule>) -> Built<Value> {
        let span = self.span(&pair);
        let (mut counter, mut count, mut states, mut body, mut deepest) = (None, None, Vec::new(), None, 0);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::counter => counter = part.into_inner().next().map(|name| self.ident(&name)),
                Rule::size => count = Some(self.size(part)?),
                Rule::state => {
                    let (state, depth) = self.state(part)?;
                    deepest = depth.max(deepest);
                    states.push(state);
                }
                Rule::block => {
                    let (block, depth) = self.scan_body(part)?;
                    deepest = depth.max(deepest);
                    body = Some(block);
                }
                _ => {}
            }
        }
        let (count, body) = count.zip(body).expect("a loop has a count and a body");
        self.node(ExprKind::Repeat(Box::new(Loop { counter, count, states, body })), span, deepest + 1)
    }

    fn state(&self, pair: Pair<'_, Rule>) -> Built<(State, usize)> {
        let (mut name, mut axes, mut init, mut reset): (_, Vec<AxisRef>, _, _) = (None, Vec::new(), None, false);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.ident(&part)),
                Rule::axes => axes = self.axes(part),
                Rule::init => init = Some(self.expr(part)?),
                Rule::k_reset => reset = true,
                _ => {}
            }
        }
        let (name, init) = name.zip(init).expect("a state has a name and an initial value");
        Ok((State { name, axes, init: init.expr, reset }, init.depth))
    }
}

fn infix(text: &str, span: Span) -> Infix<Op> {
    let (op, strength, right) = match text {
        "+" => (Op::Binary(BinaryOp::Add), 2, false),
        "-" => (Op::Binary(BinaryOp::Sub), 2, false),
        "*" => (Op::Binary(BinaryOp::Mul), 3, false),
        "/" => (Op::Binary(BinaryOp::Div), 3, false),
        "%" => (Op::Binary(BinaryOp::Rem), 3, false),
        "^" => (Op::Binary(BinaryOp::Pow), SIGN + 1, true),
        _ => (Op::Compare(compare_op(text), span), 1, false),
    };
    Infix { op, strength, right }
}

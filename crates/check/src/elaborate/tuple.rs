//! Tuples: several values of one expression, which a `let` takes apart and a body may end with.
//!
//! An expression gives one node or a tuple of nodes ([`Given`]). Only `(a, b)`, a call of a unit of
//! several results, a primitive that says so, and a scan or a loop that yields a tuple give one; everything
//! else asks for one value.
//! Tuples are no values of the core: they neither nest nor stand among operands.

use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{Expr, ExprKind, Ident};

use super::{Binding, Elab, Elaborator, Reported};
use crate::core::NodeId;
use crate::error;

/// What an expression gives.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    /// One value.
    One(NodeId),
    /// The values of a tuple, at least two.
    Tuple(Vec<NodeId>),
}

impl From<NodeId> for Given {
    fn from(node: NodeId) -> Given {
        Given::One(node)
    }
}

impl Given {
    /// One value alone, or several as a tuple.
    pub(crate) fn of(mut values: Vec<NodeId>) -> Given {
        if values.len() == 1 { Given::One(values.remove(0)) } else { Given::Tuple(values) }
    }

    /// The values in order.
    pub(crate) fn nodes(&self) -> &[NodeId] {
        match self {
            Given::One(value) => std::slice::from_ref(value),
            Given::Tuple(values) => values,
        }
    }

    /// The values in order.
    pub(crate) fn values(self) -> Vec<NodeId> {
        match self {
            Given::One(value) => vec![value],
            Given::Tuple(values) => values,
        }
    }
}

impl<'a> Elaborator<'a, '_> {
    /// The one value of an expression.
    pub(crate) fn expr(&mut self, expr: &'a Expr) -> Elab<NodeId> {
        match self.given(expr)? {
            Given::One(value) => Ok(value),
            Given::Tuple(values) => {
                let message = format!("expected one value, found a tuple of {}", values.len());
                let help = format!("bind its values first: `let ({}) = ..`", placeholders(values.len()));
                Err(self.fail(Diagnostic::error(Code::TUPLE, expr.span, message).help(help)))
            }
        }
    }

    /// `(a, b)`
    pub(crate) fn tuple(&mut self, values: &'a [Expr]) -> Elab<Given> {
        let values: Vec<Elab<NodeId>> = values.iter().map(|value| self.expr(value)).collect();
        Ok(Given::Tuple(values.into_iter().collect::<Elab<_>>()?))
    }

    /// `let (a, b) = value`
    pub(crate) fn let_tuple(&mut self, names: &'a [Ident], value: &'a Expr) -> Elab<()> {
        let given = match &value.kind {
            // Each value of a tuple written out has a name of its own, and so have its weights.
            ExprKind::Tuple(parts) if parts.len() == names.len() => self.named_parts(names, parts),
            _ => {
                let outer = self.begin_statement();
                let given = self.given(value);
                self.end_statement(outer, names.iter().find(|name| is_wanted(name)));
                given.map(Given::values)
            }
        };
        let given = given.and_then(|values| self.as_many(names, values, value.span));
        let mut bound = Ok(());
        for (i, name) in names.iter().enumerate().filter(|(_, name)| is_wanted(name)) {
            let binding = given.as_ref().map_or(Binding::Poisoned, |values| Binding::Value(values[i]));
            let first = names[..i].iter().find(|other| other.text == name.text);
            bound = bound.and(match first {
                Some(first) => Err(self.fail(error::duplicate("name", name, first))),
                None => self.bind_value(name, binding),
            });
        }
        given.map(|_| ()).and(bound)
    }

    fn named_parts(&mut self, names: &'a [Ident], parts: &'a [Expr]) -> Elab<Vec<NodeId>> {
        let mut values = Vec::new();
        for (name, part) in names.iter().zip(parts) {
            let outer = self.begin_statement();
            values.push(self.expr(part));
            self.end_statement(outer, Some(name).filter(|name| is_wanted(name)));
        }
        values.into_iter().collect()
    }

    fn as_many(&mut self, names: &[Ident], values: Vec<NodeId>, span: Span) -> Elab<Vec<NodeId>> {
        if names.len() == values.len() {
            return Ok(values);
        }
        let found = if values.len() == 1 { "one value".to_owned() } else { format!("a tuple of {}", values.len()) };
        let message = format!("expected a tuple of {}, one value for each name, found {found}", names.len());
        let help = match values.len() {
            1 => "one value is bound by `let name = ..`".to_owned(),
            n => format!("name each value, `_` where it is not wanted: `let ({}) = ..`", placeholders(n)),
        };
        Err(self.fail(Diagnostic::error(Code::TUPLE, span, message).help(help)))
    }

    /// Gives a value's name a value, hiding an earlier value of that name; `_` is no name.
    pub(crate) fn bind_value(&mut self, name: &'a Ident, binding: Binding) -> Elab<()> {
        if !is_wanted(name) {
            return Ok(());
        }
        if !matches!(self.lookup(&name.text), None | Some(Binding::Value(_) | Binding::Poisoned)) {
            let first = self.frame().names[name.text.as_str()].1;
            let first = Ident { text: name.text.clone(), span: first };
            return Err(self.fail(error::duplicate("name", name, &first)));
        }
        let poisoned = matches!(binding, Binding::Poisoned);
        self.bind(name, binding);
        if poisoned { Err(Reported) } else { Ok(()) }
    }
}

/// Where an expression states each of so many values.
pub(crate) fn part_spans(value: &Expr, count: usize) -> Vec<Span> {
    match &value.kind {
        ExprKind::Tuple(parts) => parts.iter().map(|part| part.span).collect(),
        _ => vec![value.span; count],
    }
}

/// `_` says that a value is not wanted.
fn is_wanted(name: &Ident) -> bool {
    name.text != "_"
}

/// `a, b, c`
fn placeholders(count: usize) -> String {
    let names: Vec<String> = (0..count).map(|i| char::from(b'a' + (i % 26) as u8).to_string()).collect();
    names.join(", ")
}

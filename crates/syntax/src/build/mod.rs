//! From pest's pairs to the tree.
//!
//! The grammar has decided the shape; what it leaves open is settled here: operator precedence, how
//! deep a value may be, whether a slot fits its head, and whether a number fits its type. Each
//! function takes the pair of the rule it is named after. The first error ends the item.

mod body;
mod expr;
mod item;
mod operators;
mod size;

use genesys_diag::{Code, Diagnostic};
use genesys_span::{FileId, Span};
use pest::iterators::Pair;

use crate::ast::{AxisRef, Ident, Type};
use crate::grammar::Rule;

/// What a step of the builder gives.
pub(crate) type Built<T> = Result<T, Box<Diagnostic>>;

/// The place and text of the item being built.
#[derive(Clone, Copy)]
pub(crate) struct Builder<'t> {
    /// The file the item lies in.
    pub(crate) file: FileId,
    /// Where in the file `text` begins.
    pub(crate) base: usize,
    /// The text of the item, with what follows it up to the next.
    pub(crate) text: &'t str,
}

impl Builder<'_> {
    /// The span of the bytes `start..end` of this item's text.
    pub(crate) fn at(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, self.base + start, self.base + end)
    }

    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        self.at(span.start(), span.end())
    }

    fn ident(&self, pair: &Pair<'_, Rule>) -> Ident {
        Ident { text: pair.as_str().to_owned(), span: self.span(pair) }
    }

    fn error<T>(&self, span: Span, message: impl Into<String>, help: &str) -> Built<T> {
        Err(Box::new(Diagnostic::error(Code::SYNTAX, span, message).help(help)))
    }

    fn ty(&self, pair: Pair<'_, Rule>) -> Type {
        let span = self.span(&pair);
        let mut ty = Type { seq: false, axes: Vec::new(), span };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::k_seq => ty.seq = true,
                _ => ty.axes = self.axes(part),
            }
        }
        ty
    }

    /// `axes`: the references between square brackets.
    fn axes(&self, pair: Pair<'_, Rule>) -> Vec<AxisRef> {
        let list = pair.into_inner().find(|p| p.as_rule() == Rule::axis_list);
        list.map_or_else(Vec::new, |list| self.axis_list(list))
    }

    fn axis_list(&self, pair: Pair<'_, Rule>) -> Vec<AxisRef> {
        let refs = pair.into_inner().filter(|p| p.as_rule() == Rule::axis_ref);
        refs.map(|p| self.axis_ref(p)).collect()
    }

    fn axis_ref(&self, pair: Pair<'_, Rule>) -> AxisRef {
        let whole = self.span(&pair);
        let mut parts = pair.into_inner();
        match (parts.next(), parts.next()) {
            (Some(name), None) if name.as_rule() == Rule::upper => AxisRef::Named(self.ident(&name)),
            (Some(name), Some(_)) => AxisRef::Row(self.ident(&name)),
            _ => AxisRef::Rest(whole),
        }
    }

    /// `axis_list` where rows may not stand.
    fn plain_axes(&self, pair: Pair<'_, Rule>) -> Built<Vec<Ident>> {
        self.axis_list(pair).into_iter().map(|axis| self.plain_axis(axis)).collect()
    }

    fn plain_axis(&self, axis: AxisRef) -> Built<Ident> {
        match axis {
            AxisRef::Named(name) => Ok(name),
            AxisRef::Row(name) => {
                let message = format!("expected an axis here, found the row `{}..`", name.text);
                self.error(name.span, message, "name each axis")
            }
            AxisRef::Rest(span) => self.error(span, "expected an axis here, found `..`", "name each axis"),
        }
    }
}

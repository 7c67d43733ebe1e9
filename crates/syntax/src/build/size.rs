//! Sizes: `D / 64`, `ceil_to(D * 8 / 3, 64)`.

use genesys_diag::{Code, Diagnostic};
use pest::iterators::Pair;

use super::operators::{Fold, Infix};
use super::{Builder, Built};
use crate::ast::{Size, SizeFn, SizeKind, SizeOp};
use crate::grammar::Rule;
use crate::limits::MAX_EXPR_DEPTH;

impl Builder<'_> {
    pub(super) fn size(&self, pair: Pair<'_, Rule>) -> Built<Size> {
        Ok(self.size_with_depth(pair)?.0)
    }

    fn size_with_depth(&self, pair: Pair<'_, Rule>) -> Built<(Size, usize)> {
        let mut fold = Fold::new();
        let mut end = self.span(&pair).start;
        for part in pair.into_inner() {
            let span = self.span(&part);
            if part.as_rule() == Rule::size_op {
                self.check_minus(part.as_str(), end, span)?;
                let (op, strength) = size_op(part.as_str());
                fold.infix(Infix { op, strength, right: false }, &mut |op, a, b| self.join_sizes(op, a, b))?;
            } else {
                fold.operand(self.size_atom(part)?);
            }
            end = span.end;
        }
        fold.finish(&mut |op, a, b| self.join_sizes(op, a, b))
    }

    fn join_sizes(&self, op: SizeOp, a: (Size, usize), b: (Size, usize)) -> Built<(Size, usize)> {
        let span = a.0.span.to(b.0.span);
        let depth = a.1.max(b.1) + 1;
        if depth > MAX_EXPR_DEPTH {
            let message = format!("this size is more than {MAX_EXPR_DEPTH} operators deep");
            let error = Diagnostic::error(Code::NESTING_TOO_DEEP, span, message);
            return Err(Box::new(error.help("declare a part of it with `axis`")));
        }
        Ok((Size { kind: SizeKind::Binary(op, Box::new(a.0), Box::new(b.0)), span }, depth))
    }

    fn size_atom(&self, pair: Pair<'_, Rule>) -> Built<(Size, usize)> {
        let whole = self.span(&pair);
        let mut parts = pair.into_inner().filter(|p| !matches!(p.as_rule(), Rule::l_paren | Rule::r_paren));
        let part = parts.next().expect("a size atom has a part");
        match part.as_rule() {
            Rule::size => {
                // The span of a parenthesised size takes in the parentheses, for the joins around it.
                let (size, depth) = self.size_with_depth(part)?;
                Ok((Size { span: whole, ..size }, depth))
            }
            Rule::size_call => self.size_call(part),
            Rule::int => Ok((Size { kind: SizeKind::Int(self.int(&part)?), span: whole }, 1)),
            _ => Ok((Size { kind: SizeKind::Name(self.ident(&part)), span: whole }, 1)),
        }
    }

    fn size_call(&self, pair: Pair<'_, Rule>) -> Built<(Size, usize)> {
        let span = self.span(&pair);
        let mut function = SizeFn::Max;
        let mut sizes = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::size_fn => function = size_fn(part.as_str()),
                Rule::size => sizes.push(self.size_with_depth(part)?),
                _ => {}
            }
        }
        let (b, a) = sizes.pop().zip(sizes.pop()).expect("a function of sizes has two arguments");
        let kind = SizeKind::Call(function, Box::new(a.0), Box::new(b.0));
        Ok((Size { kind, span }, a.1.max(b.1) + 1))
    }

    pub(super) fn int(&self, pair: &Pair<'_, Rule>) -> Built<u64> {
        pair.as_str().parse().or_else(|_| {
            let message = format!("expected a number below 2^64, found `{}`", shorten(pair.as_str()));
            self.error(self.span(pair), message, "write a smaller number")
        })
    }
}

/// The first characters of a text that may be long.
pub(super) fn shorten(text: &str) -> String {
    const SHOWN: usize = 24;
    if text.chars().count() <= SHOWN { text.to_owned() } else { text.chars().take(SHOWN).chain("..".chars()).collect() }
}

fn size_op(text: &str) -> (SizeOp, u8) {
    match text {
        "+" => (SizeOp::Add, 2),
        "-" => (SizeOp::Sub, 2),
        "*" => (SizeOp::Mul, 3),
        "/" => (SizeOp::Div, 3),
        _ => (SizeOp::Rem, 3),
    }
}

fn size_fn(text: &str) -> SizeFn {
    match text {
        "ceil_to" => SizeFn::CeilTo,
        "min" => SizeFn::Min,
        _ => SizeFn::Max,
    }
}

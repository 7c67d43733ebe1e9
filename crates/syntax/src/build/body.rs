//! Bodies and statements.

use genesys_diag::{Code, Diagnostic};
use pest::iterators::Pair;

use super::expr::Value;
use super::{Builder, Built};
use crate::ast::{Block, Comments, CompareOp, Expr, Ident, Stmt, StmtKind};
use crate::grammar::Rule;

impl Builder<'_> {
    /// A unit's body: it must end in a value.
    pub(super) fn unit_body(&self, pair: Pair<'_, Rule>) -> Built<Block> {
        let (block, _) = self.block(pair)?;
        if block.result.is_none() {
            let end = block.span.end as usize - self.base;
            let message = "expected the unit's value as the last line of its body, found `}`";
            return self.error(self.at(end - 1, end), message, "end the body with an expression");
        }
        Ok(block)
    }

    /// `;`: a body that is not written yet.
    pub(super) fn open_body(&self, pair: &Pair<'_, Rule>) -> Block {
        let (result_comments, trailing) = (Comments::default(), Vec::new());
        Block { stmts: Vec::new(), result: None, result_comments, trailing, span: self.span(pair) }
    }

    /// The body of a scan or a loop: it must not end in a bare value. Gives its depth with it.
    pub(super) fn scan_body(&self, pair: Pair<'_, Rule>) -> Built<(Block, usize)> {
        let (block, depth) = self.block(pair)?;
        if let Some(result) = &block.result {
            let message = "expected a statement in the body of a scan or a loop, found a bare value";
            let error = Diagnostic::error(Code::SYNTAX, result.span, message).help("it gives its value with `yield`");
            let start = genesys_span::Span { end: result.span.start, ..result.span };
            return Err(Box::new(error.edit(start, "yield ")));
        }
        Ok((block, depth))
    }

    fn block(&self, pair: Pair<'_, Rule>) -> Built<(Block, usize)> {
        let span = self.span(&pair);
        let (mut stmts, mut result, mut deepest) = (Vec::new(), None, 0);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::stmt => stmts.push(self.stmt(part, &mut deepest)?),
                Rule::expr => {
                    if !stmts.is_empty() && part.as_str().starts_with('-') {
                        return self.leading_minus(&part);
                    }
                    result = Some(self.value(part, &mut deepest)?);
                }
                _ => {}
            }
        }
        let (result_comments, trailing) = (Comments::default(), Vec::new());
        Ok((Block { stmts, result, result_comments, trailing, span }, deepest))
    }

    /// `-x` after a statement reads as the statement's continuation, to a person and to the grammar.
    fn leading_minus<T>(&self, pair: &Pair<'_, Rule>) -> Built<T> {
        let span = self.span(pair);
        let message = "expected a value that does not begin with `-` after a statement, found `-`";
        let error = Diagnostic::error(Code::AMBIGUOUS_MINUS, span, message);
        Err(Box::new(error.help("put the value in parentheses").edit(span, format!("({})", pair.as_str()))))
    }

    fn value(&self, pair: Pair<'_, Rule>, deepest: &mut usize) -> Built<Expr> {
        let Value { expr, depth, .. } = self.expr(pair)?;
        *deepest = depth.max(*deepest);
        Ok(expr)
    }

    fn stmt(&self, pair: Pair<'_, Rule>, deepest: &mut usize) -> Built<Stmt> {
        let span = self.span(&pair);
        let part = pair.into_inner().next().expect("a statement has a form");
        let kind = match part.as_rule() {
            Rule::let_stmt => self.let_stmt(part, deepest)?,
            Rule::share_stmt => self.share_stmt(part)?,
            Rule::param_stmt => self.param_stmt(part, deepest)?,
            Rule::axis_stmt => self.axis_stmt(part)?,
            Rule::require_stmt => self.require_stmt(part)?,
            Rule::yield_stmt => StmtKind::Yield(self.value(last(part), deepest)?),
            Rule::loss_stmt => StmtKind::Loss(self.value(last(part), deepest)?),
            _ => self.update_stmt(part, deepest)?,
        };
        Ok(Stmt { kind, comments: Comments::default(), span })
    }

    fn let_stmt(&self, pair: Pair<'_, Rule>, deepest: &mut usize) -> Built<StmtKind> {
        let (mut name, mut names, mut ty, mut value) = (None, None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.ident(&part)),
                Rule::names => names = Some(self.names(part)?),
                Rule::ty => ty = Some(self.ty(part)),
                Rule::expr => value = Some(self.value(part, deepest)?),
                _ => {}
            }
        }
        let value = value.expect("a let has a value");
        Ok(match names {
            Some(names) => StmtKind::LetTuple { names, value },
            None => StmtKind::Let { name: name.expect("a let has a name or several"), ty, value },
        })
    }

    /// `(a, b)` behind `let`: at least two.
    fn names(&self, pair: Pair<'_, Rule>) -> Built<Vec<Ident>> {
        let span = self.span(&pair);
        let names: Vec<Ident> =
            pair.into_inner().filter(|p| p.as_rule() == Rule::name).map(|p| self.ident(&p)).collect();
        if let [only] = names.as_slice() {
            let message = format!("expected several names in parentheses, found `{}` alone", only.text);
            let error = Diagnostic::error(Code::SYNTAX, span, message).help("one value is bound without parentheses");
            return Err(Box::new(error.edit(span, only.text.clone())));
        }
        Ok(names)
    }

    fn share_stmt(&self, pair: Pair<'_, Rule>) -> Built<StmtKind> {
        let mut parts = pair.into_inner().filter(|p| matches!(p.as_rule(), Rule::name | Rule::shared));
        let name = self.ident(&parts.next().expect("what is shared has a name"));
        let value = self.shared(parts.next().expect("a share statement says what is shared"))?;
        Ok(StmtKind::Share { name, value })
    }

    fn param_stmt(&self, pair: Pair<'_, Rule>, deepest: &mut usize) -> Built<StmtKind> {
        let (mut name, mut axes, mut init, mut role) = (None, Vec::new(), None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.ident(&part)),
                Rule::axes => axes = self.axes(part),
                Rule::expr => init = Some(self.value(part, deepest)?),
                Rule::role => role = part.into_inner().next().map(|p| self.ident(&p)),
                _ => {}
            }
        }
        let (name, init) = name.zip(init).expect("a param has a name and an initial law");
        Ok(StmtKind::Param { name, axes, init, role })
    }

    fn axis_stmt(&self, pair: Pair<'_, Rule>) -> Built<StmtKind> {
        let (mut name, mut size) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::upper => name = Some(self.ident(&part)),
                Rule::size => size = Some(self.size(part)?),
                _ => {}
            }
        }
        let (name, size) = name.zip(size).expect("an axis has a name and a size");
        Ok(StmtKind::Axis { name, size })
    }

    fn require_stmt(&self, pair: Pair<'_, Rule>) -> Built<StmtKind> {
        let mut parts = pair.into_inner().skip(1);
        let left = self.size(parts.next().expect("a requirement has a left side"))?;
        let compare = compare_op(parts.next().expect("a requirement has a relation").as_str());
        let right = self.size(parts.next().expect("a requirement has a right side"))?;
        Ok(StmtKind::Require { left, compare, right })
    }

    fn update_stmt(&self, pair: Pair<'_, Rule>, deepest: &mut usize) -> Built<StmtKind> {
        let state: Ident = self.ident(&pair.clone().into_inner().next().expect("an update has a state"));
        Ok(StmtKind::Update { state, value: self.value(last(pair), deepest)? })
    }
}

/// The last part of a rule that ends in its value.
fn last<'t>(pair: Pair<'t, Rule>) -> Pair<'t, Rule> {
    pair.into_inner().last().expect("the rule ends in a value")
}

pub(super) fn compare_op(text: &str) -> CompareOp {
    match text {
        "<" => CompareOp::Lt,
        "<=" => CompareOp::Le,
        ">" => CompareOp::Gt,
        ">=" => CompareOp::Ge,
        "==" => CompareOp::Eq,
        _ => CompareOp::Ne,
    }
}

//! Units that are a chain of residual sublayers, `let h = x + F(norm(x))` .. `h + G(norm(h))`.
//!
//! [`Chain::of`] reads a body as a list of [`Sublayer`]s and [`Chain::write`] makes a body of such a
//! list, so that operators insert, delete and move sublayers as elements of a list. A body that is
//! anything else is no chain, and these operators leave it alone.

use std::collections::BTreeMap;

use genesys_syntax::ast::{AxisRef, BinaryOp, Block, Comments, Expr, ExprKind, StmtKind, Unit};

use crate::tree;

/// What a sublayer's terms call the value they are added to.
pub(crate) const HOLE: &str = "~";

/// A residual chain.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// The sublayers, first to last.
    pub(crate) sublayers: Vec<Sublayer>,
    input: String,
}

/// `x + term + term ..`
#[derive(Clone, Debug)]
pub(crate) struct Sublayer {
    /// What is added; each reads nothing but [`input`](Self::input).
    pub(crate) terms: Vec<Expr>,
    comments: Comments,
}

impl Sublayer {
    /// A sublayer of one term, which `make` builds from the value it is added to.
    pub(crate) fn new(make: impl FnOnce(Expr) -> Expr) -> Self {
        Self { terms: vec![make(tree::name(HOLE))], comments: Comments::default() }
    }

    /// What its terms call first: `Attention + SwiGlu`.
    pub(crate) fn title(&self) -> String {
        self.terms.iter().map(title).collect::<Vec<_>>().join(" + ")
    }
}

/// What a term calls first: `Attention`.
pub(crate) fn title(term: &Expr) -> String {
    match &tree::unlabeled(term).kind {
        ExprKind::Call(call) => call.head.text.clone(),
        _ => "a term".into(),
    }
}

impl Chain {
    /// Reads a unit `Seq[D] -> Seq[D]` as a chain.
    pub(crate) fn of(unit: &Unit) -> Option<Chain> {
        let [param] = unit.params.as_slice() else { return None };
        let is_width = |axes: &[AxisRef]| matches!(axes, [AxisRef::Named(name)] if name.text == "D");
        let is_chain = unit.further.is_empty() && param.ty.seq;
        if !(is_chain && is_width(&param.ty.axes) && is_width(&unit.result.axes)) {
            return None;
        }
        let mut reader = Reader { last: param.name.text.clone(), pending: BTreeMap::new(), sublayers: Vec::new() };
        for stmt in &unit.body.stmts {
            let StmtKind::Let { name, value, .. } = &stmt.kind else { return None };
            match reader.sublayer(value, &stmt.comments) {
                Some(sublayer) => reader.push(sublayer, &name.text)?,
                None if name.text == reader.last => return None,
                None => {
                    let value = reader.inlined(value)?;
                    if reader.pending.insert(name.text.clone(), (value, 0)).is_some() {
                        return None;
                    }
                }
            }
        }
        let last = reader.sublayer(unit.body.result.as_ref()?, &unit.body.result_comments)?;
        reader.push(last, HOLE)?;
        Some(Chain { sublayers: reader.sublayers, input: param.name.text.clone() })
    }

    /// Makes a body of these sublayers.
    pub(crate) fn write(&self, block: &mut Block) {
        let mut stmts = Vec::new();
        let mut last = self.input.clone();
        let (final_one, inner) = self.sublayers.split_last().expect("a chain has a sublayer");
        for sublayer in inner {
            let name = fresh("h", |name| name == self.input || bound(&stmts, name));
            let mut stmt = tree::let_stmt(&name, sublayer.value(&last));
            stmt.comments = sublayer.comments.clone();
            stmts.push(stmt);
            last = name;
        }
        block.stmts = stmts;
        block.result = Some(final_one.value(&last));
        block.result_comments = final_one.comments.clone();
    }
}

fn bound(stmts: &[genesys_syntax::ast::Stmt], name: &str) -> bool {
    stmts.iter().any(|stmt| tree::binds(stmt, name))
}

/// `base`, or `base2`, `base3`, .. where that is taken.
pub(crate) fn fresh(base: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = |n: u32| if n == 1 { base.to_string() } else { format!("{base}{n}") };
    (1..).map(numbered).find(|name| !taken(name)).expect("some number is free")
}

impl Sublayer {
    fn value(&self, last: &str) -> Expr {
        self.terms.iter().fold(tree::name(last), |sum, term| {
            let mut term = term.clone();
            substitute(&mut term, HOLE, &tree::name(last));
            tree::expr(ExprKind::Binary(BinaryOp::Add, Box::new(sum), Box::new(term)))
        })
    }
}

struct Reader {
    /// The name of the residual stream at this point.
    last: String,
    /// Values bound since, which wait for the sublayer they belong to, and how often they were read.
    pending: BTreeMap<String, (Expr, usize)>,
    sublayers: Vec<Sublayer>,
}

impl Reader {
    /// `value` as `last + terms`.
    fn sublayer(&mut self, value: &Expr, comments: &Comments) -> Option<Sublayer> {
        let mut terms = Vec::new();
        flatten(value, &mut terms);
        let stream =
            terms.iter().position(|term| matches!(&term.kind, ExprKind::Name(name) if name.text == self.last))?;
        terms.remove(stream);
        if terms.is_empty() {
            return None;
        }
        let terms = terms.into_iter().map(|term| self.inlined(term)).collect::<Option<Vec<_>>>()?;
        Some(Sublayer { terms, comments: comments.clone() })
    }

    /// The expression with pending values written out and the stream's name replaced by the hole;
    /// nothing where it reads anything else, or holds a scan or a loop, whose names have a scope of their own.
    fn inlined(&mut self, value: &Expr) -> Option<Expr> {
        let mut scans = false;
        tree::visit_expr(value, &mut |e| scans |= matches!(e.kind, ExprKind::Scan(_) | ExprKind::Repeat(_)));
        if scans || tree::reads(value).iter().any(|name| *name != self.last && !self.pending.contains_key(name)) {
            return None;
        }
        let mut out = value.clone();
        substitute(&mut out, &self.last, &tree::name(HOLE));
        for (name, (pending, count)) in &mut self.pending {
            *count += substitute(&mut out, name, pending);
        }
        Some(out)
    }

    /// Ends a sublayer: all that waited must have been read, once.
    fn push(&mut self, sublayer: Sublayer, name: &str) -> Option<()> {
        if self.pending.values().any(|(_, count)| *count != 1) {
            return None;
        }
        self.pending.clear();
        self.sublayers.push(sublayer);
        self.last = name.into();
        Some(())
    }
}

/// The terms of a sum.
fn flatten<'a>(expr: &'a Expr, terms: &mut Vec<&'a Expr>) {
    match &expr.kind {
        ExprKind::Binary(BinaryOp::Add, a, b) => {
            flatten(a, terms);
            flatten(b, terms);
        }
        _ => terms.push(expr),
    }
}

/// Puts `value` where `name` is read; returns how often.
fn substitute(expr: &mut Expr, name: &str, value: &Expr) -> usize {
    let mut count = 0;
    tree::visit_expr_mut(expr, &mut |e| {
        if matches!(&e.kind, ExprKind::Name(n) if n.text == name) {
            *e = value.clone();
            count += 1;
        }
    });
    count
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::genome::Genome;
    use crate::testing;

    fn titles(body: &str) -> Option<Vec<String>> {
        let file = testing::parse(&format!("unit B(x: Seq[D]) -> Seq[D] {{\n{body}\n}}"));
        let genome = Genome::expand(&file, testing::std());
        Chain::of(genome.unit("B").unwrap()).map(|chain| chain.sublayers.iter().map(Sublayer::title).collect())
    }

    #[test]
    fn chains_are_read() {
        let two = titles("let h = x + F(N(x))\nh + G(N(h))").unwrap();
        assert_eq!(two, ["F", "G"]);
        let bound = titles("let n = N(x)\nlet f = F(n)\nlet h = f + x\nh + G(h) + H(h)").unwrap();
        assert_eq!(bound, ["F", "G + H"]);
    }

    #[test]
    fn other_bodies_are_no_chains() {
        assert_eq!(titles("F(x)"), None);
        assert_eq!(titles("let h = x + F(x)\nh + G(x)"), None, "reads the stream from before");
        assert_eq!(titles("let n = N(x)\nlet h = x + F(n) + G(n)\nh + G(h)"), None, "shares a value");
    }

    #[test]
    fn writing_gives_back_what_was_read() {
        let body = "    let h = x + F(N(x))\n    h + G(N(h))\n";
        let file = testing::parse(&format!("unit B(x: Seq[D]) -> Seq[D] {{\n{body}}}"));
        let genome = Genome::expand(&file, testing::std());
        let mut unit = genome.unit("B").unwrap().clone();
        let chain = Chain::of(&unit).unwrap();
        chain.write(&mut unit.body);
        assert!(genesys_syntax::print_unit(&unit).contains(body));
    }
}

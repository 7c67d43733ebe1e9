//! Sketches: texts with holes that check as far as they are written.
//!
//! A hole is a unit without a body or the expression `?`; it has the type that its place wants. A
//! [`Sketch`] is another type than a checked design: it has no identity, and cannot be lowered. A
//! generator fills a hole in the tree ([`Sketch::fill`]) and checks what comes out.

use std::sync::Arc;

use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{self, Block, Expr, ExprId, ExprKind, ItemKind};

/// A text without errors that has holes.
#[derive(Clone, Debug)]
pub struct Sketch {
    pub(crate) file: Arc<ast::File>,
    pub(crate) holes: Vec<Hole>,
}

/// What is not written yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Hole {
    /// The unit it is in, or that has no body.
    pub unit: String,
    /// Its name: of the unit, or behind `?`.
    pub name: Option<String>,
    /// The expression; nothing for a unit without a body.
    pub expr: Option<ExprId>,
    /// The type wanted, as the text would have it: `Seq[H, E]`, of several results `(Seq[D], Seq[H])`.
    pub wanted: String,
    /// The values that can be read there, with their types, in the order of their names.
    pub visible: Vec<(String, String)>,
    /// Whether what fills it may look at no other position: it stands in a scan or a loop.
    pub pointwise: bool,
    /// Where it is.
    pub span: Span,
}

/// What fills a hole.
#[derive(Clone, Debug)]
pub enum Filling {
    /// A value for a hole that is an expression.
    Value(Expr),
    /// A body for a unit without one.
    Body(Block),
}

impl Sketch {
    /// The syntax tree it was checked from.
    pub fn file(&self) -> &Arc<ast::File> {
        &self.file
    }

    /// The holes in the order of the text.
    pub fn holes(&self) -> &[Hole] {
        &self.holes
    }

    /// The tree in which a hole is filled; nothing where the filling is not of the hole's form.
    pub fn fill(&self, hole: &Hole, filling: Filling) -> Option<ast::File> {
        let mut file = ast::File::clone(&self.file);
        match (filling, hole.expr) {
            (Filling::Value(value), Some(id)) => {
                let mut filling = Some(value);
                genesys_syntax::walk_exprs_mut(&mut file, &mut |expr| {
                    if expr.id == id
                        && matches!(expr.kind, ExprKind::Hole(_))
                        && let Some(value) = filling.take()
                    {
                        *expr = value;
                    }
                });
                filling.is_none().then_some(())?;
            }
            (Filling::Body(body), None) => {
                let unit = file.items.iter_mut().find_map(|item| match &mut item.kind {
                    ItemKind::Unit(unit) if unit.is_open() && unit.name.text == hole.unit => Some(unit),
                    ItemKind::Unit(_) | ItemKind::Use(_) | ItemKind::Design(_) => None,
                })?;
                unit.body = body;
            }
            (Filling::Value(_), None) | (Filling::Body(_), Some(_)) => return None,
        }
        genesys_syntax::renumber(&mut file);
        Some(file)
    }
}

impl Hole {
    /// The hole as the text has it: `?gate`, ``unit Router``.
    pub fn title(&self) -> String {
        match (&self.expr, &self.name) {
            (None, _) => format!("unit {}", self.unit),
            (Some(_), name) => format!("?{}", name.as_deref().unwrap_or_default()),
        }
    }

    /// The warning that it is open.
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        let visible: Vec<String> = self.visible.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        let bound = if self.pointwise { "pointwise " } else { "" };
        let message = format!("`{}` is a hole: it wants a {bound}value {}", self.title(), self.wanted);
        let diagnostic = Diagnostic::warning(Code::HOLE, self.span, message);
        if visible.is_empty() { diagnostic } else { diagnostic.help(format!("there are {}", visible.join(", "))) }
    }
}

//! Joins trees of maps into one expression.
//!
//! An operand is joined where it is a map used once, in the same region, of the same axes and
//! stage as the result: no work moves into a larger shape and nothing is computed twice.
//! Constants are joined always. An expression holds at most [`MOST`] functions.

use genesys_check::core::{NodeId, Op, Stage};
use genesys_ir::module::Expr;

use crate::emit::{ContextId, Emitter};

/// The largest number of functions in one expression.
const MOST: usize = 64;

/// Maps as one.
pub(crate) struct Fused {
    pub(crate) expr: Expr,
    pub(crate) operands: Vec<NodeId>,
    /// The maps that are joined, as often as they are.
    pub(crate) parts: Vec<NodeId>,
}

/// The expression of a map and its operands; `None` for any other node.
pub(crate) fn map(emitter: &Emitter<'_>, id: NodeId, home: ContextId) -> Option<Fused> {
    let Op::Map(_) = emitter.plan.graph.node(id).op else { return None };
    let mut tree = Tree { emitter, root: id, home, parts: Vec::new(), operands: Vec::new() };
    let expr = tree.apply(id);
    // A map of constants alone keeps its operands, for a map has at least one.
    let Tree { operands, parts, .. } = tree;
    if operands.is_empty() { plain(emitter, id) } else { Some(Fused { expr, operands, parts }) }
}

fn plain(emitter: &Emitter<'_>, id: NodeId) -> Option<Fused> {
    let Op::Map(function) = emitter.plan.graph.node(id).op else { return None };
    let operands: Vec<NodeId> = emitter.plan.args(id).collect();
    let expr = Expr::Apply(function, (0..operands.len()).map(Expr::Arg).collect());
    Some(Fused { expr, operands, parts: vec![id] })
}

struct Tree<'a> {
    emitter: &'a Emitter<'a>,
    root: NodeId,
    home: ContextId,
    parts: Vec<NodeId>,
    operands: Vec<NodeId>,
}

impl Tree<'_> {
    /// Recurses at most [`MOST`] deep.
    fn apply(&mut self, id: NodeId) -> Expr {
        let plan = self.emitter.plan;
        let Op::Map(function) = plan.graph.node(id).op else { unreachable!("only maps are joined") };
        self.parts.push(id);
        let args: Vec<NodeId> = plan.args(id).collect();
        Expr::Apply(function, args.into_iter().map(|arg| self.operand(arg)).collect())
    }

    fn operand(&mut self, id: NodeId) -> Expr {
        match &self.emitter.plan.graph.node(id).op {
            Op::Constant(constant) => Expr::Const(constant.clone()),
            Op::Map(_) if self.parts.len() < MOST && self.joins(id) => self.apply(id),
            _ => {
                let known = self.operands.iter().position(|operand| *operand == id);
                Expr::Arg(known.unwrap_or_else(|| {
                    self.operands.push(id);
                    self.operands.len() - 1
                }))
            }
        }
    }

    fn joins(&self, id: NodeId) -> bool {
        let plan = self.emitter.plan;
        let (node, root) = (plan.graph.node(id), plan.graph.node(self.root));
        if plan.literal[id.0 as usize] {
            return true;
        }
        let varies = |stage: Stage| stage != Stage::Const;
        plan.uses[id.0 as usize] == 1
            && plan.export[id.0 as usize].is_none()
            && node.ty.axes == root.ty.axes
            && varies(node.ty.stage) == varies(root.ty.stage)
            && self.emitter.home(id, self.home) == self.home
    }
}

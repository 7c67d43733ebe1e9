//! What is known of the parts of a text, for one who points at them.
//!
//! In: a tree, also one of a text with errors. Out: the reach and cost of a unit, the type of a name, the type, cost and
//! weights of an expression; nothing where the checker could not tell. What each says is what `explain` and
//! `check --types` say of the same place.

use genesys_check::core::{Graph, Leaf, Named, Node, NodeId, Op};
use genesys_check::{Inspected, Library, inspect};
use genesys_cost::{Cost, UnitCost, unit_cost};
use genesys_span::Span;
use genesys_syntax::ast;

use crate::figures::axes;
use crate::types::{show_type, unit_comment};

/// What is known of the units of a text.
#[derive(Clone, Debug)]
pub struct Facts {
    units: Vec<Unit>,
}

#[derive(Clone, Debug)]
struct Unit {
    known: Inspected,
    /// Of a unit that was expanded as a whole; of one that takes derivatives where it has no error.
    cost: Option<UnitCost>,
}

/// What is known of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its type; of a tuple those of its values.
    pub ty: String,
    /// The operations of the contractions written in it, where it has some: a formula in `D` and `T`.
    pub operations: Option<String>,
    /// Weights that it declares: path and axes.
    pub weights: Vec<String>,
}

impl Facts {
    /// Looks at a file's units.
    pub fn of(file: &ast::File, library: &Library) -> Facts {
        let units = inspect(file, library).into_iter();
        let costed = units.map(|known| Unit { cost: cost_of(&known), known });
        Facts { units: costed.collect() }
    }

    /// Reach, weights and operations of the unit of that name.
    pub fn unit(&self, name: Span) -> Option<String> {
        let unit = self.units.iter().find(|unit| unit.known.name == name)?;
        unit_comment(&unit.known.graph, unit.cost.as_ref()?).ok()
    }

    /// The type of the value that the text names there.
    pub fn named(&self, name: Span) -> Option<String> {
        let graph = &self.around(name)?.known.graph;
        let named = graph.named.iter().find(|named: &&Named| named.span == name)?;
        Some(show_type(graph, named.value))
    }

    /// What is known of the expression at that place.
    pub fn value(&self, span: Span) -> Option<Value> {
        let unit = self.around(span)?;
        let graph = &unit.known.graph;
        // The last operation of an expression gives its value; a call's lie in the text of the unit.
        let here = |node: &Node| node.span == span;
        let types: Vec<String> = match graph.calls.iter().rfind(|call| call.span == span) {
            Some(call) => call.values.iter().map(|value| show_type(graph, *value)).collect(),
            None => vec![show_type(graph, NodeId(graph.nodes.iter().rposition(here)? as u32))],
        };
        // A call's weights stand at its head.
        let begins = |at: Span| at.file == span.file && at.start == span.start && at.end <= span.end;
        let weights = graph.leaves.iter().filter(|leaf| begins(leaf.span));
        Some(Value {
            ty: if types.len() == 1 { types.concat() } else { format!("({})", types.join(", ")) },
            operations: unit.cost.as_ref().and_then(|cost| operations(cost, span)),
            weights: weights.map(|leaf| weight(graph, leaf)).collect(),
        })
    }

    /// The unit that a place is in.
    fn around(&self, span: Span) -> Option<&Unit> {
        self.units.iter().find(|unit| {
            let (name, body) = (unit.known.name, unit.known.body);
            name.file == span.file && name.start <= span.start && span.end <= body.end
        })
    }
}

/// A figure that does not fit is not told. A derivative is expanded to be counted, and that rests on all that is checked.
fn cost_of(known: &Inspected) -> Option<UnitCost> {
    let derives = known.graph.nodes.iter().any(|node| node.op == Op::Grad);
    let counts = if derives { known.sound } else { known.complete };
    counts.then(|| unit_cost(&known.graph).ok()).flatten()
}

fn operations(cost: &UnitCost, span: Span) -> Option<String> {
    let inside = |at: Span| at.file == span.file && span.start <= at.start && at.end <= span.end;
    let mut written = cost.contractions.iter().filter(|one| inside(one.span));
    let sum = written.try_fold(Cost::default(), |sum, one| sum.plus(&one.forward)).ok()?;
    (!sum.is_zero()).then(|| sum.to_string())
}

fn weight(graph: &Graph, leaf: &Leaf) -> String {
    format!("{}: [{}]", leaf.path, axes(graph, &leaf.axes).join(", "))
}

//! Elaboration: units become nodes of the formal core, and every rule of typing is applied on
//! the way.
//!
//! The [`Elaborator`] holds one graph and a stack of [`Frame`]s, one for each unit being
//! expanded. An expression gives a node, or a tuple of nodes, or [`Reported`], the proof that a diagnostic was pushed,
//! so that one mistake gives one message and the rest of the text is still looked at.

mod call;
mod chunk;
mod closed;
mod counterexample;
mod expr;
mod frame;
mod grad;
mod hole;
mod instance;
mod law;
mod linear;
mod loss;
mod pick;
mod primitive;
mod repeat;
mod reshape;
mod rule;
mod scan;
mod share;
mod size;
mod stated;
mod tuple;
mod unit;
mod unit_param;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use genesys_axis::{Constant, Domain, Size};
use genesys_diag::Diagnostic;
use genesys_scalar::Law;
use genesys_span::Span;

pub use self::frame::weight_name;
pub(crate) use self::frame::{Binding, Frame};
use self::instance::Instance;
pub(crate) use self::primitive::PRIMITIVES;
pub(crate) use self::tuple::Given;
pub(crate) use self::unit::{Elaborated, UnitChecks, check_units, expand_units, instantiate_root};
use crate::AxisSet;
use crate::core::{Axis, AxisId, Expansion, ExpansionId, Graph, Node, NodeId, OWN, Op, ScanId, Stage, Type};
use crate::design::Required;
use crate::error;
use crate::resolve::Units;
use crate::sketch::Hole;

/// Most nodes of one graph.
const MAX_NODES: usize = 50_000;
/// Deepest nesting of expressions and unit calls together.
const MAX_DEPTH: usize = 200;

/// An empty graph with room for most units, so that what was made is not moved again and again.
fn roomy(width: Axis) -> Graph {
    let mut axes = Vec::with_capacity(32);
    axes.push(width);
    let (nodes, leaves, named) = (Vec::with_capacity(128), Vec::with_capacity(32), Vec::with_capacity(64));
    Graph { axes, nodes, leaves, named, ..Graph::default() }
}

/// A diagnostic was pushed for this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported;

pub(crate) type Elab<T> = Result<T, Reported>;

/// Expands one unit into a graph.
pub(crate) struct Elaborator<'a, 'u> {
    pub(crate) units: &'u Units<'a>,
    /// Of each unit checked before this one, whether it has errors of its own: calls of such give an opaque value and
    /// no further message.
    pub(crate) broken: &'u [bool],
    /// What units mean whose calls bind nothing; those of the library stand there.
    closed: &'u BTreeMap<usize, Elaborated>,
    pub(crate) graph: Graph,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) requirements: Vec<Required>,
    /// What is not written yet.
    pub(crate) holes: Vec<Hole>,
    /// The name of the unit that is checked.
    pub(crate) unit: &'a str,
    pub(crate) frames: Vec<Frame<'a>>,
    /// The call being expanded.
    within: ExpansionId,
    /// Axes of the enclosing `each`: every weight gets them, no rule of matching sees them.
    pub(crate) lifted: Vec<AxisId>,
    /// The loops being expanded, outermost first.
    instances: Vec<Instance>,
    /// The rounds of loops so far.
    rounds: u32,
    /// The nodes of `start(S)`, one a state.
    starts: BTreeMap<(ScanId, u32), NodeId>,
    /// How many operations each derivative may become.
    derivatives: BTreeMap<NodeId, usize>,
    /// The sum of them.
    derived: usize,
    /// The scans in chunks whose `phase` is read.
    phased: BTreeSet<ScanId>,
    /// How many places may still be looked at for counterexamples.
    places: usize,
    /// The last initial law of a linear map, and the fan-in it is for.
    fan_in: Option<(Size, Arc<Law<Constant>>)>,
    depth: usize,
    /// The largest depth so far.
    deepest: usize,
}

impl<'a, 'u> Elaborator<'a, 'u> {
    pub(crate) fn new(units: &'u Units<'a>, broken: &'u [bool], closed: &'u BTreeMap<usize, Elaborated>) -> Self {
        let width = Axis { name: "D".into(), domain: Domain::Static(Size::symbol("D")) };
        Self {
            units,
            broken,
            closed,
            graph: roomy(width),
            diagnostics: Vec::new(),
            requirements: Vec::new(),
            holes: Vec::new(),
            unit: "",
            frames: Vec::new(),
            within: OWN,
            lifted: Vec::new(),
            instances: Vec::new(),
            rounds: 0,
            starts: BTreeMap::new(),
            derivatives: BTreeMap::new(),
            derived: 0,
            phased: BTreeSet::new(),
            places: counterexample::MOST_PLACES,
            fan_in: None,
            depth: 0,
            deepest: 0,
        }
    }

    /// The unit being expanded.
    pub(crate) fn frame(&mut self) -> &mut Frame<'a> {
        self.frames.last_mut().expect("elaboration happens within a unit")
    }

    /// Pushes an error. Within a callee, whose own text was found sound, the error is about the
    /// call in the outermost unit: it moves there and names the place in the callee.
    pub(crate) fn fail(&mut self, diagnostic: Diagnostic) -> Reported {
        let diagnostic = match self.frames.get(1).and_then(|frame| frame.call) {
            Some(call) if call != diagnostic.primary.span => {
                let within = diagnostic.primary.span;
                let mut moved = diagnostic.label(within, "in this unit, for this call");
                moved.primary.span = call;
                moved.edit = None;
                moved
            }
            _ => diagnostic,
        };
        self.diagnostics.push(diagnostic);
        Reported
    }

    /// Runs `f` one level deeper, and refuses to go deeper than the stack safely allows.
    pub(crate) fn nested<T>(&mut self, span: Span, f: impl FnOnce(&mut Self) -> Elab<T>) -> Elab<T> {
        if self.depth >= MAX_DEPTH {
            let what = format!("expressions and unit calls nest more than {MAX_DEPTH} deep");
            return Err(self.fail(error::too_large(span, &what)));
        }
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        let result = f(self);
        self.depth -= 1;
        result
    }

    /// Refuses what there is no room for: so many operations more.
    fn room_for(&mut self, operations: usize, span: Span) -> Elab<()> {
        if self.graph.nodes.len().saturating_add(self.derived).saturating_add(operations) <= MAX_NODES {
            return Ok(());
        }
        let what = format!("a unit of the stack expands to more than {MAX_NODES} operations");
        Err(self.fail(error::too_large(span, &what)))
    }

    /// Appends a node.
    pub(crate) fn push(&mut self, op: Op, args: &[NodeId], ty: Type, span: Span) -> Elab<NodeId> {
        self.room_for(1, span)?;
        self.mean_stays_within(&op, args, span)?;
        let id = NodeId(self.graph.nodes.len() as u32);
        self.graph.nodes.push(Node { op, args: args.into(), ty, span, within: self.within });
        Ok(id)
    }

    /// Runs `f`, which expands a call of a unit: what it makes was made for that call.
    fn expanding<T>(&mut self, unit: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        let around = self.within;
        self.graph.expansions.push(Expansion { unit: unit.to_owned(), label: None, within: around });
        self.within = ExpansionId(self.graph.expansions.len() as u32);
        let made = f(self);
        self.within = around;
        made
    }

    /// The type of a node.
    pub(crate) fn ty(&self, id: NodeId) -> &Type {
        &self.graph.node(id).ty
    }

    /// The axes of a node that rules of matching see: all but those of an enclosing `each`.
    pub(crate) fn seen(&self, id: NodeId) -> AxisSet {
        let axes = &self.ty(id).axes;
        if self.lifted.is_empty() {
            return axes.clone();
        }
        axes.iter().copied().filter(|axis| !self.lifted.contains(axis)).collect()
    }

    /// Whether the index set of an axis varies with the position.
    pub(crate) fn is_dependent(&self, axis: AxisId) -> bool {
        self.graph.axis(axis).domain.is_dependent()
    }

    /// The dependent axes of a set.
    pub(crate) fn dependent(&self, axes: &AxisSet) -> Vec<AxisId> {
        axes.iter().copied().filter(|&axis| self.is_dependent(axis)).collect()
    }

    /// The size of a static axis.
    pub(crate) fn size_of(&self, axis: AxisId) -> Size {
        self.graph.axis(axis).domain.size().cloned().unwrap_or_default()
    }

    /// The names of axes for a message: `H, E`.
    pub(crate) fn names(&self, axes: impl IntoIterator<Item = AxisId>) -> String {
        let names: Vec<&str> = axes.into_iter().map(|axis| self.graph.axis(axis).name.as_str()).collect();
        names.join(", ")
    }

    /// A type for a message: `Seq[H, E]`.
    pub(crate) fn show(&self, stage: Stage, axes: &AxisSet) -> String {
        let visible = axes.iter().copied().filter(|axis| !self.lifted.contains(axis));
        let names = self.names(visible);
        match stage {
            Stage::Const => format!("[{names}]"),
            Stage::Seq | Stage::Moment => format!("Seq[{names}]"),
            Stage::Loss => format!("Loss[{names}]"),
        }
    }

    /// A node's type for a message.
    pub(crate) fn show_node(&self, id: NodeId) -> String {
        let ty = self.ty(id);
        self.show(ty.stage, &ty.axes)
    }
}

//! Functions and `main` put together, with the places that values come from.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::{Domain, Size};
use genesys_check::core::{Graph, NodeId};
use genesys_check::{CheckedDesign, design, normal_form, normal_form_traced};
use genesys_ir::module::{Axis, Function, FunctionId, Module, ValueId};
use genesys_span::Span;

use crate::emit::Emitted;
use crate::{Layer, Stack, axes, emit, plan, stack};

/// Where the values of a module's functions were written, function by function; of `main` nothing is known.
pub type Origins = Vec<BTreeMap<ValueId, Span>>;

/// As [`lower`](crate::lower), and where the module's values were written. Places mean nothing: equal designs differ in them.
pub fn lower_traced(design: &CheckedDesign, layers: &[design::Layer], vocabulary: u64) -> (Module, Origins) {
    stack_traced(
        &Stack {
            name: design.name(),
            functions: design.functions().iter().map(|f| (f.name.as_str(), &f.graph)).collect(),
            blocks: layers.iter().map(|l| Layer { function: l.function.0, weights_of: l.weights_of }).collect(),
            last: design.last().map(|id| id.0),
            tie_embeddings: design.tie_embeddings(),
        },
        vocabulary,
    )
}

/// One unit as a function by itself, symbolic in `D`.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The axes that the function names.
    pub axes: Vec<Axis>,
    /// The function; its weights have the paths that the graph has.
    pub function: Function,
    /// The node of the graph that a value is of; of what lowering adds nothing is known.
    pub nodes: BTreeMap<ValueId, NodeId>,
}

/// The function of a graph, as a stack that has the unit calls it.
pub fn lower_unit(name: &str, graph: &Graph) -> Unit {
    let mut axes = axes::Axes::default();
    let (form, first) = normal_form_traced(graph);
    let Emitted { function, nodes, .. } = emit::function(name.to_owned(), &plan::Plan::new(&form), &mut axes);
    // A plan appends nodes to those of the normal form.
    let known = nodes.into_iter().filter_map(|(value, node)| Some((value, *first.get(node.0 as usize)?)));
    Unit { nodes: known.collect(), axes: axes.into_inner(), function }
}

/// The module of a stack, and where its values were written.
pub(crate) fn stack_traced(design: &Stack<'_>, vocabulary: u64) -> (Module, Origins) {
    let mut axes = axes::Axes::default();
    let width = axes.add("D", Domain::Static(Size::symbol("D")));
    let size = Size::int(i64::try_from(vocabulary).unwrap_or(i64::MAX));
    let vocabulary = axes.add("V", Domain::Static(size));
    let called: BTreeSet<usize> = design.blocks.iter().map(|block| block.function).chain(design.last).collect();
    let (mut functions, mut signatures, mut origins) = (Vec::new(), Vec::new(), Vec::new());
    let mut numbers = BTreeMap::new();
    for index in called {
        let (name, graph) = design.functions[index];
        numbers.insert(index, FunctionId(functions.len() as u32));
        let plan = plan::Plan::new(&normal_form(graph));
        let emitted = emit::function(name.to_string(), &plan, &mut axes);
        functions.push(emitted.function);
        signatures.push(emitted.signature);
        let written = |(value, node): (ValueId, NodeId)| (value, plan.graph.node(node).span);
        origins.push(emitted.nodes.into_iter().map(written).collect());
    }
    let mut main = stack::main(&stack::Stack {
        axes: axes.all(),
        functions: &functions,
        signatures: &signatures,
        width,
        vocabulary,
        blocks: design.blocks.iter().map(|block| (numbers[&block.function], block.weights_of)).collect(),
        last: design.last.map(|index| numbers[&index]),
        tie_embeddings: design.tie_embeddings,
    });
    stack::originate(&mut main);
    functions.push(main);
    origins.push(BTreeMap::new());
    (Module { name: design.name.to_string(), axes: axes.into_inner(), functions }, origins)
}

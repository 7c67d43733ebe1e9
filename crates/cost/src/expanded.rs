//! The costs of a unit that takes derivatives, counted on its IR, where they are operations.
//!
//! In: the graph of a unit, checked without an error. Out: the figures that `unit` reads off the formal core of other
//! units, of the program that a back end is given: lowered, each `grad` expanded. What is computed for a derivative and
//! elsewhere too is counted as often as it is computed.
//!
//! Not here: units without a derivative. Lowering may compute a value in several regions; what they are counted on has
//! each once.

use std::collections::{BTreeMap, BTreeSet};

use genesys_autodiff::{Expanded, expand_function};
use genesys_axis::{Size, SizeError};
use genesys_check::core::{self, Graph, LeafId, NodeId};
use genesys_ir::module::{Axis, AxisId, Expr, Function, Instruction, Op, Reduction, Region, Stage, State, ValueId};
use genesys_lower::{Unit, lower_unit};

use crate::trained::trained;
use crate::{Contraction, Cost, Extent, UnitCost};

/// Adds what a unit costs, but for its parameters.
pub(crate) fn count(graph: &Graph, cost: &mut UnitCost) -> Result<(), SizeError> {
    let Unit { axes, mut function, nodes } = lower_unit("unit", graph);
    // All that can fail of a checked derivative is to write how many elements a mean is over.
    let expanded = expand_function(&axes, &mut function).map_err(|_| SizeError::Overflow)?;
    let nodes = renamed(&nodes, &expanded);
    let mut counter = Counter { graph, axes: &axes, function: &function, trained: trained(&function), nodes, cost };
    counter.region(&function.body, false)
}

/// The nodes of the values of an expanded function: of what was added for a derivative the derivative.
fn renamed(nodes: &BTreeMap<ValueId, NodeId>, expanded: &Expanded) -> BTreeMap<ValueId, NodeId> {
    let kept = expanded.kept.iter().filter_map(|(old, new)| Some((*new, *nodes.get(old)?)));
    let mut known: BTreeMap<ValueId, NodeId> = kept.collect();
    let added = expanded.added.iter().filter_map(|(new, grad)| Some((*new, *known.get(grad)?)));
    let added: Vec<(ValueId, NodeId)> = added.collect();
    known.extend(added);
    known
}

struct Counter<'a> {
    graph: &'a Graph,
    axes: &'a [Axis],
    function: &'a Function,
    /// The values that a weight or an input reaches through derivatives.
    trained: BTreeSet<ValueId>,
    /// The node that a value is of.
    nodes: BTreeMap<ValueId, NodeId>,
    cost: &'a mut UnitCost,
}

impl Counter<'_> {
    fn region(&mut self, region: &Region, in_scan: bool) -> Result<(), SizeError> {
        region.instructions.iter().try_for_each(|instruction| self.instruction(instruction, in_scan))
    }

    fn instruction(&mut self, instruction: &Instruction, in_scan: bool) -> Result<(), SizeError> {
        let Instruction { op, args, results } = instruction;
        let operations = match op {
            // What a region gives is counted where it is made.
            Op::Past { body, .. } => {
                self.pass_on(results, &body.results);
                return self.region(body, in_scan);
            }
            Op::Scan { states, body, .. } => {
                let held: Vec<ValueId> = states.iter().flat_map(State::defined).collect();
                self.values(&held)?;
                return self.region(body, true);
            }
            Op::Weight(_) => return Ok(()),
            Op::Contract { .. } => {
                let contraction = self.contraction(instruction)?;
                self.cost.contractions.push(contraction);
                Cost::default()
            }
            Op::Map(expr) => self.map(expr, instruction)?,
            Op::Reduce { reduction: Reduction::LogSumExp, .. } => self.joined(args)?.times(3)?,
            Op::Reduce { .. } | Op::Cumsum(_) | Op::After(_) | Op::Pool { .. } => self.joined(args)?,
            Op::Softmax { .. } => self.joined(args)?.times(4)?,
            // One comparison a score, whatever is picked; the targets of a mean only tell what counts.
            Op::Top { .. } | Op::MeanTokens => self.joined(&args[..1])?,
            Op::Constant(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Age(_) => Cost::default(),
            Op::Regroup { .. } | Op::Concat { .. } | Op::Slice { .. } | Op::Pad { .. } => Cost::default(),
            Op::Select { .. } | Op::Stack { .. } | Op::Broadcast { .. } | Op::Picked { .. } => Cost::default(),
            Op::Shift { .. } | Op::Window { .. } | Op::View(_) | Op::Blocks { .. } => Cost::default(),
            Op::Grad { .. } | Op::Gather { .. } | Op::CrossEntropy { .. } | Op::Call { .. } | Op::Adjoint(_) => {
                unreachable!("an expanded unit has no derivative, and what a model has around its units is in none")
            }
        };
        let sum = if in_scan { &mut self.cost.scans } else { &mut self.cost.elementwise };
        *sum = sum.plus(&operations)?;
        self.values(results)
    }

    /// Each function of a map is an operation for each element of its value; the outermost one's is that of the map.
    fn map(&mut self, expr: &Expr, Instruction { args, results, .. }: &Instruction) -> Result<Cost, SizeError> {
        let Expr::Apply(_, operands) = expr else { return Ok(Cost::default()) };
        let inner = self.inner(operands, args)?;
        self.cost.values = self.cost.values.plus(&inner)?;
        inner.plus(&self.joined(results)?)
    }

    /// The elements of the values of all functions in some expressions: each has the axes of what it reads.
    fn inner(&self, exprs: &[Expr], args: &[ValueId]) -> Result<Cost, SizeError> {
        exprs.iter().try_fold(Cost::default(), |sum, expr| match expr {
            Expr::Arg(_) | Expr::Const(_) => Ok(sum),
            Expr::Apply(_, operands) => {
                let mut read = Vec::new();
                reads(expr, args, &mut read);
                sum.plus(&self.joined(&read)?)?.plus(&self.inner(operands, args)?)
            }
        })
    }

    fn values(&mut self, made: &[ValueId]) -> Result<(), SizeError> {
        for id in made {
            self.cost.values = self.cost.values.plus(&self.joined(&[*id])?)?;
        }
        Ok(())
    }

    /// What leaves a region is of the node that it is within.
    fn pass_on(&mut self, outer: &[ValueId], inner: &[ValueId]) {
        for (outer, inner) in outer.iter().zip(inner) {
            if let Some(node) = self.nodes.get(outer).copied() {
                self.nodes.entry(*inner).or_insert(node);
            }
        }
    }

    fn contraction(&self, Instruction { args, results, .. }: &Instruction) -> Result<Contraction, SizeError> {
        let forward = self.joined(args)?.times(2)?;
        let gradients = args.iter().filter(|arg| self.trained.contains(arg)).count();
        let node = *self.nodes.get(&results[0]).expect("a contraction is a node's, or was made for a derivative");
        Ok(Contraction {
            node,
            span: self.graph.node(node).span,
            weight: args.iter().find_map(|arg| self.weight(*arg)),
            backward: forward.times(gradients as i64)?,
            forward,
        })
    }

    /// The weight that a value is.
    fn weight(&self, value: ValueId) -> Option<LeafId> {
        match self.graph.node(*self.nodes.get(&value)?).op {
            core::Op::Weight(leaf) => Some(leaf),
            _ => None,
        }
    }

    /// Elements of all axes of some values together.
    fn joined(&self, values: &[ValueId]) -> Result<Cost, SizeError> {
        let types = || values.iter().map(|id| self.function.ty(*id));
        let axes: BTreeSet<AxisId> = types().flat_map(|ty| ty.axes.iter().copied()).collect();
        let domains = || axes.iter().map(|axis| &self.axes[axis.0 as usize].domain);
        let size = domains().filter_map(|domain| domain.size()).try_fold(Size::int(1), |n, size| n.mul(size))?;
        let extent = match types().map(|ty| ty.stage).max().unwrap_or(Stage::Const) {
            Stage::Const | Stage::Loss => Extent::Once,
            Stage::Seq | Stage::Step => Extent::over(domains().cloned()),
        };
        Ok(Cost::of(extent, size))
    }
}

/// The values that an expression reads.
fn reads(expr: &Expr, args: &[ValueId], found: &mut Vec<ValueId>) {
    match expr {
        Expr::Arg(i) => found.push(args[*i]),
        Expr::Const(_) => {}
        Expr::Apply(_, operands) => operands.iter().for_each(|operand| reads(operand, args, found)),
    }
}

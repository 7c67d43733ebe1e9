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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use genesys_check::{CheckedDesign, Library, check, normal_form};
    use genesys_span::Sources;

    use super::*;
    use crate::unit_cost;

    fn design(text: &str) -> CheckedDesign {
        let mut sources = Sources::default();
        let std = sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
        let id = sources.add("t", text);
        let library = Library::new(genesys_syntax::parse(&sources, std).file);
        let checked = check(&genesys_syntax::parse(&sources, id).file.into(), &library);
        checked.design.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics))
    }

    /// Contractions in an order of their own, as text.
    fn contractions(cost: &UnitCost) -> Vec<String> {
        let mut all: Vec<String> = cost.contractions.iter().map(|one| format!("{one:?}")).collect();
        all.sort();
        all
    }

    /// What is exact is read off the IR as off the formal core; what is not differs by numbers that are made once a row.
    #[test]
    fn both_readings_of_a_unit_without_derivatives_agree() {
        let mut units = 0;
        for text in [
            include_str!("../../../designs/gla.gau"),
            include_str!("../../../designs/gpt.gau"),
            include_str!("../../../designs/mamba2.gau"),
            include_str!("../../../designs/octave.gau"),
            include_str!("../../../designs/retnet.gau"),
            include_str!("../../../designs/mechanisms/delta_net.gau"),
            include_str!("../../../designs/mechanisms/mesa_net.gau"),
            include_str!("../../../designs/mechanisms/mlstm.gau"),
            include_str!("../../../designs/mechanisms/moe_balance.gau"),
            include_str!("../../../designs/mechanisms/nsa.gau"),
            include_str!("../../../designs/mechanisms/path_window.gau"),
            include_str!("../../../designs/mechanisms/rwkv7.gau"),
            include_str!("../../../designs/mechanisms/slstm.gau"),
            include_str!("../../../designs/mechanisms/vq_vae.gau"),
        ] {
            for function in design(text).functions() {
                let graph = normal_form(&function.graph);
                let core = unit_cost(&graph).unwrap();
                let mut lowered = UnitCost::of_parameters(core.parameters.clone());
                count(&graph, &mut lowered).unwrap();
                assert_eq!(contractions(&lowered), contractions(&core), "{}", function.name);
                assert_eq!(lowered.scans, core.scans, "{}", function.name);
                for (a, b) in [(&lowered.elementwise, &core.elementwise), (&lowered.values, &core.values)] {
                    assert_eq!(a.plus(&b.times(-1).unwrap()).unwrap().degree(), 0, "{}: {a}, {b}", function.name);
                }
                units += 1;
            }
        }
        assert!(units > 20, "{units} units");
    }

    #[test]
    fn a_derivative_is_the_operations_that_it_becomes() {
        let design = design(
            "design T { stack = [A*] }\n\
             unit A<K = 3, V = 5>(x: Seq[D]) -> Seq[D] {\n\
                 let k = linear[D -> K](x)\n\
                 let v = linear[D -> V](x)\n\
                 let y = scan W: [K, V] = 0 every 4 {\n\
                     let miss = dot[K](k, start(W)) - v\n\
                     W <- start(W) - grad(sum[V](miss * miss), start(W))\n\
                     yield dot[K](k, W)\n\
                 }\n\
                 linear[V -> D](y)\n\
             }\n",
        );
        let graph = &design.functions()[0].graph;
        let cost = unit_cost(graph).unwrap();
        let grad = graph.nodes.iter().position(|node| node.op == core::Op::Grad).unwrap();
        let of_grad: Vec<&Contraction> = cost.contractions.iter().filter(|one| one.node.0 as usize == grad).collect();
        // The way back is one product: what is missed with the key. Both need gradients, for both come from weights.
        let [product] = of_grad[..] else { panic!("{of_grad:#?}") };
        assert_eq!((product.forward.to_string().as_str(), product.weight), ("30 * T", None));
        assert_eq!(product.backward, product.forward.times(2).unwrap());
        // With it three maps of the width, what is missed, and what is read of the new state.
        assert_eq!(cost.contracted().unwrap().to_string(), "(26 D + 90) * T");
    }
}

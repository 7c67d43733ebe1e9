//! The main function: embedding, blocks, final unit, logits, loss, and the sum of the units' losses.

use std::collections::BTreeMap;

use genesys_axis::Constant;
use genesys_ir::Builder;
use genesys_ir::module::{
    Axis, AxisId, Dtype, Expr, Function, FunctionId, Instruction, Op, Region, Stage, Type, ValueId, Weight,
};
use genesys_scalar::{Function as Scalar, Law, Role};

use crate::emit::{Side, Signature};

/// The standard deviation of embeddings and of an untied head before training (GPT-2's).
const DEVIATION: f64 = 0.02;

/// The model around the functions of a design.
#[derive(Clone, Debug)]
pub(crate) struct Stack<'a> {
    /// The module's axes.
    pub(crate) axes: &'a [Axis],
    /// The functions, which `main` comes behind.
    pub(crate) functions: &'a [Function],
    /// What each takes and gives beside its main value.
    pub(crate) signatures: &'a [Signature],
    /// The width.
    pub(crate) width: AxisId,
    /// The vocabulary.
    pub(crate) vocabulary: AxisId,
    /// The function of each block, first block first, and the number of the block whose weights it uses.
    pub(crate) blocks: Vec<(FunctionId, usize)>,
    /// The function between the last block and the logits.
    pub(crate) last: Option<FunctionId>,
    /// Whether the logits use the embedding's weights.
    pub(crate) tie_embeddings: bool,
}

/// `main`: tokens and targets to logits and loss, and to the sum of the losses of all calls where units have losses.
pub(crate) fn main(stack: &Stack<'_>) -> Function {
    let (mut builder, mut body) = (Builder::default(), Region::default());
    let sequence = |dtype| Type { stage: Stage::Seq, dtype, axes: vec![] };
    let tokens = builder.input(sequence(Dtype::Token));
    let targets = builder.input(sequence(Dtype::Token));
    let mut push = |builder: &mut Builder, op, args| -> Vec<ValueId> {
        let pushed = builder.push((stack.axes, stack.functions), &mut body, op, args);
        pushed.unwrap_or_else(|why| unreachable!("a checked stack is well typed, yet {why}"))
    };
    let embedding = builder.weight(table(stack, "embedding.weight", Role::Embedding, 0));
    let embedding = push(&mut builder, Op::Weight(embedding), vec![])[0];
    let mut x = push(&mut builder, Op::Gather { axis: stack.vocabulary }, vec![embedding, tokens])[0];
    let (mut sides, mut auxiliary) = (BTreeMap::new(), None);
    let blocks = stack.blocks.iter().map(|(function, owner)| (*function, format!("blocks.{owner}")));
    let calls = blocks.chain(stack.last.map(|function| (function, "final".to_owned())));
    for (layer, (function, path)) in (0..).zip(calls) {
        let Signature { takes, gives, loss } = &stack.signatures[function.0 as usize];
        let mut args = vec![x];
        args.extend(takes.iter().map(|side| received(&sides, side, &mut |op, args| push(&mut builder, op, args)[0])));
        args.extend(loss.then_some(targets));
        let mut results = push(&mut builder, Op::Call { function, layer, path }, args);
        if *loss {
            let own = results.pop().expect("a function with a loss gives it last");
            let add = Op::Map(Expr::Apply(Scalar::Add, vec![Expr::Arg(0), Expr::Arg(1)]));
            auxiliary = Some(auxiliary.map_or(own, |sum| push(&mut builder, add, vec![sum, own])[0]));
        }
        x = results[0];
        sides.extend(gives.iter().zip(&results[1..]).map(|(side, value)| (&side.name, (side, *value))));
    }
    let head = if stack.tie_embeddings {
        embedding
    } else {
        let head = builder.weight(table(stack, "head.weight", Role::Matrix, 1));
        push(&mut builder, Op::Weight(head), vec![])[0]
    };
    let logits = push(&mut builder, Op::Contract { axes: vec![stack.width] }, vec![x, head])[0];
    let loss = push(&mut builder, Op::CrossEntropy { axis: stack.vocabulary }, vec![logits, targets])[0];
    body.results = [logits, loss].into_iter().chain(auxiliary).collect();
    builder.finish("main".into(), body)
}

/// Says which part of the model each operation of `main` is: what no unit of the design does.
pub(crate) fn originate(main: &mut Function) {
    let Function { body, origins, .. } = main;
    for Instruction { op, results, .. } in &body.instructions {
        let part = match op {
            Op::Gather { .. } => "embedding",
            Op::Contract { .. } => "head",
            Op::CrossEntropy { .. } => "loss",
            _ => continue,
        };
        results.iter().for_each(|id| origins.add(*id, &vec![part.to_owned()], 1));
    }
}

/// The nearest earlier value of that name, under the axes of the one who takes it.
fn received(
    sides: &BTreeMap<&String, (&Side, ValueId)>,
    side: &Side,
    push: &mut dyn FnMut(Op, Vec<ValueId>) -> ValueId,
) -> ValueId {
    let (source, mut value) = sides[&side.name];
    for (name, to) in &side.axes {
        let from = source.axes[name];
        if from != *to {
            value = push(Op::Regroup { from: vec![from], to: vec![*to] }, vec![value]);
        }
    }
    value
}

fn table(stack: &Stack<'_>, path: &str, role: Role, stream: u32) -> Weight {
    let law = Law::Normal(Box::new(Law::Const(Constant::Real(DEVIATION))));
    Weight { path: path.into(), axes: vec![stack.vocabulary, stack.width], law, role, stream }
}

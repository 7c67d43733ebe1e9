//! The main function: embedding, blocks, final unit, logits, loss.

use genesys_axis::Constant;
use genesys_ir::Builder;
use genesys_ir::module::{Axis, AxisId, Dtype, Function, FunctionId, Op, Region, Stage, Type, ValueId, Weight};
use genesys_scalar::{Law, Role};

/// The standard deviation of embeddings and of an untied head before training (GPT-2's).
const DEVIATION: f64 = 0.02;

/// The model around the functions of a design.
#[derive(Clone, Debug)]
pub(crate) struct Stack<'a> {
    /// The module's axes.
    pub(crate) axes: &'a [Axis],
    /// The functions, which `main` comes behind.
    pub(crate) functions: &'a [Function],
    /// The width.
    pub(crate) width: AxisId,
    /// The vocabulary.
    pub(crate) vocabulary: AxisId,
    /// The function of each block, first block first.
    pub(crate) blocks: Vec<FunctionId>,
    /// The function between the last block and the logits.
    pub(crate) last: Option<FunctionId>,
    /// Whether the logits use the embedding's weights.
    pub(crate) tie_embeddings: bool,
}

/// `main`: tokens and targets to logits and loss.
pub(crate) fn main(stack: &Stack<'_>) -> Function {
    let (mut builder, mut body) = (Builder::default(), Region::default());
    let sequence = |dtype| Type { stage: Stage::Seq, dtype, axes: vec![] };
    let tokens = builder.input(sequence(Dtype::Token));
    let targets = builder.input(sequence(Dtype::Token));
    let mut push = |builder: &mut Builder, op, args| -> ValueId {
        let pushed = builder.push((stack.axes, stack.functions), &mut body, op, args);
        pushed.unwrap_or_else(|why| unreachable!("a checked stack is well typed, yet {why}"))[0]
    };
    let embedding = builder.weight(table(stack, "embedding.weight", Role::Embedding, 0));
    let embedding = push(&mut builder, Op::Weight(embedding), vec![]);
    let mut x = push(&mut builder, Op::Gather { axis: stack.vocabulary }, vec![embedding, tokens]);
    for (layer, function) in stack.blocks.iter().enumerate() {
        let call = Op::Call { function: *function, layer: layer as u32, path: format!("blocks.{layer}") };
        x = push(&mut builder, call, vec![x]);
    }
    if let Some(function) = stack.last {
        let call = Op::Call { function, layer: stack.blocks.len() as u32, path: "final".into() };
        x = push(&mut builder, call, vec![x]);
    }
    let head = if stack.tie_embeddings {
        embedding
    } else {
        let head = builder.weight(table(stack, "head.weight", Role::Matrix, 1));
        push(&mut builder, Op::Weight(head), vec![])
    };
    let logits = push(&mut builder, Op::Contract { axes: vec![stack.width] }, vec![x, head]);
    let loss = push(&mut builder, Op::CrossEntropy { axis: stack.vocabulary }, vec![logits, targets]);
    body.results = vec![logits, loss];
    builder.finish("main".into(), body)
}

fn table(stack: &Stack<'_>, path: &str, role: Role, stream: u32) -> Weight {
    let law = Law::Normal(Box::new(Law::Const(Constant::Real(DEVIATION))));
    Weight { path: path.into(), axes: vec![stack.vocabulary, stack.width], law, role, stream }
}

//! The IR as a specification: modules, functions, values, operations.
//!
//! A [`Module`] is a language model: functions over sequences with named axes, of which `main`
//! takes tokens and gives logits, a loss, and where units add losses of their own the sum of those. The `main` of a backward pass
//! gives the losses and the gradient of each weight instead; that of a pass within a larger program takes cotangents besides, and
//! gives its results, the cotangents of its arguments, and the gradients. Values are in single-assignment form. Batch and time
//! are implicit: a value of stage [`Stage::Seq`] has one element per item and position. The order
//! of [`Type::axes`] is the layout, outermost first, behind batch and time.
//!
//! Regions see the values around them. A past-region is everything between `past(..)` and its
//! reduction; a scan-region is one step of a recurrence. Operations may have several results.
//! Every operation on time carries a [`Direction`], and may carry a `reset` stream (1 where a
//! document starts); the reversed direction is legal only in functions marked adjoint.
//!
//! Sizes are symbolic in the width `D` until [`specialize`](crate::specialize).
//! Reductions, norms, softmax and states accumulate in f32 (f64 in the interpreter) whatever the
//! storage type.

pub use crate::adjoint::Adjoint;
use crate::origins::Origins;
use genesys_axis::{Constant, Domain, Size};
use genesys_scalar::{Function as Scalar, Law, Role};

/// The target of a position that is not predicted: padding behind a short row.
pub const IGNORE: u32 = u32::MAX;

/// What the name of a function's backward pass ends in.
pub const ADJOINT: &str = ".adjoint";

/// The number of an axis in its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AxisId(pub u32);

/// The number of a function in its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

/// The number of a value in its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub u32);

/// The number of a weight in its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WeightId(pub u32);

/// A language model.
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    /// The design's name.
    pub name: String,
    /// All axes; their names are unique.
    pub axes: Vec<Axis>,
    /// All functions, callees before callers; the last is `main`.
    pub functions: Vec<Function>,
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// A unique name: `E`, `E_2`.
    pub name: String,
    /// What it ranges over.
    pub domain: Domain,
}

/// A function from sequences to sequences.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// A unique name.
    pub name: String,
    /// Whether it is, or calls, the backward pass of another: time may run in reverse, and sums over tokens are taken. The
    /// backward pass of `Block` is named `Block.adjoint` and has weights of the same paths, which are the same weights.
    pub adjoint: bool,
    /// Its weights; a call prefixes their paths.
    pub weights: Vec<Weight>,
    /// The types of all its values.
    pub values: Vec<Type>,
    /// Its arguments.
    pub inputs: Vec<ValueId>,
    /// What it does, and its results; a loss, which a unit adds to that of the model, is the last.
    pub body: Region,
    /// Where its values come from.
    pub origins: Origins,
}

/// A weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Its path within the function: `attention.q.weight`.
    pub path: String,
    /// Its axes in storage order, row-major.
    pub axes: Vec<AxisId>,
    /// How it is drawn before training.
    pub law: Law<Constant>,
    /// What it is for.
    pub role: Role,
    /// The random stream it is drawn from, unique in the function; no name enters it.
    pub stream: u32,
}

/// How a value varies over items and positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The same everywhere.
    Const,
    /// One element per item and position.
    Seq,
    /// One element per item, at the position of the enclosing scan's step.
    Step,
    /// One value for the whole batch, which is read by its like only: a loss, or in adjoint functions what a constant gets of
    /// every position: its gradient.
    Loss,
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dtype {
    /// A real number; 32 bits unless the executor is asked for another width.
    Real,
    /// The number of a token.
    Token,
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// How it varies.
    pub stage: Stage,
    /// What its elements are.
    pub dtype: Dtype,
    /// Its axes, outermost first; a dependent axis is legal only within its past-region.
    pub axes: Vec<AxisId>,
}

/// Instructions, and the values that leave the region.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Region {
    /// In order: a value is defined before it is used.
    pub instructions: Vec<Instruction>,
    /// What the region gives.
    pub results: Vec<ValueId>,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq)]
pub struct Instruction {
    /// What it does.
    pub op: Op,
    /// Its operands.
    pub args: Vec<ValueId>,
    /// The values it defines.
    pub results: Vec<ValueId>,
}

/// Which way time runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the first position to the last.
    Forward,
    /// From the last to the first: adjoint functions only.
    Reverse,
}

/// How a reduction combines elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reduction {
    /// Sum; 0 over nothing.
    Sum,
    /// Mean; 0 over nothing.
    Mean,
    /// Largest element.
    Max,
    /// Smallest element.
    Min,
    /// `log(sum(exp(x)))`, computed against the largest element.
    LogSumExp,
}

/// How the state of a scan enters its update (see the classifier of the checker).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateClass {
    /// `next = decay * state + write`, with decay and write free of the state. The update is one map
    /// a state, whose first operand is the state: `add(mul($1, $0), $2)` of state, decay and
    /// write, or without the product or the sum where the decay is 1 or the write 0. The body holds nothing else until
    /// passes move into it what makes decays and writes, and what reads states.
    Diagonal,
    /// Anything else: one position after the other.
    General,
}

/// A scalar expression over the operands of a map.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// The operand of that number.
    Arg(usize),
    /// A number.
    Const(Constant),
    /// A function of other expressions.
    Apply(Scalar, Vec<Expr>),
}

/// A state of a scan-region.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Its name in the design, for people and for tests: no meaning depends on it.
    pub name: String,
    /// Its value before the first position: of stage const; the axes are a subset of the state's.
    pub init: ValueId,
    /// Defined by the region: its value when the step begins.
    pub current: ValueId,
    /// Defined in the region: its value when the step ends.
    pub next: ValueId,
    /// Defined by the region of a scan in chunks: its value when the first step of the present chunk
    /// began.
    pub start: Option<ValueId>,
    /// Whether it begins each chunk at its initial value.
    pub anew: bool,
}

/// The operations.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// `-> [axes]`: a weight of the function.
    Weight(WeightId),
    /// `-> []`: a number.
    Constant(Constant),
    /// `-> Seq[]`: the position within the document, from 0.
    Position,
    /// `-> []`: the number of the block, from 0.
    Layer,
    /// `-> [axis]`: 0, 1, ..
    Index(AxisId),
    /// `-> Seq[axis]`: `t - s`, in the past-region of the axis; along blocks `s` is the last position of each.
    Age(AxisId),
    /// `x.. -> union`: a scalar expression, element by element; operands broadcast by axis.
    Map(Expr),
    /// `x -> axes removed`
    Reduce {
        /// How.
        reduction: Reduction,
        /// Over which axes, together.
        axes: Vec<AxisId>,
        /// The value over an empty past.
        otherwise: Option<f64>,
    },
    /// `x -> same axes`: softmax over the axes together; masked elements take no part.
    Softmax {
        /// Over which axes.
        axes: Vec<AxisId>,
        /// The score of one more element, which takes mass and gives nothing.
        sink: Option<f64>,
    },
    /// `a, b -> union without axes`: sum of products over the axes; lowers to a matrix product.
    Contract {
        /// The axes contracted; both operands have them.
        axes: Vec<AxisId>,
    },
    /// `x -> from replaced by to`: split, merge or rename static axes, major to minor.
    Regroup {
        /// Taken.
        from: Vec<AxisId>,
        /// Made.
        to: Vec<AxisId>,
    },
    /// `x.. -> whole`: operand `i` joined along its axis `parts[i]`.
    Concat {
        /// The axis of each operand.
        parts: Vec<AxisId>,
        /// The axis made.
        whole: AxisId,
    },
    /// `x -> part instead of whole`: elements `offset .. offset + size(part)`.
    Slice {
        /// The operand's axis.
        whole: AxisId,
        /// The result's axis.
        part: AxisId,
        /// The first element.
        offset: Size,
    },
    /// `x -> whole instead of part`: the operand from element `offset` on, and 0 at the other elements.
    Pad {
        /// The operand's axis.
        part: AxisId,
        /// The result's axis.
        whole: AxisId,
        /// The first element.
        offset: Size,
    },
    /// `x -> axis removed`: one element of the axis.
    Select {
        /// The axis.
        axis: AxisId,
        /// Which element.
        index: Size,
    },
    /// `x.. -> axis added`: operands as the elements of a new axis.
    Stack {
        /// The axis made.
        axis: AxisId,
    },
    /// `x -> axes added`: the operand repeated.
    Broadcast {
        /// The axes added.
        axes: Vec<AxisId>,
    },
    /// `x [, reset] -> same`: the operand at `t - by` (at `t + by` in reverse), zero outside the
    /// document.
    Shift {
        /// By how many positions; `>= 0`.
        by: Size,
        /// Which way.
        direction: Direction,
        /// Where documents start, if a row may hold several.
        reset: Option<ValueId>,
    },
    /// `x [, reset] -> axis added`: the operand's last values, as many as the static axis has
    /// elements, the oldest first (in reverse the next ones, the latest first), zero outside the
    /// document.
    Window {
        /// The axis made.
        axis: AxisId,
        /// Which way.
        direction: Direction,
        /// Where documents start, if a row may hold several.
        reset: Option<ValueId>,
    },
    /// `x [, reset] -> same`: the mean over the last completed block of so many positions, held until the next is
    /// complete, and 0 before the first (in reverse blocks are completed from the end). Blocks begin at a document's start.
    Pool {
        /// How many positions a block holds; `>= 1`.
        size: Size,
        /// Which way.
        direction: Direction,
        /// Where documents start, if a row may hold several.
        reset: Option<ValueId>,
    },
    /// `-> results of the body`: everything between views of the past and their reductions.
    Past {
        /// The dependent axis, legal in the body only.
        axis: AxisId,
        /// Which way.
        direction: Direction,
        /// Where documents start.
        reset: Option<ValueId>,
        /// Computes values with the axis and gives values without it.
        body: Region,
    },
    /// `x -> axis added`: the operand at every position of the past; in its past-region only.
    View(AxisId),
    /// `x -> both axes added`: the operand at the positions of every completed block, the oldest first; in the
    /// past-region of the blocks only.
    Blocks {
        /// The dependent axis of blocks.
        axis: AxisId,
        /// The static axis of positions within a block, of the blocks' size.
        within: AxisId,
    },
    /// `score, value -> union, to instead of from`: the value where the score is largest, the largest first, of equal ones
    /// the lowest; 0 where there are fewer. A score that is no number counts as negative infinity, masked elements take no
    /// part, and no derivative passes to the score.
    Top {
        /// The axis picked from, static or dependent; both operands have it.
        from: AxisId,
        /// The static axis made.
        to: AxisId,
    },
    /// `score -> to instead of from`: 1 where `Top` picks an element, 0 where there are fewer.
    Picked {
        /// The axis picked from.
        from: AxisId,
        /// The static axis made.
        to: AxisId,
    },
    /// `x -> same`: at each position `s` of a past the sum over its positions up to `s`. Sums are
    /// taken in order: never as a difference of other sums, which would cancel.
    Cumsum(AxisId),
    /// `x -> same`: at each position `s` of a past the sum over its positions behind `s`; in order,
    /// as `Cumsum`.
    After(AxisId),
    /// `-> Seq of each result of the body`: one step after the other.
    Scan {
        /// The states.
        states: Vec<State>,
        /// How they enter their updates.
        class: StateClass,
        /// The positions of a chunk, `>= 1`, where a state has a start or begins anew. Chunks begin
        /// at the document's first position; the last may be shorter.
        chunk: Option<Size>,
        /// Which way.
        direction: Direction,
        /// Where documents start.
        reset: Option<ValueId>,
        /// One step. A result of stage `Step` leaves the scan as `Seq`.
        body: Region,
    },
    /// `x -> x`: the derivative of the sum of the region's result to its variable, at `x`, at each
    /// (item, position) by itself; all else is held fixed. Passes
    /// replace it by operations before a module runs.
    Grad {
        /// Defined by the region: what is varied; of the operand's type.
        variable: ValueId,
        /// Computes one value from it, and looks at no other position.
        body: Region,
    },
    /// `table, tokens -> Seq[table axes without axis]`: the table's element at each token.
    Gather {
        /// The axis that tokens count along.
        axis: AxisId,
    },
    /// `logits, targets -> Loss[]`: mean of `-log softmax(logits)[target]`, in nats, over the targets
    /// that are not [`IGNORE`]; 0 where all are.
    CrossEntropy {
        /// The vocabulary.
        axis: AxisId,
    },
    /// `x, targets -> Loss[axes of x]`: mean of `x`, of stage const or seq, over the positions of the batch whose target is
    /// not [`IGNORE`]; 0 where there is none.
    MeanTokens,
    /// `x.. -> results of the function`
    Call {
        /// Which.
        function: FunctionId,
        /// The number of the block: the value of `Layer` in the callee.
        layer: u32,
        /// Prefix of the callee's weights: `blocks.3`; empty for none.
        path: String,
    },
    /// An operation that only adjoint functions have.
    Adjoint(Adjoint),
}

impl Module {
    /// The function that takes tokens and targets and gives logits, then the loss, then the sum of the units' losses where
    /// there are any; of a backward pass the losses, or the cotangents of its arguments, then the gradient of each weight.
    pub fn main(&self) -> &Function {
        self.functions.last().expect("a module has a main function")
    }

    /// An axis.
    pub fn axis(&self, id: AxisId) -> &Axis {
        &self.axes[id.0 as usize]
    }

    /// A function.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.0 as usize]
    }
}

impl Direction {
    /// The other way.
    pub fn reversed(self) -> Direction {
        match self {
            Direction::Forward => Direction::Reverse,
            Direction::Reverse => Direction::Forward,
        }
    }
}

impl State {
    /// The values that the region finds defined: what the state holds, and what it held at its start.
    pub fn defined(&self) -> impl Iterator<Item = ValueId> + use<> {
        [self.current].into_iter().chain(self.start)
    }
}

impl Function {
    /// The type of a value.
    pub fn ty(&self, id: ValueId) -> &Type {
        &self.values[id.0 as usize]
    }
}

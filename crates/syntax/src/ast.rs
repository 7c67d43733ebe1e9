//! The syntax tree of a `.gau` file.
//!
//! Every node carries its span, every expression an [`ExprId`] unique in its file, so that later
//! phases keep what they learn in side tables. Comments hang on items, statements, design fields
//! and block ends, from where the printer puts them back. Names are not resolved here, sizes not
//! evaluated: `D / 64` is a tree, and `Foo(x)` may be a unit or not exist at all.

use genesys_span::Span;

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// The `//!` lines at the top, without the marker.
    pub docs: Vec<String>,
    /// Uses, designs and units in the order written.
    pub items: Vec<Item>,
    /// Comments after the last item.
    pub trailing: Vec<String>,
}

/// Ordinary comments kept with a node; the text is without `//`, and without its leading blank.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comments {
    /// Whole-line comments above the node, and those found inside it where no finer place exists.
    pub above: Vec<String>,
    /// The comment that ends the node's last line.
    pub beside: Option<String>,
}

/// A name with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// A top-level item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The `///` lines, without the marker.
    pub docs: Vec<String>,
    /// Other comments.
    pub comments: Comments,
    /// From the first keyword to the last character.
    pub span: Span,
    /// What it is.
    pub kind: ItemKind,
}

/// The kinds of items.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every item is a unit, and the list of items is short")]
pub enum ItemKind {
    /// `use std::{RmsNorm, SwiGlu}`
    Use(Use),
    /// `design Gpt { .. }`
    Design(Design),
    /// `unit Block(x: Seq[D]) -> Seq[D] { .. }`
    Unit(Unit),
}

/// An import of units.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The path before the names: `std`.
    pub path: Vec<Ident>,
    /// The units named.
    pub names: Vec<Ident>,
}

/// A design: how units are stacked into a language model.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    /// Its name.
    pub name: Ident,
    /// Its fields in the order written.
    pub fields: Vec<Field>,
    /// Comments before the closing brace.
    pub trailing: Vec<String>,
}

/// `name = value` in a design.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// `stack`, `final` or `tie_embeddings`.
    pub name: Ident,
    /// The value.
    pub value: FieldValue,
    /// Its comments.
    pub comments: Comments,
    /// The whole field.
    pub span: Span,
}

/// The value of a design's field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// `[Widen, Block*]`
    Stack(Vec<StackItem>),
    /// A unit with its static arguments: `RmsNorm`.
    Unit(UnitRef),
    /// `true` or `false`.
    Bool(bool),
}

/// One entry of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct StackItem {
    /// A unit, or a bracketed group.
    pub kind: StackKind,
    /// How often it stands there.
    pub repeat: Repeat,
    /// `share Block*4`: the repetitions have one instance of its weights.
    pub share: bool,
    /// Its place.
    pub span: Span,
}

/// What a stack entry is.
#[derive(Clone, Debug, PartialEq)]
pub enum StackKind {
    /// One unit.
    Unit(UnitRef),
    /// A group repeated as a whole: `[Mamba*5, Attn]*`.
    Group(Vec<StackItem>),
}

/// How often a stack entry is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Once.
    Once,
    /// `*5`
    Times(u64),
    /// `*`: as often as the depth of the scale asks.
    ToDepth,
}

/// A unit by name with static arguments, outside a call.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitRef {
    /// The unit's name.
    pub name: Ident,
    /// `<H = 8>`
    pub statics: Vec<StaticArg>,
}

/// A unit's definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// Its name.
    pub name: Ident,
    /// `<H = D / 64, A..>`
    pub generics: Vec<Generic>,
    /// The value parameters.
    pub params: Vec<Param>,
    /// The result type; of several results the first, which is the main one.
    pub result: Type,
    /// The results behind the first: `v1: Seq[H, E]` in `-> (Seq[D], v1: Seq[H, E])`.
    pub further: Vec<FurtherResult>,
    /// The body; without a value where it is not written yet: `unit Router(x: Seq[D]) -> Seq[D];`
    pub body: Block,
}

/// A static parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Generic {
    /// Its name.
    pub name: Ident,
    /// What it stands for.
    pub kind: GenericKind,
    /// Its place.
    pub span: Span,
}

/// What a static parameter stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum GenericKind {
    /// `E` or `E = 64`: an axis, with the size it has if no call binds it.
    Axis(Option<Size>),
    /// `N: size` or `N: size = 2`: a number.
    Size(Option<Size>),
    /// `A..`: a row of static axes.
    Row,
    /// `F: unit`, `F: pointwise unit(Seq[H]) -> Seq[H] = SwiGlu`: a unit.
    Unit {
        /// Whether it may look at no other position.
        pointwise: bool,
        /// What it maps; `Seq[D]` to `Seq[D]` where none is stated.
        signature: Option<Signature>,
        /// The unit it is if no call binds it.
        default: Option<UnitRef>,
    },
}

/// What a unit maps: `(Seq[H, E]) -> Seq[H, E]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// The types of its parameters.
    pub params: Vec<Type>,
    /// The type of its value.
    pub result: Type,
}

/// A result of a unit behind its first.
#[derive(Clone, Debug, PartialEq)]
pub struct FurtherResult {
    /// Its name, by which a later unit of the stack receives it.
    pub name: Option<Ident>,
    /// Its type.
    pub ty: Type,
}

/// A value parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: Type,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    /// `Seq[..]` where true, `[..]` where false.
    pub seq: bool,
    /// The axes, in the order written; a type is their set.
    pub axes: Vec<AxisRef>,
    /// Its place.
    pub span: Span,
}

/// An axis, or a row of axes, in a type or a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AxisRef {
    /// `E`
    Named(Ident),
    /// `A..`
    Row(Ident),
    /// `..`: whatever other static axes the argument has.
    Rest(Span),
}

/// An expression over sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Size {
    /// What it is.
    pub kind: SizeKind,
    /// Its place.
    pub span: Span,
}

/// The forms of a size expression.
#[derive(Clone, Debug, PartialEq)]
pub enum SizeKind {
    /// A literal.
    Int(u64),
    /// A size, or the size of an axis.
    Name(Ident),
    /// `a + b`, `a - b`, `a * b`, exact `a / b`, `a % b` (requirements only).
    Binary(SizeOp, Box<Size>, Box<Size>),
    /// `ceil_to(a, n)`, `min(a, b)`, `max(a, b)`
    Call(SizeFn, Box<Size>, Box<Size>),
}

/// An operator between sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`, exact
    Div,
    /// `%`
    Rem,
}

/// A function of two sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeFn {
    /// `ceil_to(a, n)`
    CeilTo,
    /// `min(a, b)`
    Min,
    /// `max(a, b)`
    Max,
}

/// A body: statements, then the value unless the body is a scan's.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The statements in order.
    pub stmts: Vec<Stmt>,
    /// The value.
    pub result: Option<Expr>,
    /// Comments of the value's line.
    pub result_comments: Comments,
    /// Comments before the closing brace.
    pub trailing: Vec<String>,
    /// Braces included.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Its comments.
    pub comments: Comments,
    /// Its place.
    pub span: Span,
}

/// The forms of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// `let q: Seq[H, E] = e`
    Let {
        /// The name bound; binding it again hides the earlier value.
        name: Ident,
        /// The type stated, if any.
        ty: Option<Type>,
        /// The value.
        value: Expr,
    },
    /// `let (q, k) = e`: the values of a tuple, each by a name.
    LetTuple {
        /// A name for each value; `_` where it is not wanted.
        names: Vec<Ident>,
        /// The tuple.
        value: Expr,
    },
    /// `share f = Mlp<F = 128>`, `share p = linear[D -> E]`: one instance of weights, used by every
    /// call `f(x)`.
    Share {
        /// The name that is called.
        name: Ident,
        /// A call without values: the unit or primitive, its static arguments, axes and options.
        value: Expr,
    },
    /// `param gain: [A..] = 1 @gain`
    Param {
        /// The weight's name.
        name: Ident,
        /// Its axes, in storage order.
        axes: Vec<AxisRef>,
        /// Its initial law.
        init: Expr,
        /// The role behind `@`.
        role: Option<Ident>,
    },
    /// `axis K = D / 2`
    Axis {
        /// The axis declared.
        name: Ident,
        /// Its size.
        size: Size,
    },
    /// `require D % 64 == 0`
    Require {
        /// Left side.
        left: Size,
        /// The relation.
        compare: CompareOp,
        /// Right side.
        right: Size,
    },
    /// `S <- e`, in a scan or a loop
    Update {
        /// The state.
        state: Ident,
        /// Its new value.
        value: Expr,
    },
    /// `yield e`, in a scan or a loop
    Yield(Expr),
    /// `loss e`: a term of the training loss
    Loss(Expr),
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Unique in the file.
    pub id: ExprId,
    /// What it is.
    pub kind: ExprKind,
    /// Its place, without enclosing parentheses.
    pub span: Span,
}

/// The number of an expression in its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub u32);

/// The forms of an expression. Parentheses are not kept: the printer sets those that are needed.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A literal, with the text it was written as.
    Number {
        /// Its value.
        value: f64,
        /// As written.
        text: String,
    },
    /// `true` or `false`, as a named argument's value.
    Bool(bool),
    /// A value, a size used as a number, `pos` or `layer`.
    Name(Ident),
    /// `index[A]`, `age[Past]`
    Indexed {
        /// `index` or `age`
        head: Ident,
        /// The axis.
        axis: Ident,
    },
    /// `-e`
    Neg(Box<Expr>),
    /// `a + b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a < b`
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// `RmsNorm<E = E>[V](y)`, `linear[D -> H, E](x, bias = true)`, `exp(x)`
    Call(Call),
    /// `each[H] F(x)`: `F` with weights of its own for each element of the axes.
    Each {
        /// The axes.
        axes: Vec<Ident>,
        /// The call.
        call: Box<Expr>,
    },
    /// `[D -> H, E](x)`: split or merge axes, major to minor.
    Regroup {
        /// The axes taken.
        from: Vec<Ident>,
        /// The axes made.
        to: Vec<Ident>,
        /// The value.
        value: Box<Expr>,
    },
    /// `x as [K -> V]`
    Rename {
        /// The value.
        value: Box<Expr>,
        /// The axis renamed.
        from: Ident,
        /// Its new name.
        to: Ident,
    },
    /// `norm1: RmsNorm(x)`, as an argument: the label names the weights that the call owns.
    Labeled {
        /// The label.
        label: Ident,
        /// The call.
        call: Box<Expr>,
    },
    /// `?`, `?name`: a value that is not written yet.
    Hole(Option<Ident>),
    /// `(a, b)`: at least two values, which a body gives or a `let` binds; no operand.
    Tuple(Vec<Expr>),
    /// `scan S: [H, K, V] = 0 { .. }`
    Scan(Box<Scan>),
    /// `repeat 3 R: [K] = x { .. }`
    Repeat(Box<Loop>),
}

/// A call of a unit or a primitive.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The unit or primitive called.
    pub head: Ident,
    /// `<E = 64>`
    pub statics: Vec<StaticArg>,
    /// `[D -> H, E]` or `[V]`
    pub slot: Option<Slot>,
    /// `(x, bias = true)`
    pub args: Vec<Arg>,
}

/// What stands in a call's square brackets.
#[derive(Clone, Debug, PartialEq)]
pub enum Slot {
    /// `[H, V]`
    Axes(Vec<AxisRef>),
    /// `[D -> H, E; per G]`
    Map {
        /// The axes contracted, or taken apart.
        from: Vec<Ident>,
        /// The axes made.
        to: Vec<Ident>,
        /// The axes over which weights are separate.
        per: Vec<Ident>,
    },
    /// `[K of Past]`
    Of {
        /// The axis made.
        made: Ident,
        /// The axis picked from.
        axis: Ident,
    },
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// By position.
    Value(Expr),
    /// `bias = true`
    Named(Ident, Expr),
}

/// A static argument: `H = 8`, `E = E`, or `64` by position.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticArg {
    /// The parameter, where named.
    pub name: Option<Ident>,
    /// What it is bound to.
    pub value: StaticValue,
}

impl Unit {
    /// Whether its body is not written yet.
    pub fn is_open(&self) -> bool {
        self.body.result.is_none()
    }
}

/// What a static parameter is bound to.
#[derive(Clone, Debug, PartialEq)]
pub enum StaticValue {
    /// A size; a bare name of an axis binds the axis itself, and that of a unit the unit.
    Size(Size),
    /// A unit with static arguments of its own: `SwiGlu<F = 4 * D>`.
    Unit(UnitRef),
}

impl StaticValue {
    /// Its place.
    pub fn span(&self) -> Span {
        match self {
            StaticValue::Size(size) => size.span,
            StaticValue::Unit(unit) => unit.name.span,
        }
    }

    /// The one name that it is.
    pub fn name(&self) -> Option<&Ident> {
        match self {
            StaticValue::Size(Size { kind: SizeKind::Name(name), .. }) => Some(name),
            StaticValue::Size(_) => None,
            StaticValue::Unit(unit) => Some(&unit.name),
        }
    }
}

/// An operator between values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
    /// `^`
    Pow,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompareOp {
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `==`
    Eq,
    /// `!=`
    Ne,
}

/// A recurrence over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// The states.
    pub states: Vec<State>,
    /// The length of a chunk, behind `every`.
    pub every: Option<Size>,
    /// The class stated behind `:`.
    pub class: Option<Ident>,
    /// Updates and yields, in order.
    pub body: Block,
}

/// A loop of fixed count within a position.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// The size that counts the rounds from 0: `I` in `repeat I < 3`.
    pub counter: Option<Ident>,
    /// How many rounds.
    pub count: Size,
    /// The states.
    pub states: Vec<State>,
    /// Updates and yields, in order.
    pub body: Block,
}

/// A state of a scan or of a loop.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Its name.
    pub name: Ident,
    /// Its axes.
    pub axes: Vec<AxisRef>,
    /// Its initial value: a constant in a scan.
    pub init: Expr,
    /// Whether it begins each chunk of its scan at the initial value.
    pub reset: bool,
}

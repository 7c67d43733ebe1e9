//! Random trees of the shapes that the parser gives.

use genesys_span::Span;
use genesys_syntax::KEYWORDS;
use genesys_syntax::ast::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// A whole file with at least one item.
pub(crate) fn file() -> impl Strategy<Value = File> {
    (vec(comment(), 0..3), vec(item(), 1..4), vec(comment(), 0..2)).prop_map(|(docs, items, trailing)| File {
        docs,
        items,
        trailing,
    })
}

fn span() -> Span {
    Span::default()
}

fn ident(text: String) -> Ident {
    Ident { text, span: span() }
}

/// Value names, some long enough to break lines, some close to keywords.
fn name() -> BoxedStrategy<Ident> {
    prop_oneof![
        "[a-z_][a-z0-9_]{0,3}",
        "[A-Z][A-Za-z0-9_]{0,3}",
        "[a-z_]{12,30}",
        select(vec!["lets", "as_", "unit_", "index", "age", "min", "per", "size", "Seq", "of", "e1", "_"])
            .prop_map(str::to_owned),
    ]
    .prop_filter("a keyword", |text| !KEYWORDS.contains(&text.as_str()))
    .prop_map(ident)
    .boxed()
}

fn upper() -> BoxedStrategy<Ident> {
    prop_oneof!["[A-Z]", "[A-Z][A-Za-z0-9_]{1,12}"].prop_map(ident).boxed()
}

fn comment() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[ -~é]{0,20}".prop_map(|text| text.trim_end().to_owned())]
}

fn comments() -> impl Strategy<Value = Comments> {
    let quiet = Just(Comments::default());
    let loud = (vec(comment(), 0..3), option::of(comment())).prop_map(|(above, beside)| Comments { above, beside });
    prop_oneof![3 => quiet, 1 => loud]
}

fn item() -> impl Strategy<Value = Item> {
    let kind = prop_oneof![
        1 => (vec(name(), 1..3), vec(upper(), 1..6)).prop_map(|(path, names)| ItemKind::Use(Use { path, names })),
        1 => design().prop_map(ItemKind::Design),
        4 => unit().prop_map(ItemKind::Unit),
    ];
    (vec(comment(), 0..3), comments(), kind).prop_map(|(docs, comments, kind)| Item {
        docs,
        comments,
        span: span(),
        kind,
    })
}

fn design() -> impl Strategy<Value = Design> {
    let value = prop_oneof![
        stack().prop_map(FieldValue::Stack),
        unit_ref().prop_map(FieldValue::Unit),
        any::<bool>().prop_map(FieldValue::Bool),
    ];
    let field =
        (name(), value, comments()).prop_map(|(name, value, comments)| Field { name, value, comments, span: span() });
    (upper(), vec(field, 0..4), vec(comment(), 0..2)).prop_map(|(name, fields, trailing)| Design {
        name,
        fields,
        trailing,
    })
}

fn stack() -> impl Strategy<Value = Vec<StackItem>> {
    let leaf = (unit_ref().prop_map(StackKind::Unit), repeat(), any::<bool>()).prop_map(stack_item);
    let entry = leaf.prop_recursive(3, 16, 4, |inner| {
        (vec(inner, 0..4).prop_map(StackKind::Group), repeat(), any::<bool>()).prop_map(stack_item)
    });
    vec(entry, 0..5)
}

fn stack_item((kind, repeat, share): (StackKind, Repeat, bool)) -> StackItem {
    StackItem { kind, repeat, share, span: span() }
}

fn repeat() -> impl Strategy<Value = Repeat> {
    prop_oneof![Just(Repeat::Once), any::<u64>().prop_map(Repeat::Times), Just(Repeat::ToDepth)]
}

fn unit_ref() -> impl Strategy<Value = UnitRef> {
    (upper(), statics()).prop_map(|(name, statics)| UnitRef { name, statics })
}

fn statics() -> impl Strategy<Value = Vec<StaticArg>> {
    let nested = (0..5).fold(Just(Vec::new()).boxed(), |inner, _| static_args(inner));
    prop_oneof![2 => Just(Vec::new()), 1 => nested]
}

/// Static arguments, those of units with static arguments of their own.
fn static_args(inner: BoxedStrategy<Vec<StaticArg>>) -> BoxedStrategy<Vec<StaticArg>> {
    let unit = (upper(), inner).prop_map(|(name, statics)| UnitRef { name, statics });
    let value = (size(), option::of(unit)).prop_map(|(size, unit)| match unit {
        Some(unit) if !unit.statics.is_empty() => StaticValue::Unit(unit),
        Some(_) | None => StaticValue::Size(size),
    });
    let arg = (option::of(upper()), value).prop_map(|(name, value)| StaticArg { name, value });
    vec(arg, 1..3).boxed()
}

fn size() -> BoxedStrategy<Size> {
    let make = |kind| Size { kind, span: span() };
    let leaf = prop_oneof![any::<u64>().prop_map(SizeKind::Int), upper().prop_map(SizeKind::Name)].prop_map(make);
    leaf.prop_recursive(4, 12, 2, move |inner| {
        let op = select(vec![SizeOp::Add, SizeOp::Sub, SizeOp::Mul, SizeOp::Div, SizeOp::Rem]);
        let function = select(vec![SizeFn::CeilTo, SizeFn::Min, SizeFn::Max]);
        let two = (inner.clone(), inner).prop_map(|(a, b)| (Box::new(a), Box::new(b)));
        prop_oneof![
            3 => (op, two.clone()).prop_map(|(op, (a, b))| SizeKind::Binary(op, a, b)),
            1 => (function, two).prop_map(|(function, (a, b))| SizeKind::Call(function, a, b)),
        ]
        .prop_map(make)
    })
    .boxed()
}

fn unit() -> impl Strategy<Value = Unit> {
    let kind = prop_oneof![
        option::of(size()).prop_map(GenericKind::Axis),
        option::of(size()).prop_map(GenericKind::Size),
        Just(GenericKind::Row),
        unit_kind(),
    ];
    let generic = (upper(), kind).prop_map(|(name, kind)| Generic { name, kind, span: span() });
    let param = (name(), ty()).prop_map(|(name, ty)| Param { name, ty });
    let further = (option::of(name()), ty()).prop_map(|(name, ty)| FurtherResult { name, ty });
    let further = prop_oneof![3 => Just(Vec::new()), 1 => vec(further, 1..3)];
    (upper(), vec(generic, 0..4), vec(param, 0..4), (ty(), further), prop_oneof![5 => body(expr()), 1 => open_body()])
        .prop_map(|(name, generics, params, (result, further), body)| Unit {
            name,
            generics,
            params,
            result,
            further,
            body,
        })
}

fn open_body() -> impl Strategy<Value = Block> {
    Just(block(Vec::new(), None, Comments::default(), Vec::new()))
}

fn unit_kind() -> impl Strategy<Value = GenericKind> {
    let signature = (vec(ty(), 0..3), ty()).prop_map(|(params, result)| Signature { params, result });
    (any::<bool>(), option::of(signature), option::of(unit_ref()))
        .prop_map(|(pointwise, signature, default)| GenericKind::Unit { pointwise, signature, default })
}

fn ty() -> impl Strategy<Value = Type> {
    (any::<bool>(), axes(0)).prop_map(|(seq, axes)| Type { seq, axes, span: span() })
}

fn axes(least: usize) -> impl Strategy<Value = Vec<AxisRef>> {
    let axis = prop_oneof![
        4 => upper().prop_map(AxisRef::Named),
        1 => upper().prop_map(AxisRef::Row),
        1 => Just(AxisRef::Rest(span())),
    ];
    vec(axis, least..least + 3)
}

fn block(stmts: Vec<Stmt>, result: Option<Expr>, result_comments: Comments, trailing: Vec<String>) -> Block {
    Block { stmts, result, result_comments, trailing, span: span() }
}

fn body(value: BoxedStrategy<Expr>) -> impl Strategy<Value = Block> {
    (vec(stmt(value.clone()), 0..4), value, comments(), vec(comment(), 0..2))
        .prop_map(|(stmts, value, comments, trailing)| block(stmts, Some(value), comments, trailing))
}

fn stmt(value: BoxedStrategy<Expr>) -> impl Strategy<Value = Stmt> {
    let compare = select(COMPARES.to_vec());
    let kind = prop_oneof![
        3 => (name(), option::of(ty()), value.clone()).prop_map(|(name, ty, value)| StmtKind::Let { name, ty, value }),
        1 => (vec(name(), 2..4), value.clone()).prop_map(|(names, value)| StmtKind::LetTuple { names, value }),
        1 => (name(), shared(value.clone())).prop_map(|(name, value)| StmtKind::Share { name, value }),
        1 => (name(), axes(0), value.clone(), option::of(name()))
            .prop_map(|(name, axes, init, role)| StmtKind::Param { name, axes, init, role }),
        1 => (upper(), size()).prop_map(|(name, size)| StmtKind::Axis { name, size }),
        1 => (size(), compare, size()).prop_map(|(left, compare, right)| StmtKind::Require { left, compare, right }),
        1 => (name(), value.clone()).prop_map(|(state, value)| StmtKind::Update { state, value }),
        1 => value.clone().prop_map(StmtKind::Yield),
        1 => value.prop_map(StmtKind::Loss),
    ];
    (kind, comments()).prop_map(|(kind, comments)| Stmt { kind, comments, span: span() })
}

const COMPARES: &[CompareOp] =
    &[CompareOp::Lt, CompareOp::Le, CompareOp::Gt, CompareOp::Ge, CompareOp::Eq, CompareOp::Ne];

fn make(kind: ExprKind) -> Expr {
    Expr { id: ExprId(0), kind, span: span() }
}

fn number() -> impl Strategy<Value = ExprKind> {
    "[0-9]{1,4}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?"
        .prop_map(|text| ExprKind::Number { value: text.parse().unwrap(), text })
}

fn expr() -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        2 => number(),
        1 => any::<bool>().prop_map(ExprKind::Bool),
        4 => name().prop_map(ExprKind::Name),
        1 => option::of(name()).prop_map(ExprKind::Hole),
        1 => (name(), upper()).prop_map(|(head, axis)| ExprKind::Indexed { head, axis }),
    ]
    .prop_map(make);
    leaf.prop_recursive(5, 24, 3, |inner| {
        let inner = inner.boxed();
        prop_oneof![
            2 => inner.clone().prop_map(|e| ExprKind::Neg(Box::new(e))),
            5 => binary(inner.clone()),
            1 => (select(COMPARES.to_vec()), inner.clone(), inner.clone())
                .prop_map(|(op, a, b)| ExprKind::Compare(op, Box::new(a), Box::new(b))),
            4 => call(inner.clone()).prop_map(|e| e.kind),
            1 => each(inner.clone()).prop_map(|e| e.kind),
            1 => (vec(upper(), 1..3), vec(upper(), 1..3), inner.clone())
                .prop_map(|(from, to, value)| ExprKind::Regroup { from, to, value: Box::new(value) }),
            1 => (inner.clone(), upper(), upper())
                .prop_map(|(value, from, to)| ExprKind::Rename { value: Box::new(value), from, to }),
            1 => vec(inner.clone(), 2..4).prop_map(ExprKind::Tuple),
            1 => scan(inner.clone()),
            1 => rounds(inner),
        ]
        .prop_map(make)
    })
    .boxed()
}

fn binary(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = ExprKind> {
    let op = select(vec![BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Rem, BinaryOp::Pow]);
    (op, inner.clone(), inner).prop_map(|(op, a, b)| ExprKind::Binary(op, Box::new(a), Box::new(b)))
}

fn call(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let value = inner.clone().prop_map(Arg::Value);
    let named =
        (prop_oneof![name(), Just(ident("else".to_owned()))], inner.clone()).prop_map(|(n, e)| Arg::Named(n, e));
    let labeled = (name(), plain_call(inner))
        .prop_map(|(label, call)| Arg::Value(make(ExprKind::Labeled { label, call: Box::new(call) })));
    calling(vec(prop_oneof![4 => value, 1 => named, 1 => labeled], 0..4).boxed())
}

fn plain_call(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    calling(vec(inner.prop_map(Arg::Value), 0..3).boxed())
}

fn shared(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    calling(vec((name(), inner).prop_map(|(n, e)| Arg::Named(n, e)), 0..2).boxed())
}

fn calling(args: BoxedStrategy<Vec<Arg>>) -> impl Strategy<Value = Expr> {
    let names = |least: usize| vec(upper(), least..3);
    let slot = prop_oneof![
        axes(1).prop_map(Slot::Axes),
        (upper(), upper()).prop_map(|(made, axis)| Slot::Of { made, axis }),
        (names(0), names(0), names(0)).prop_map(|(from, to, per)| Slot::Map { from, to, per }),
    ];
    (name(), statics(), option::of(slot), args)
        .prop_map(|(head, statics, slot, args)| make(ExprKind::Call(Call { head, statics, slot, args })))
}

fn each(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    (vec(upper(), 1..3), plain_call(inner)).prop_map(|(axes, call)| make(ExprKind::Each { axes, call: Box::new(call) }))
}

fn scan(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = ExprKind> {
    (states(inner.clone()), option::of(size()), option::of(name()), steps(inner))
        .prop_map(|(states, every, class, body)| ExprKind::Scan(Box::new(Scan { states, every, class, body })))
}

fn rounds(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = ExprKind> {
    (option::of(upper()), size(), states(inner.clone()), steps(inner))
        .prop_map(|(counter, count, states, body)| ExprKind::Repeat(Box::new(Loop { counter, count, states, body })))
}

fn states(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Vec<State>> {
    let state = (name(), axes(0), inner, any::<bool>());
    vec(state.prop_map(|(name, axes, init, reset)| State { name, axes, init, reset }), 1..3)
}

fn steps(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Block> {
    (vec(stmt(inner), 0..3), vec(comment(), 0..2))
        .prop_map(|(stmts, trailing)| block(stmts, None, Comments::default(), trailing))
}

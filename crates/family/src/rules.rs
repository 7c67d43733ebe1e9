//! Laws of real numbers, as rewrites.
//!
//! Each side is defined wherever the other is, and equal there. Laws that need a sign are left out: `exp(log(x))` is `x`
//! for positive `x` only, `x / x` is 1 but at 0.

use egg::{Rewrite, SymbolLang};

/// A law: a name, and its two sides. The second kind is applied from left to right only.
const BOTH_WAYS: &[(&str, &str, &str)] = &[
    ("sum of three", "(add ?a (add ?b ?c))", "(add (add ?a ?b) ?c)"),
    ("product of three", "(mul ?a (mul ?b ?c))", "(mul (mul ?a ?b) ?c)"),
    ("distribution", "(mul ?a (add ?b ?c))", "(add (mul ?a ?b) (mul ?a ?c))"),
    ("inverse of a product", "(inv (mul ?a ?b))", "(mul (inv ?a) (inv ?b))"),
    ("exponential of a sum", "(exp (add ?a ?b))", "(mul (exp ?a) (exp ?b))"),
    ("inverse of an exponential", "(inv (exp ?a))", "(exp (mul -1 ?a))"),
    ("silu", "(silu ?a)", "(mul ?a (sigmoid ?a))"),
    ("the other side of a sigmoid", "(add 1 (mul -1 (sigmoid ?a)))", "(sigmoid (mul -1 ?a))"),
    ("softplus", "(softplus ?a)", "(mul -1 (log_sigmoid (mul -1 ?a)))"),
    ("tanh", "(tanh ?a)", "(add -1 (mul 2 (sigmoid (mul 2 ?a))))"),
    ("square", "(pow ?a 2)", "(mul ?a ?a)"),
];

const ONE_WAY: &[(&str, &str, &str)] = &[
    ("sum of two", "(add ?a ?b)", "(add ?b ?a)"),
    ("product of two", "(mul ?a ?b)", "(mul ?b ?a)"),
    ("twice negated", "(mul -1 (mul -1 ?a))", "?a"),
    ("once", "(mul 1 ?a)", "?a"),
    ("nothing added", "(add 0 ?a)", "?a"),
    ("inverse of an inverse", "(inv (inv ?a))", "?a"),
    ("logarithm of an exponential", "(log (exp ?a))", "?a"),
    ("logarithm of a sigmoid", "(log (sigmoid ?a))", "(log_sigmoid ?a)"),
    ("exponential of a log-sigmoid", "(exp (log_sigmoid ?a))", "(sigmoid ?a)"),
    ("softplus by its definition", "(log (add 1 (exp ?a)))", "(softplus ?a)"),
    ("sigmoid by its definition", "(inv (add 1 (exp (mul -1 ?a))))", "(sigmoid ?a)"),
];

/// The laws, with those of sums and softmax over each of these axes.
pub(crate) fn rules(axes: &[String]) -> Vec<Rewrite<SymbolLang, ()>> {
    let mut rules = Vec::new();
    for (name, left, right) in BOTH_WAYS {
        rules.push(law(name, left, right));
        rules.push(law(&format!("{name}, back"), right, left));
    }
    rules.extend(ONE_WAY.iter().map(|(name, left, right)| law(name, left, right)));
    for axes in axes {
        let sum = |of: &str| format!("(sum{axes} {of})");
        let softmax = format!("(softmax{axes} ?a)");
        let weights = format!("(mul (exp ?a) (inv {}))", sum("(exp ?a)"));
        rules.push(law(&format!("softmax over {axes}"), &weights, &softmax));
        rules.push(law(
            &format!("log-sum-exp over {axes}"),
            &format!("(log {})", sum("(exp ?a)")),
            &format!("(lse{axes} ?a)"),
        ));
        let (joined, apart) = (sum("(add ?a ?b)"), format!("(add {} {})", sum("?a"), sum("?b")));
        rules.push(law(&format!("sum of sums over {axes}"), &apart, &joined));
    }
    rules
}

fn law(name: &str, left: &str, right: &str) -> Rewrite<SymbolLang, ()> {
    let side = |text: &str| text.parse::<egg::Pattern<SymbolLang>>().expect("the sides of laws are patterns");
    Rewrite::new(name, side(left), side(right)).expect("the right side of a law names what the left one binds")
}

//! Which pairs of texts are one family, and which are not; none of the first kind is one design.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use genesys_check::{CheckedDesign, Library, check};
use genesys_family::{Families, FamilyKey, Fingerprint, Fingerprints};
use genesys_span::Sources;
use proptest::prelude::*;

static STD: LazyLock<Library> = LazyLock::new(|| {
    let mut sources = Sources::default();
    let std = sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
    Library::new(genesys_syntax::parse(&sources, std).file)
});

fn design(body: &str) -> CheckedDesign {
    let text = format!(
        "design Test {{ stack = [Block*] }}\nunit Block<H = 4, E = D / 4>(x: Seq[D]) -> Seq[D] {{\n    let y = linear[D -> D](x)\n    \
         let g = sigmoid(linear[D -> D](tanh(x)))\n    {body}\n}}\n"
    );
    checked(&text).unwrap_or_else(|| panic!("{body} does not check"))
}

/// The design of a text, if it is one.
fn checked(text: &str) -> Option<CheckedDesign> {
    let mut sources = Sources::default();
    let file = sources.add("test", text);
    let parsed = genesys_syntax::parse(&sources, file);
    if !parsed.diagnostics.is_empty() {
        return None;
    }
    check(&Arc::new(parsed.file), &STD).design
}

/// Equal over the reals, and another program each.
const ONE_FAMILY: &[(&str, &str)] = &[
    ("x * (y + g)", "x * y + x * g"),
    ("g * y + (1 - g) * x", "x + g * (y - x)"),
    ("x * sigmoid(y) * g", "g * x / (1 + exp(-y))"),
    ("silu(y) * g", "y * sigmoid(y) * g"),
    ("log(sigmoid(y)) + g", "log_sigmoid(y) + g"),
    ("log(1 + exp(y)) * g", "softplus(y) * g"),
    ("exp(y + g)", "exp(y) * exp(g)"),
    ("exp(log_sigmoid(y)) * g", "sigmoid(y) * g"),
    ("g * softmax[D](y)", "g * (exp(y) / sum[D](exp(y)))"),
    ("g * log(sum[D](exp(y)))", "g * logsumexp[D](y)"),
    ("g * (y ^ 2)", "g * (y * y)"),
    ("g * sum[D](y + x)", "g * (sum[D](x) + sum[D](y))"),
];

/// Other functions, or equal under conditions only.
const TWO_FAMILIES: &[(&str, &str)] = &[
    ("x * (y + g)", "x * y + g"),
    ("exp(log(abs(y))) * g", "y * g"),
    ("sqrt(y * y) * g", "y * g"),
    ("g * (y / y)", "g * (1 + y * y - y * y)"),
    ("silu(y) * g", "gelu(y) * g"),
    ("g * shift(exp(y), 1)", "g * exp(shift(y, 1))"),
    ("scan S: [D] = 0 { S <- g * S + y yield S }", "scan S: [D] = 0 { S <- g * S + y yield 2 * S }"),
    ("scan S: [D] = 0 { S <- g * S + y yield S }", "scan S: [D] = 0 { S <- y * S + g yield S }"),
    ("g * sum[D](softmax[D](y) * x)", "g * sum[D](softmax[D](x) * y)"),
];

#[test]
fn laws_of_real_numbers_make_families() {
    let mut whole = 0;
    for (left, right) in ONE_FAMILY {
        let (a, b) = (design(left), design(right));
        assert_ne!(a.hash(), b.hash(), "{left} | {right}");
        let (first, second) = (FamilyKey::of(&a), FamilyKey::of(&b));
        assert_eq!(first.as_str(), second.as_str(), "{left} | {right}");
        whole += usize::from(!first.is_partial() && !second.is_partial());
    }
    assert!(whole > ONE_FAMILY.len() / 2, "{whole} keys were found within the limits");
}

#[test]
fn what_differs_somewhere_is_no_family() {
    for (a, b) in TWO_FAMILIES {
        assert_ne!(FamilyKey::of(&design(a)), FamilyKey::of(&design(b)), "{a} | {b}");
    }
}

#[test]
fn one_design_has_one_family_however_it_is_spelled() {
    let key = |body: &str| FamilyKey::of(&design(body));
    assert_eq!(key("let a = x * g a + y"), key("y + g * x"));
    assert_eq!(key("max(x, y) * g").to_string().len(), "f1-".len() + 32);
}

proptest! {
    /// Distance is a metric that keeps to [0, 1], with equal designs at 0.
    #[test]
    fn distances_are_those_of_a_metric(a in 0..BODIES.len(), b in 0..BODIES.len(), c in 0..BODIES.len()) {
        let print = |n: usize| Fingerprint::of(&design(BODIES[n]));
        let (a, b, c) = (print(a), print(b), print(c));
        prop_assert_eq!(a.distance(&a), 0.0);
        prop_assert_eq!(a.distance(&b), b.distance(&a));
        prop_assert!((0.0..=1.0).contains(&a.distance(&b)));
        prop_assert!(a.distance(&c) <= a.distance(&b) + b.distance(&c) + 1e-12);
        prop_assert_eq!(a.distance(&b) == 0.0, a == b);
    }
}

/// Bodies of units that have more or less in common.
const BODIES: &[&str] = &[
    "x * (y + g)",
    "x * y + g",
    "silu(y) * g",
    "gelu(y) * g",
    "g * shift(exp(y), 1)",
    "scan S: [D] = 0 { S <- g * S + y yield S }",
    "scan S: [D] = 0 { S <- y * S + g yield 2 * S }",
    "g * softmax[D](y)",
];

#[test]
fn what_has_more_in_common_is_nearer() {
    let print = |body: &str| Fingerprint::of(&design(body));
    let far = |a: &str, b: &str| print(a).distance(&print(b));
    assert_eq!(far("x * y * g", "g * (y * x)"), 0.0, "order does not count");
    assert!(far("silu(y) * g", "gelu(y) * g") < far("silu(y) * g", BODIES[5]));
    assert!(far(BODIES[5], BODIES[6]) < far(BODIES[5], BODIES[7]));
    assert!(far(BODIES[5], BODIES[7]) > 0.2);
}

#[test]
fn a_key_that_was_found_once_is_the_one_that_is_found() {
    let (families, designs) = (Families::default(), ONE_FAMILY.iter().map(|(one, _)| design(one)).collect::<Vec<_>>());
    let expected: Vec<FamilyKey> = designs.iter().map(FamilyKey::of).collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..2 {
                    assert_eq!(designs.iter().map(|design| families.key(design)).collect::<Vec<_>>(), expected);
                }
            });
        }
    });
}

/// Shipped designs, mechanisms, and texts that are none, each with its fingerprint.
static PRINTS: LazyLock<Vec<(String, Option<Fingerprint>)>> = LazyLock::new(|| {
    let designs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../designs");
    let names = ["gpt", "gla", "mamba2", "octave", "retnet", "mechanisms/moe", "mechanisms/rwkv4", "mechanisms/vq"];
    let shipped = names.map(|name| std::fs::read_to_string(format!("{designs}/{name}.gau")).unwrap());
    let broken = ["design A {".to_owned(), shipped[0].replacen("unit", "unti", 1)];
    let texts = shipped.into_iter().chain(broken);
    texts.map(|text| (text.clone(), checked(&text).map(|design| Fingerprint::of(&design)))).collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_fingerprint_that_was_found_once_is_the_one_that_is_found(asked in prop::collection::vec(0..10_usize, 1..30)) {
        let (prints, reads) = (Fingerprints::default(), AtomicUsize::new(0));
        let read = |text: &str| {
            reads.fetch_add(1, Ordering::SeqCst);
            checked(text)
        };
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for (text, expected) in asked.iter().map(|at| &PRINTS[*at]) {
                        assert_eq!(prints.print(text, read).as_deref(), expected.as_ref());
                    }
                });
            }
        });
        let texts: BTreeSet<usize> = asked.iter().copied().collect();
        prop_assert_eq!(reads.into_inner(), texts.len(), "each text is read once");
    }
}

#[test]
fn what_fingerprints_are_tried_on_has_designs_that_differ_and_texts_that_are_none() {
    let found: BTreeSet<String> = PRINTS.iter().map(|(_, print)| format!("{print:?}")).collect();
    assert_eq!((PRINTS.len(), found.len()), (10, 9), "eight designs, and one answer for both texts that are none");
}

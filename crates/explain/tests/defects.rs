//! Defects that published designs, and designs derived from them, are known to have: each is refused or told.

#![allow(clippy::unwrap_used, reason = "a test")]

use genesys_compiler::{CheckedText, check_text};
use genesys_explain::{explain, to_text};

fn checked(body: &str) -> CheckedText {
    check_text(
        "defect",
        &format!(
            "design T {{ stack = [Block*] }}\nunit Block<H = 4, E = D / 4, N = 1>(x: Seq[D]) -> Seq[D] {{\n{body}\n}}\n"
        ),
    )
}

/// Holds that a body is refused with that code.
fn refused(body: &str, code: &str) {
    let found = checked(body);
    assert!(found.design.is_none(), "nothing is wrong in\n{body}");
    let codes: Vec<&str> = found.diagnostics.iter().map(|diagnostic| diagnostic.code.as_str()).collect();
    assert!(codes.contains(&code), "{codes:?} in\n{body}");
}

/// What is said of a text that checks.
fn told(text: &CheckedText) -> String {
    to_text(&explain(text, text.design.as_ref().unwrap(), None).unwrap())
}

#[test]
fn no_unit_reads_another_item() {
    refused("x + take[Batch](x, 0)", "unknown-name");
}

#[test]
fn no_mean_over_the_sequence_leaks_the_future() {
    refused("x - mean[T](x)", "unknown-name");
    refused("x * shift(x, -1)", "negative-offset");
    refused("let m = mean[Past](past(x))\nparam p: [D] = 1\nscan S: [D] = m {\nS <- S * p\nyield S\n}", "not-constant");
}

#[test]
fn side_values_arrive() {
    let text = "design T { stack = [A, B] }\nunit A(x: Seq[D]) -> Seq[D] {\n    x * 2\n}\n\
                unit B(x: Seq[D], v1: Seq[D]) -> Seq[D] {\n    x + v1\n}\n";
    assert!(check_text("t", text).design.is_none(), "nothing gives `v1`");
}

#[test]
fn units_that_are_never_reached_are_told() {
    let text = "design T { stack = [A] }\nunit A(x: Seq[D]) -> Seq[D] {\n    x * 2\n}\nunit B(x: Seq[D]) -> Seq[D] {\n    A(x)\n}\n";
    assert!(told(&check_text("t", text)).contains("the unit `B` is never reached"));
}

#[test]
fn parameters_without_a_gradient_are_refused() {
    refused("x * (linear[D -> D](x) > 0)", "untrainable");
    refused("x + 0 * linear[D -> D](x)", "inert-weight");
    refused("let dead = linear[D -> D](x)\nx", "dead-code");
}

#[test]
fn a_query_that_cancels_is_told() {
    let body = "let q = softplus(linear[D -> H, N](x))\nlet k = softplus(linear[D -> H, N](x))\nlet v = linear[D -> H, E](x)\n\
                let y = scan S: [H, N, E] = 0, Z: [H, N] = 0 {\nS <- S + outer(k, v)\nZ <- Z + k\n\
                yield dot[N](q, S) / dot[N](q, Z)\n}\nx + linear[H, E -> D](y)";
    let said = told(&checked(body));
    assert!(said.contains("the weight `q.weight` of `Block` is suspected inert"), "{said}");
    assert!(!said.contains("`k.weight` of `Block` is suspected"), "{said}");
}

#[test]
fn weights_that_sum_to_one_of_equal_terms_are_refused() {
    refused("let gate = softmax[H](linear[D -> H](x))\nsum[H](outer(gate, linear[D -> D](x)))", "inert-weight");
}

#[test]
fn two_texts_of_one_program_are_one_design() {
    let hash = |body: &str| checked(body).design.unwrap().hash().to_string();
    assert_eq!(
        hash("let q = linear[D -> D](x)\nx + q * 2"),
        hash("let other = linear[D -> D](x)\nlet y = 2 * other\ny + x")
    );
}

//! Units as texts, and what is proven of them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;

use genesys_check::{CheckedDesign, Library, check};
use genesys_cost::Program;
use genesys_scalar::Function;
use genesys_span::Sources;
use genesys_syntax::ast::File;
use proptest::prelude::*;

use crate::{Fails, Interval, Ranges, Verdict, doubts, growth};

fn read(name: &str, text: &str) -> (Sources, File) {
    let mut sources = Sources::default();
    sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
    let id = sources.add(name, text);
    let file = genesys_syntax::parse(&sources, id).file;
    (sources, file)
}

fn design(text: &str) -> CheckedDesign {
    checked(text).unwrap_or_else(|diagnostics| panic!("{text}\n{diagnostics}"))
}

/// The design of a text, or what the checker says.
fn checked(text: &str) -> Result<CheckedDesign, String> {
    let mut sources = Sources::default();
    let id = sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
    let library = Library::new(genesys_syntax::parse(&sources, id).file);
    let checked = check(&read("t", text).1.into(), &library);
    checked.design.ok_or_else(|| format!("{:#?}", checked.diagnostics))
}

/// A unit `B` of that body, with the axes `H = 4, K = 8, V = 8`.
fn unit(uses: &str, body: &str) -> String {
    format!(
        "use std::{{{uses}}}\ndesign T {{ stack = [B*] }}\n\
         unit B<H = 4, K = 8, V = 8>(x: Seq[D]) -> Seq[D] {{\n{body}\n}}\n"
    )
}

/// Doubts in the body of a unit: `log: value, operand in [0, 1]`.
fn found(body: &str) -> String {
    let design = design(&unit("L2Norm", body));
    let program = Program::new(&design.functions()[0].graph);
    let mut text = String::new();
    for doubt in doubts(&Ranges::new(&program)) {
        let fails = match doubt.fails {
            Fails::Value => "value",
            Fails::Derivative => "derivative",
        };
        writeln!(text, "{} {fails} {}", doubt.function.name(), doubt.operand).unwrap();
    }
    text.trim_end().to_owned()
}

/// The verdict on the one state of a scan.
fn grows(update: &str) -> String {
    let body = format!(
        "let q = linear[D -> H, K](x)\nlet k = L2Norm[K](linear[D -> H, K](x))\nlet v = linear[D -> H, V](x)\n\
         let a = sigmoid(linear[D -> H](x))\nlet w = linear[D -> H](x)\nlet b = 2 * sigmoid(linear[D -> H](x))\n\
         let y = scan S: [H, K, V] = 0 {{\n{update}\nyield dot[K](q, S)\n}}\n\
         linear[H, V -> D](y + v * (a + w + b + sum[K](k)))"
    );
    let design = design(&unit("L2Norm", &body));
    let program = Program::new(&design.functions()[0].graph);
    let [state] = growth(&Ranges::new(&program)).try_into().unwrap();
    match state.verdict {
        Verdict::NonExpansive(norms) => format!("non-expansive {norms:?}"),
        Verdict::Contractive(factor) => format!("contractive {factor}"),
        Verdict::Neutral => "neutral".into(),
        Verdict::Held => "held".into(),
        Verdict::Unknown { reason, .. } => reason,
    }
}

#[test]
fn functions_that_stay_in_their_domain_raise_no_doubt() {
    for body in [
        "x / sqrt(mean[D](x * x) + 1e-5)",
        "x / sqrt(mean[D](x ^ 2) + 1e-5)",
        "x * exp(-softplus(x))",
        "x / (1 + exp(-abs(x)))",
        "x * log(1 + softplus(x))",
        "x * exp(x - max[D](x))",
        "x * exp(x - logsumexp[D](x))",
        "x / max(abs(x), 1)",
        "x * 10000 ^ (-index[D] / D)",
        "x * exp(log_sigmoid(x) / 16)",
        "x / sqrt(D)",
        "x / D ^ 0.25",
        "x / (where(x > 0, x, exp(min(x, 0))) + 1e-6)",
        "x * sqrt(where(x <= 1, 2 - x, 1))",
        "x + sum[Past](softmax[Past](dot[D](x, past(x)) / sqrt(D)) * past(x))",
    ] {
        assert_eq!(found(body), "", "{body}");
    }
}

#[test]
fn functions_that_may_leave_their_domain_are_told_with_the_operand() {
    for (body, doubt) in [
        ("x * log(x)", "log value (-inf, inf)"),
        ("x * log(sigmoid(x))", "log value [0, 1]"),
        ("x * sqrt(abs(x))", "sqrt derivative [0, inf)"),
        ("x / sqrt(mean[D](x * x))", "sqrt derivative [0, inf)\ndiv value [0, inf)"),
        ("x * exp(x)", "exp value (-inf, inf)"),
        ("x * log1p(-sigmoid(x))", "log1p value [-1, 0]"),
        ("x / sum[D](x)", "div value (-inf, inf)"),
        ("x * sigmoid(x) ^ (1 / 16)", "pow derivative [0, 1]"),
        ("x * sqrt(mean[D](x * x) - mean[D](x) ^ 2 + 1e-5)", "sqrt value (-inf, inf)"),
        ("x * (2 - x) ^ 0.5", "pow value (-inf, inf)"),
        ("x * inv_softplus(relu(x))", "inv_softplus value [0, inf)"),
    ] {
        assert_eq!(found(body), doubt, "{body}");
    }
}

#[test]
fn transitions_are_held_to_their_norms() {
    let all = "non-expansive {One, Two, Infinity}";
    for (update, verdict) in [
        ("S <- a * S + outer(k, v)", all),
        ("S <- S + outer(k, v)", "neutral"),
        ("S <- 0.9 * S + outer(k, v)", "contractive 0.9"),
        ("S <- S + a * (outer(k, v) - S)", all),
        ("S <- a * S + (1 - a) * outer(k, v)", all),
        ("S <- w * S + outer(k, v)", "the factor of the state is in (-inf, inf), not in [-1, 1]"),
        ("S <- S - outer(b * k, dot[K](k, S)) + outer(b * k, v)", "non-expansive {Two}"),
        ("S <- S + outer(k, b * (v - dot[K](k, S)))", "non-expansive {Two}"),
        ("S <- a * (S - outer(b * k, dot[K](k, S))) + outer(k, v)", "non-expansive {Two}"),
        ("S <- a * S\nS <- S - outer(b * k, dot[K](k, S)) + outer(k, v)", "non-expansive {Two}"),
        (
            "S <- a * S\nS <- S - outer(2 * b * k, dot[K](k, S)) + outer(k, v)",
            "the rate of the update is in [0, 4], not in [0, 2]",
        ),
        ("S <- S - outer(q, dot[K](q, S)) + outer(k, v)", "the key is not of length at most 1: `L2Norm` makes it so"),
        ("S <- tanh(S) + outer(k, v)", "the state goes through `tanh`"),
        ("S <- max(S - a, outer(k, v))", "non-expansive {Infinity}"),
    ] {
        assert_eq!(grows(update), verdict, "{update}");
    }
}

#[test]
fn a_convex_update_bounds_its_state() {
    let body = "let a = sigmoid(x)\nscan S: [D] = 0 {\nS <- a * S + (1 - a) * tanh(x)\nyield S\n}";
    let design = design(&unit("L2Norm", body));
    let program = Program::new(&design.functions()[0].graph);
    let [state] = growth(&Ranges::new(&program)).try_into().unwrap();
    assert_eq!(state.interval, Interval::new(-1.0, 1.0));
}

#[test]
fn every_standard_unit_is_proven() {
    let units = genesys_stdlib::TEXT.lines().filter_map(|line| line.strip_prefix("unit "));
    let names: Vec<&str> = units.filter_map(|rest| rest.split(['<', '(']).next()).collect();
    for name in &names {
        let texts = ["(x)", "[D](x)"].map(|call| unit(&names.join(", "), &format!("{name}{call}")));
        let design = texts.iter().find_map(|text| checked(text).ok());
        let design = design.unwrap_or_else(|| panic!("the standard unit `{name}` takes more than a sequence"));
        let program = Program::new(&design.functions()[0].graph);
        assert_eq!(doubts(&Ranges::new(&program)), [], "{name}");
    }
}

/// An interval and a number in it.
fn inside() -> impl Strategy<Value = (Interval, f64)> {
    let bound = prop_oneof![Just(f64::NEG_INFINITY), Just(f64::INFINITY), -5.0..5.0, Just(0.0), Just(1.0), Just(2.0)];
    (bound.clone(), bound, 0.0..=1.0).prop_filter_map("holds no number", |(a, b, part): (f64, f64, f64)| {
        let (low, high) = (a.min(b), a.max(b));
        let (near, far) = (low.clamp(-9.0, 9.0), high.clamp(-9.0, 9.0));
        let value = near + (far - near) * part;
        (low <= value && value <= high).then_some((Interval::new(low, high), value))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn images_hold_the_values(args in prop::array::uniform3(inside())) {
        for function in Function::ALL {
            let args = &args[..function.arity()];
            let value = function.eval(&args.iter().map(|(_, x)| *x).collect::<Vec<_>>());
            if !value.is_finite() {
                continue;
            }
            let intervals: Vec<Interval> = args.iter().map(|(interval, _)| *interval).collect();
            let image = Interval::image(function, &intervals);
            let slack = 1e-9 * (1.0 + value.abs());
            prop_assert!(image.low - slack <= value && value <= image.high + slack, "{function:?} {args:?}: {value} not in {image}");
        }
    }
}

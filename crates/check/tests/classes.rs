//! The classes of published updates, from their text.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use genesys_check::class::{Kind, Readout, ScanClass, Write, classify};
use genesys_check::core::Graph;
use genesys_check::{Library, check};
use genesys_span::Sources;

/// The graph of a unit with heads `H`, keys `K`, values `V` and gates of the input.
fn graph(scan: &str) -> Graph {
    let text = format!(
        "use std::{{L2Norm}}
design Test {{ stack = [Block*] }}
unit Block<H = 2, K = 4, J = 4, V = 4, N = 3>(x: Seq[D]) -> Seq[D] {{
    let q = linear[D -> H, K](x)
    let k = linear[D -> H, K](x)
    let kn = L2Norm[K](linear[D -> H, K](x))
    let kn2 = L2Norm[K](linear[D -> H, K](x))
    let v = linear[D -> H, V](x)
    let a = sigmoid(linear[D -> H](x))
    let b = sigmoid(linear[D -> H](x))
    let ak = sigmoid(linear[D -> H, K](x))
    let u = linear[D -> D](x)
    let f = sigmoid(linear[D -> D](x))
    let n = linear[D -> N](x)
    let da = exp(-outer(softplus(x), exp(n)))
    let c = linear[D -> H, K, J](x)
    let li = linear[D -> H](x)
    let lf = log_sigmoid(li)
    let y = {scan}
    let all = sum[H, K](q * k + kn * kn2 + ak) + sum[H](a + b + li + lf) + sum[N](n) + sum[H, V](v) + sum[H, K, J](c)
    x + u + f + sum[N](da) + all + y
}}
"
    );
    let mut sources = Sources::default();
    let std = sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
    let std = Library::new(genesys_syntax::parse(&sources, std).file);
    let file = sources.add("", text);
    let parsed = genesys_syntax::parse(&sources, file);
    assert!(parsed.diagnostics.is_empty(), "{scan}: {:?}", parsed.diagnostics);
    let checked = check(&Arc::new(parsed.file), &std);
    let design = checked.design.unwrap_or_else(|| panic!("{scan}: {:?}", checked.diagnostics));
    design.functions()[0].graph.clone()
}

/// The classes of a scan's components, by the names of their states.
fn classes(scan: &str) -> (Graph, ScanClass, String) {
    let graph = graph(scan);
    let [class] = classify(&graph).try_into().unwrap();
    let mut lines = Vec::new();
    for component in &class.components {
        let names = component.states.iter().map(|i| graph.scan(class.scan).states[*i as usize].name.as_str());
        let axes = match &component.kind {
            Kind::Diagonal(axes) => {
                let mut names: Vec<&str> = axes.iter().map(|axis| graph.axis(*axis).name.as_str()).collect();
                names.sort_unstable();
                format!("[{}]", names.join(","))
            }
            _ => String::new(),
        };
        lines.push(format!("{}: {}{axes}", names.collect::<Vec<_>>().join("+"), component.kind));
    }
    lines.sort();
    let across = class.across.as_ref().map_or(String::new(), |chunk| format!(" across {chunk}"));
    let line = format!("{}{across}", lines.join("; "));
    (graph, class, line)
}

const STATE: &str = "scan S: [H, K, V] = 0 { ";

type Rows = Vec<(&'static str, String, &'static str)>;

/// Updates that are linear in one state.
fn linear_updates() -> Rows {
    let read = " yield sum[H, V](dot[K](q, S)) }";
    // Keys and queries that all heads share.
    let shared = "yield sum[H, V](dot[K](sum[H](q), S)) }";
    vec![
        ("linear attention", format!("{STATE}S <- S + outer(k, v){read}"), "S: identity"),
        ("RetNet", format!("{STATE}S <- a * S + outer(k, v){read}"), "S: scalar"),
        ("Mamba-2", format!("{STATE}S <- a * S + outer(sum[H](k), b * v) {shared}"), "S: scalar"),
        ("Mamba-2, a gate a key", format!("{STATE}S <- ak * S + outer(sum[H](k), b * v) {shared}"), "S: diagonal[K]"),
        ("a gate a value", format!("{STATE}S <- sigmoid(v) * S + outer(k, v){read}"), "S: diagonal[V]"),
        (
            "GLA, read behind the scan",
            format!("sum[H, V](dot[K](q, {STATE}S <- ak * S + outer(k, v) yield S }}))"),
            "S: diagonal[K]",
        ),
        ("a vector a head", "sum[H, K](scan S: [H, K] = 0 { S <- a * S + k yield S })".into(), "S: scalar"),
        ("GLA", format!("{STATE}S <- ak * S + outer(k, v){read}"), "S: diagonal[K]"),
        ("Mamba-1", "scan S: [D, N] = 0 { S <- da * S + outer(u, n) yield dot[N](n, S) }".into(), "S: diagonal[D,N]"),
        ("HGRN, minGRU", "scan S: [D] = 0 { S <- f * S + (1 - f) * u yield S }".into(), "S: diagonal[D]"),
        ("DeltaNet", format!("{STATE}S <- S - outer(b * kn, dot[K](kn, S) - v){read}"), "S: householder"),
        (
            "gated delta rule",
            format!("{STATE}S <- a * S S <- S - outer(b * kn, dot[K](kn, S) - v){read}"),
            "S: diagonal plus low rank (1)",
        ),
        (
            "the same in one line",
            format!("{STATE}S <- a * S - a * b * outer(kn, dot[K](kn, S)) + b * outer(kn, v){read}"),
            "S: diagonal plus low rank (1)",
        ),
        (
            "KDA",
            format!("{STATE}S <- ak * S S <- S - outer(b * kn, dot[K](kn, S) - v){read}"),
            "S: diagonal plus low rank (1)",
        ),
        (
            "RWKV-7",
            format!("{STATE}S <- ak * S - outer(ak * kn, dot[K](kn, S)) + outer(k, v){read}"),
            "S: diagonal plus low rank (1)",
        ),
        (
            "a linear recurrence",
            "scan S: [H, K] = 0 { S <- (dot[K](c, S) as [J -> K]) + k yield sum[H, K](q * S) }".into(),
            "S: dense",
        ),
    ]
}

/// Updates that are not, of several states, and in chunks.
fn other_updates() -> Rows {
    vec![
        ("a nonlinear one", "scan S: [D] = 0 { S <- tanh(f * S + u) yield S }".into(), "S: nonlinear"),
        (
            "GRU",
            "scan S: [H, K] = 0 { let z = sigmoid(dot[K](c, S) as [J -> K]) S <- z * S + (1 - z) * k yield sum[H, K](q * S) }"
                .into(),
            "S: nonlinear",
        ),
        ("a square", "scan S: [D] = 0 { S <- S * S + u yield S }".into(), "S: nonlinear"),
        (
            "mLSTM",
            "scan M: [H] = 0, S: [H, K, V] = 0, Z: [H, K] = 0 {
                let before = M
                M <- max(lf + M, li)
                let forget = exp(lf + before - M)
                S <- forget * S + outer(exp(li - M) * k, v)
                Z <- forget * Z + exp(li - M) * k
                yield sum[H, V](dot[K](q, S)) / max(abs(sum[H](dot[K](q, Z))), 1) }"
                .into(),
            "M: max-plus; S: scalar; Z: scalar",
        ),
        (
            "GSA",
            "scan S: [K, N] = 0, Z: [N, V] = 0 {
                S <- sigmoid(n) * S + outer(sum[H](k), n)
                Z <- sigmoid(n) * Z + outer(n, sum[H](v))
                yield sum[V](dot[N](softmax[N](dot[K](sum[H](q), S)), Z)) }"
                .into(),
            "S: diagonal[N]; Z: diagonal[N]",
        ),
        (
            "Mesa",
            "scan S: [H, K, J] = 0, Z: [H, K, V] = 0 {
                S <- a * S + outer(k, k as [K -> J])
                Z <- a * Z + outer(k, v)
                yield sum[H, V](dot[K](q, Z)) + sum[H, J](dot[K](q, S)) }"
                .into(),
            "S: scalar; Z: scalar",
        ),
        (
            "TTT-Linear",
            "scan S: [H, K, V] = 0, Z: [H, K, V] = 0 reset every 4 {
                Z <- Z + grad(sum[H, V]((dot[K](k, start(S)) - v) ^ 2), start(S))
                S <- start(S) - a * Z
                yield sum[H, V](dot[K](q, S)) }"
                .into(),
            "S: free; Z: identity across 4",
        ),
        (
            "Titans",
            "scan S: [H, K, V] = 0, Z: [H, K, V] = 0 every 4 {
                Z <- a * Z - b * grad(sum[H, V]((dot[K](k, start(S)) - v) ^ 2), start(S))
                S <- b * S + Z
                yield sum[H, V](dot[K](q, S)) }"
                .into(),
            "S: scalar; Z: scalar across 4",
        ),
        (
            "Titans, a step a position",
            "scan S: [H, K, V] = 0, Z: [H, K, V] = 0 {
                Z <- a * Z - b * outer(k, dot[K](k, S))
                S <- b * S + Z
                yield sum[H, V](dot[K](q, S)) }"
                .into(),
            "S+Z: coupled linear",
        ),
    ]
}

#[test]
fn published_updates_have_their_class() {
    for (name, scan, expected) in linear_updates().into_iter().chain(other_updates()) {
        let (_, _, found) = classes(&scan);
        assert_eq!(found, expected, "{name}");
    }
}

/// The normal form adds what is added into one sum; the steps of a product may have become its terms.
#[test]
fn steps_of_reflections_are_no_simpler_than_low_rank() {
    let step = |k: &str| format!("S <- S - outer(b * {k}, dot[K]({k}, S) - v)");
    let (_, class, _) = classes(&format!("{STATE}{} {} yield sum[H, V](dot[K](q, S)) }}", step("kn"), step("kn2")));
    assert!(!class.components[0].kind.is_within("householder"), "{class:?}");
    assert!(class.components[0].kind.is_within("dense"), "{class:?}");
}

#[test]
fn writes_and_readouts() {
    let facts = |scan: &str| {
        let (_, class, _) = classes(scan);
        (class.components[0].write, class.components[0].readout)
    };
    let outer = format!("{STATE}S <- a * S + outer(k, v) yield sum[H, V](dot[K](q, S)) }}");
    assert_eq!(facts(&outer), (Write::Outer, Readout::Contracted));
    let whole = "scan S: [D] = 0 { S <- f * S + u yield tanh(S) }";
    assert_eq!(facts(whole), (Write::Full, Readout::Whole));
}

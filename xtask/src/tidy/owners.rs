//! Each foreign crate has one owner; the few that are shared say why.
//!
//! In: what cargo knows of the packages. Out: findings. An owner wraps the foreign crate, so that replacing it changes
//! one place. A new dependency is a new line here, which makes it a decision.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Metadata};

use super::Finding;

/// Who may use a foreign crate.
enum Owner {
    /// This package alone.
    One(&'static str),
    /// These packages, for a reason.
    Shared(&'static [&'static str], &'static str),
    /// Any package.
    All,
    /// The tests of any package.
    Tests,
    /// The tests of any package, and this one.
    TestsAnd(&'static str),
}

/// Every foreign crate that the workspace names.
const OWNERS: &[(&str, Owner)] = &[
    ("annotate-snippets", Owner::One("genesys-diag")),
    ("biblatex", Owner::One("genesys-literature")),
    // The one hash function: ids of designs, events, files and random streams are made with it.
    ("blake3", Owner::All),
    (
        "candle-core",
        Owner::Shared(
            &[
                "genesys-macros",
                "genesys-runtime",
                "genesys-layer",
                "genesys-literature",
                "genesys-local",
                "genesys-train",
                "genesys-cli",
                "tests",
            ],
            "tensors are what the runtime hands up to those who train and to those who write results; embeddings and language models run on them",
        ),
    ),
    (
        "candle-nn",
        Owner::Shared(
            &[
                "genesys-macros",
                "genesys-runtime",
                "genesys-layer",
                "genesys-literature",
                "genesys-local",
                "genesys-train",
                "tests",
            ],
            "a compiled design is a `candle_nn::Module`, training goes over its variables, embeddings and language models are made of its operations",
        ),
    ),
    ("candle-transformers", Owner::One("genesys-literature")),
    ("cargo_metadata", Owner::One("xtask")),
    ("clap", Owner::One("genesys-cli")),
    ("criterion", Owner::One("benches")),
    ("egg", Owner::One("genesys-family")),
    ("faer", Owner::One("benches")),
    ("foldhash", Owner::One("genesys-check")),
    ("gemm", Owner::One("benches")),
    ("hashbrown", Owner::One("genesys-check")),
    ("html5gum", Owner::Tests),
    ("httpdate", Owner::One("genesys-llm")),
    ("indicatif", Owner::One("genesys-cli")),
    ("inferno", Owner::One("genesys-profile")),
    ("libm", Owner::One("genesys-scalar")),
    ("lsp-server", Owner::One("genesys-lsp")),
    ("lsp-types", Owner::One("genesys-lsp")),
    ("maud", Owner::One("genesys-report")),
    ("memmap2", Owner::One("genesys-data")),
    (
        "mimalloc",
        Owner::Shared(
            &["genesys-cli", "benches"],
            "the program's allocator, and that of what is measured as the program runs it",
        ),
    ),
    ("num-rational", Owner::One("genesys-axis")),
    ("num-traits", Owner::One("genesys-axis")),
    ("pdf-extract", Owner::One("genesys-literature")),
    ("pest", Owner::One("genesys-syntax")),
    ("pest_derive", Owner::One("genesys-syntax")),
    ("petgraph", Owner::One("genesys-opt")),
    (
        "proc-macro2",
        Owner::Shared(&["genesys-macros", "xtask"], "tokens of Rust: macros make them, and tidy reads them"),
    ),
    ("proptest", Owner::TestsAnd("genesys-strategies")),
    // Beside its owner, tests of other crates read the XML that those write.
    ("quick-xml", Owner::TestsAnd("genesys-literature")),
    ("quote", Owner::One("genesys-macros")),
    ("reqwest", Owner::One("genesys-llm")),
    (
        "rusqlite",
        Owner::Shared(
            &["genesys-literature", "genesys-store"],
            "a log that must never lose an event and an index that can always be made again have nothing in common",
        ),
    ),
    ("rustls", Owner::One("genesys-llm")),
    ("safetensors", Owner::One("genesys-train")),
    // The data model of everything written as JSON, and the one JSON.
    ("serde", Owner::All),
    ("serde_json", Owner::All),
    ("signal-hook", Owner::One("genesys-cli")),
    ("similar", Owner::One("genesys-report")),
    (
        "smallvec",
        Owner::Shared(&["genesys-axis", "genesys-check"], "sizes and sets of axes are small, and made for every node"),
    ),
    (
        "strsim",
        Owner::Shared(
            &["genesys-check", "genesys-literature"],
            "names in a text and keys of works are misspelled alike",
        ),
    ),
    ("syn", Owner::One("genesys-macros")),
    ("tempfile", Owner::Tests),
    // Counts tokens as models do, which no program of ours has to.
    ("tiktoken-rs", Owner::Tests),
    (
        "tokenizers",
        Owner::Shared(
            &["genesys-literature", "genesys-tokenize"],
            "an embedding model comes with a tokenizer of its own, which is no language model's",
        ),
    ),
    ("tokio", Owner::One("genesys-llm")),
    ("walkdir", Owner::One("genesys-data")),
];

/// Findings about foreign crates without an owner, used by others than their owners, or owned and unused.
pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for package in &metadata.packages {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.source.is_some()) {
            used.insert(dependency.name.as_str());
            let is_test = dependency.kind == DependencyKind::Development;
            if let Some(message) = complaint(&dependency.name, package.name.as_str(), is_test) {
                findings.push(Finding { path: format!("the manifest of {}", package.name), line: 0, message });
            }
        }
    }
    for (name, _) in OWNERS.iter().filter(|(name, _)| !used.contains(name)) {
        let message = format!("`{name}` has an owner but no user: take it off the list");
        findings.push(Finding { path: "xtask/src/tidy/owners.rs".to_owned(), line: 0, message });
    }
    findings
}

/// What is wrong with `package` using the foreign crate `name`, if anything.
fn complaint(name: &str, package: &str, is_test: bool) -> Option<String> {
    let Some((_, owner)) = OWNERS.iter().find(|(known, _)| *known == name) else {
        return Some(format!("the foreign crate `{name}` has no owner: name one in xtask/src/tidy/owners.rs"));
    };
    match owner {
        Owner::One(one) if *one == package => None,
        Owner::One(one) => Some(format!("`{name}` belongs to {one}: use it through that crate")),
        Owner::Shared(users, _) if users.contains(&package) => None,
        Owner::Shared(users, why) => Some(format!("`{name}` belongs to {}: {why}", users.join(", "))),
        Owner::All => None,
        Owner::Tests | Owner::TestsAnd(_) if is_test => None,
        Owner::TestsAnd(one) if *one == package => None,
        Owner::Tests | Owner::TestsAnd(_) => Some(format!("`{name}` is for tests: make it a dev-dependency")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_crate_is_used_by_its_owner_only() {
        assert_eq!(complaint("clap", "genesys-cli", false), None);
        assert!(complaint("clap", "genesys-train", false).is_some());
        assert!(complaint("tempfile", "genesys-store", false).is_some());
        assert_eq!(complaint("proptest", "genesys-strategies", false), None);
        assert!(complaint("proptest", "genesys-genetic", false).is_some());
        assert_eq!(complaint("tempfile", "genesys-store", true), None);
        assert!(complaint("left-pad", "genesys-cli", false).is_some());
    }

    #[test]
    fn the_list_is_sorted_and_names_each_crate_once() {
        assert!(OWNERS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}

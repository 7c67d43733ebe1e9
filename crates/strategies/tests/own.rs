//! Operators of a user: the laws find each way to break them, and shrink it.

#![allow(clippy::unwrap_used)]

mod common;
/// The example that the README shows, compiled and run as it stands.
#[path = "../examples/own_operator.rs"]
mod own_operator;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{CONTEXT, DESIGNS, read};
use genesys_check::CheckedDesign;
use genesys_strategies::{Failure, Operator, Plan, hold};
use genesys_syntax::ast::{ExprKind, FieldValue, File, ItemKind};
use genesys_syntax::{print, walk_exprs_mut};

const PLAN: Plan = Plan { children: 30, depth: 3, kept: None };

fn failure(operator: &impl Operator) -> Failure {
    *hold(operator, &DESIGNS, &CONTEXT, PLAN).unwrap_err()
}

#[test]
fn the_example_runs_and_the_readme_shows_it() {
    own_operator::main();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = fs::read_to_string(root.join("examples/own_operator.rs")).unwrap();
    let shown = &example[example.find("use genesys_check").unwrap()..];
    let readme = fs::read_to_string(root.join("../../README.md")).unwrap();
    assert!(readme.contains(&format!("```rust\n{shown}```\n")), "README.md shows another text than the example's");
}

#[test]
fn what_does_not_check_is_found_from_the_smallest_design() {
    let breaks = |parent: &CheckedDesign, _: u64| {
        let mut file = File::clone(parent.file());
        walk_exprs_mut(&mut file, &mut |e| {
            if let ExprKind::Name(name) = &mut e.kind {
                name.text = "nothing".into();
            }
        });
        Some(file)
    };
    let failure = failure(&breaks);
    assert!(failure.message.contains("the child does not check") && failure.message.contains("`nothing`"), "{failure}");
    assert!(failure.input.contains("Walk { start: 0, steps: [] }"), "{failure}");
}

#[test]
fn a_failure_of_rare_designs_shrinks_to_the_steps_that_make_one() {
    // Breaks designs that do not tie their embedding only, which takes one step from the shipped ones.
    let unties = |parent: &CheckedDesign| {
        parent.file().items.iter().any(|item| match &item.kind {
            ItemKind::Design(design) => {
                design.fields.iter().any(|field| matches!(field.value, FieldValue::Bool(false)))
            }
            ItemKind::Use(_) | ItemKind::Unit(_) => false,
        })
    };
    let breaks = move |parent: &CheckedDesign, _: u64| {
        if unties(parent) { Some(read("design A { stack = [] }")) } else { toggled(parent) }
    };
    let plan = Plan { children: 300, ..PLAN };
    let failure = hold(&breaks, &DESIGNS, &CONTEXT, plan).unwrap_err();
    assert_eq!(failure.input.matches("seed: ").count(), 1, "one step is enough: {failure}");
}

/// The design with its embedding tied otherwise.
fn toggled(parent: &CheckedDesign) -> Option<File> {
    let mut file = File::clone(parent.file());
    for item in &mut file.items {
        if let ItemKind::Design(design) = &mut item.kind {
            for field in &mut design.fields {
                if let FieldValue::Bool(tied) = &mut field.value {
                    *tied = !*tied;
                }
            }
        }
    }
    (print(&file) != print(parent.file())).then_some(file)
}

#[test]
fn what_means_the_same_is_found() {
    let renames = |parent: &CheckedDesign, _: u64| {
        let mut file = File::clone(parent.file());
        for item in &mut file.items {
            if let ItemKind::Design(design) = &mut item.kind {
                design.name.text.push('2');
            }
        }
        Some(file)
    };
    assert!(failure(&renames).message.contains("means what its parent means"));
}

#[test]
fn what_does_not_run_where_the_parent_runs_is_found() {
    let narrows = |_: &CheckedDesign, _: u64| {
        Some(read(
            "design A { stack = [B*] }\nunit B<K = D / 128>(x: Seq[D]) -> Seq[D] {\n\
             linear[K -> D](shift(linear[D -> K](x), 1)) }",
        ))
    };
    let message = failure(&narrows).message;
    assert!(message.contains("the parent runs at nano, but the child does not"), "{message}");
}

#[test]
fn what_another_call_gives_otherwise_is_found() {
    let calls = AtomicU64::new(0);
    let drifts = |parent: &CheckedDesign, _: u64| {
        let mut file = toggled(parent)?;
        file.docs = vec![format!("call {}", calls.fetch_add(1, Ordering::Relaxed))];
        Some(file)
    };
    assert!(failure(&drifts).message.contains("one seed gave two children"));
}

#[test]
fn a_tree_that_no_text_has_is_found() {
    let minus = |parent: &CheckedDesign, _: u64| {
        let mut file = File::clone(parent.file());
        let mut changed = false;
        walk_exprs_mut(&mut file, &mut |e| {
            if let ExprKind::Number { value, text } = &mut e.kind
                && *value > 0.0
                && !changed
            {
                *value *= 2.0;
                text.push_str("e0");
                changed = true;
            }
        });
        changed.then_some(file)
    };
    assert!(failure(&minus).message.contains("the child's text is not the child"));
}

#[test]
fn an_operator_that_never_acts_proves_nothing() {
    let idle = |_: &CheckedDesign, _: u64| None;
    assert!(failure(&idle).message.contains("gave 0 children"));
}

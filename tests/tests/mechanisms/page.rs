//! `docs/mechanisms.md`: the table with the state of each mechanism and the error that was measured. The section on peers
//! behind it is kept: `cargo xtask peers` writes that, and `tests/tests/peers.rs` holds it.
//!
//! `UPDATE_GOLDENS=1 cargo test -p tests --test mechanisms page` measures and writes it. What is
//! measured differs in its last digits from machine to machine, so it is not compared.

use std::collections::BTreeSet;

use genesys_axis::Domain;
use genesys_ir::module::{Module, Op, Region, StateClass};

use crate::hold::{Row, root};
use crate::table::ROWS;

/// Mechanisms that the language cannot say yet, and why.
const MISSING: &[(&str, &str)] = &[
    (
        "PaTH over the whole past",
        "between a key and its query stands a product of maps, so every key of the past moves at every position; a state \
         has the same shape at every position, and cannot hold a past. Over a window it can: `path_window`.",
    ),
    (
        "softmax over depth across the whole stack",
        "a block sees the nearest earlier value of a name, and their number would grow with depth; within a group of \
         layers it can be said: `depth_softmax`.",
    ),
];

/// Where the section begins that another command writes.
const PEERS: &str = "\n## Against transformers";

const HEAD: &str = "\
# The library of mechanisms

Each row is a unit of a design in `designs/`, held to the formulas of its paper as `tests/tests/mechanisms/reference`
writes them out in plain loops over one item: outputs, what the states of scans hold at the end, what the unit adds to the
training loss over two of them, and the gradients of every weight and of the input, which a small tape takes through the
loops. The error is the largest of them in f32, as RMS of the difference by RMS of the value; in f64 all are below 1e-9, and
a test fails above 0.005.

This page is written by `UPDATE_GOLDENS=1 cargo test -p tests --test mechanisms page`; its rows are held to the table in
`tests/tests/mechanisms/table.rs`.

| mechanism | design | unit | state | reference | error |
| --- | --- | --- | --- | --- | --- |
";

/// What a unit keeps from one position to the next.
fn state(module: &Module) -> String {
    let mut found = BTreeSet::new();
    collect(module, &module.functions[0].body, &mut found);
    if found.is_empty() { "none".to_string() } else { found.into_iter().collect::<Vec<_>>().join(", ") }
}

fn collect(module: &Module, region: &Region, found: &mut BTreeSet<String>) {
    for instruction in &region.instructions {
        match &instruction.op {
            Op::Shift { .. } | Op::Window { .. } | Op::Pool { .. } => {
                found.insert("last values".to_string());
            }
            Op::Past { axis, body, .. } => {
                let bounded = matches!(&module.axis(*axis).domain, Domain::Past { window: Some(_), .. });
                found.insert(if bounded { "window" } else { "cache" }.to_string());
                collect(module, body, found);
            }
            Op::Scan { class, body, .. } => {
                let class = match class {
                    StateClass::Diagonal => "diagonal scan",
                    StateClass::General => "general scan",
                };
                found.insert(class.to_string());
                collect(module, body, found);
            }
            _ => {}
        }
    }
}

/// The row up to what is measured.
fn line(row: &Row) -> String {
    let unit = row.unit.split('<').next().unwrap_or(row.unit);
    format!(
        "| {} | [{2}]({1}) | `{unit}` | {3} | `{4}`{5} |",
        row.mechanism,
        format_args!("../designs/{}.gau", row.design),
        row.design.rsplit('/').next().unwrap_or(row.design),
        state(&row.module()),
        row.formula,
        row.loss.as_ref().map_or_else(String::new, |loss| format!(", loss `{}`", loss.formula))
    )
}

fn tail() -> String {
    let mut text = String::new();
    if !MISSING.is_empty() {
        text += "\nWhat the language cannot say yet:\n\n| mechanism | reason |\n| --- | --- |\n";
        for (mechanism, reason) in MISSING {
            text += &format!("| {mechanism} | {reason} |\n");
        }
    }
    text
}

/// The page without the last column of the table.
fn unmeasured(text: &str) -> String {
    let lines = text.lines().map(|line| match line.rsplit_once("` | ") {
        Some((row, _)) if line.starts_with("| ") => format!("{row}` |"),
        _ => line.to_string(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn page_is_the_table() {
    let path = root().join("docs/mechanisms.md");
    let lines: Vec<String> = ROWS.iter().map(line).collect();
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        let measured = |(row, line): (&Row, &String)| format!("{line} {:.0e} |\n", row.errors()[1].0);
        let rows: String = ROWS.iter().zip(&lines).map(measured).collect();
        let page = std::fs::read_to_string(&path).expect("the page is there");
        let peers = page.find(PEERS).map_or("", |at| &page[at..]);
        std::fs::write(&path, format!("{HEAD}{rows}{}{peers}", tail())).expect("the page can be written");
    }
    let page = std::fs::read_to_string(&path).expect("the page is there");
    let found = page.split(PEERS).next().unwrap_or_default();
    let expected = format!("{HEAD}{}\n{}", lines.join("\n"), tail());
    assert_eq!(unmeasured(found).trim_end(), expected.trim_end(), "run with UPDATE_GOLDENS=1");
}

#[test]
fn every_design_of_the_library_has_a_row() {
    let files = std::fs::read_dir(root().join("designs/mechanisms")).expect("the library");
    let names = files.map(|file| file.expect("an entry").file_name().to_string_lossy().replace(".gau", ""));
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.design.replace("mechanisms/", "")).collect();
    let missing: Vec<String> = names.filter(|name| !rows.contains(name)).collect();
    assert!(missing.is_empty(), "no rows of {missing:?}");
}

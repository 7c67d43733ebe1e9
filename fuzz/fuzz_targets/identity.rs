//! The normal form: a design keeps its hash when it is laid out anew, when the values of its units are renamed, and when a
//! `let` that nothing reads is put in front of each body. What does not check has no hash, and is passed over.
#![no_main]

mod tree;

use std::collections::BTreeSet;
use std::sync::Arc;

use genesys_compiler::standard_units;
use genesys_syntax::ast::{Block, ExprKind, File, ItemKind, Stmt, StmtKind, Unit};
use genesys_syntax::{print, walk_exprs_mut};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

/// A name that no text holds.
const UNREAD: &str = "zz_unread";

fn hash(file: File) -> Option<String> {
    genesys_check::check(&Arc::new(file), standard_units()).design.map(|design| design.hash().to_string())
}

/// The tree with an unread value in front of each unit's body.
fn with_dead_lets(mut file: File) -> File {
    let dead = tree::read(&format!("unit U(x: Seq[D]) -> Seq[D] {{ let {UNREAD} = pos * 3\n x }}")).expect("it parses");
    let stmt = units(&mut { dead }).find_map(|unit| unit.body.stmts.pop()).expect("it has a statement");
    units(&mut file).filter(|unit| !unit.is_open()).for_each(|unit| unit.body.stmts.insert(0, stmt.clone()));
    file
}

fn units(file: &mut File) -> impl Iterator<Item = &mut Unit> {
    file.items.iter_mut().filter_map(|item| match &mut item.kind {
        ItemKind::Unit(unit) => Some(unit),
        ItemKind::Use(_) | ItemKind::Design(_) => None,
    })
}

/// The tree with other names for the values that a unit names by a plain `let` alone.
fn renamed(mut file: File) -> File {
    for item in &mut file.items {
        let ItemKind::Unit(unit) = &item.kind else { continue };
        let mut alone = File { items: vec![item.clone()], ..File::default() };
        let mut names = Names::default();
        names.other.extend(unit.params.iter().map(|param| param.name.text.clone()));
        names.other.extend(["pos", "layer", "phase", "_"].map(String::from));
        names.of_block(&unit.body);
        walk_exprs_mut(&mut alone, &mut |expr| match &expr.kind {
            ExprKind::Scan(scan) => {
                names.other.extend(scan.states.iter().map(|state| state.name.text.clone()));
                names.of_block(&scan.body);
            }
            ExprKind::Repeat(repeat) => {
                names.other.extend(repeat.states.iter().map(|state| state.name.text.clone()));
                names.of_block(&repeat.body);
            }
            _ => {}
        });
        let new = |name: &mut String| {
            if names.lets.contains(name) && !names.other.contains(name) {
                name.insert_str(0, "zz_");
            }
        };
        units(&mut alone).for_each(|unit| rename_block(&mut unit.body, &new));
        walk_exprs_mut(&mut alone, &mut |expr| match &mut expr.kind {
            ExprKind::Name(name) => new(&mut name.text),
            ExprKind::Scan(scan) => rename_block(&mut scan.body, &new),
            ExprKind::Repeat(repeat) => rename_block(&mut repeat.body, &new),
            _ => {}
        });
        *item = alone.items.remove(0);
    }
    file
}

/// What a unit names.
#[derive(Default)]
struct Names {
    lets: BTreeSet<String>,
    other: BTreeSet<String>,
}

impl Names {
    fn of_block(&mut self, block: &Block) {
        for Stmt { kind, .. } in &block.stmts {
            match kind {
                StmtKind::Let { name, .. } => _ = self.lets.insert(name.text.clone()),
                StmtKind::LetTuple { names, .. } => self.other.extend(names.iter().map(|name| name.text.clone())),
                StmtKind::Share { name, .. } | StmtKind::Param { name, .. } => _ = self.other.insert(name.text.clone()),
                _ => {}
            }
        }
    }
}

fn rename_block(block: &mut Block, new: &impl Fn(&mut String)) {
    for stmt in &mut block.stmts {
        if let StmtKind::Let { name, .. } = &mut stmt.kind {
            new(&mut name.text);
        }
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { tree::mutate(data, size, max_size, seed) });

fuzz_target!(|text: &str| {
    let Some(tree) = tree::read(text).filter(|_| !text.contains("zz_")) else { return };
    let Some(known) = hash(tree.clone()) else { return };
    let known = Some(known);
    let again = tree::read(&print(&tree)).expect("what is printed parses");
    assert_eq!(hash(again), known, "laid out anew:\n{text}");
    let renamed = renamed(tree.clone());
    assert_eq!(hash(renamed.clone()), known, "renamed:\n{}", print(&renamed));
    let dead = with_dead_lets(tree);
    assert_eq!(hash(dead.clone()), known, "with a dead let:\n{}", print(&dead));
});

//! On designs that check, names mean what the tree says they mean, and nothing is left without a meaning.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use genesys_names::{Kind, Names, Place, Sort, cursor};
use genesys_span::Sources;
use genesys_syntax::ast::{ExprKind, ItemKind};
use genesys_syntax::{parse, walk_exprs};

/// Every design that ships, and the standard units.
fn texts() -> Vec<(String, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = ["designs", "designs/mechanisms", "benches/designs", "crates/stdlib/src"];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let paths = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "gau"));
    let read = |path: PathBuf| (path.display().to_string(), std::fs::read_to_string(path).unwrap());
    let mut texts: Vec<_> = paths.map(read).collect();
    texts.sort();
    assert!(texts.len() > 60, "{}", texts.len());
    texts
}

#[test]
fn every_name_of_the_tree_has_its_declaration() {
    for (path, text) in texts() {
        let mut sources = Sources::default();
        let file = sources.add(&path, &text);
        let tree = parse(&sources, file).file;
        let names = Names::read(&text, file);
        let declared: Vec<&str> = names.units().map(|(_, unit)| &text[unit.name.range()]).collect();
        let units = tree.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Unit(unit) => Some(unit.name.text.as_str()),
            ItemKind::Use(_) | ItemKind::Design(_) => None,
        });
        let units: Vec<&str> = units.collect();
        assert_eq!(declared, units, "{path}");
        walk_exprs(&tree, &mut |expr| {
            let (name, builtin): (_, &[&str]) = match &expr.kind {
                ExprKind::Name(name) => (name, &["pos", "layer", "phase", "D"]),
                ExprKind::Call(call) if units.contains(&call.head.text.as_str()) => (&call.head, &[]),
                _ => return,
            };
            if builtin.contains(&name.text.as_str()) {
                return;
            }
            let mention = names.at(name.span.start).unwrap_or_else(|| panic!("{path}: no mention of {name:?}"));
            assert_eq!(mention.span, name.span, "{path}");
            // A share names a unit of its file, or of the standard ones.
            let declared = mention.declared.map(|number| names.declaration(number));
            let is_std = declared.is_none() && name.text.starts_with(char::is_uppercase);
            assert!(is_std || declared.is_some_and(|known| text[known.name.range()] == name.text), "{path}: {name:?}");
        });
    }
}

#[test]
fn what_has_no_declaration_is_the_languages() {
    for (path, text) in texts() {
        let names = Names::read(&text, Default::default());
        for mention in names.mentions.iter().filter(|mention| mention.declared.is_none()) {
            let word = &text[mention.span.range()];
            let known = match &mention.sort {
                Sort::Axis => ["D", "Past"].contains(&word),
                Sort::Value => ["D", "pos", "layer", "phase"].contains(&word) || word.starts_with(char::is_uppercase),
                Sort::Head | Sort::Unit | Sort::Static { .. } => true,
                Sort::Option { .. } | Sort::Label | Sort::Field | Sort::Role | Sort::Class => true,
                // The second and later names of `let (_, _)`.
                Sort::Declared | Sort::State => false,
            };
            assert!(known, "{path}: `{word}` is {:?}", mention.sort);
        }
        assert!(names.mentions.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start), "{path}");
    }
}

#[test]
fn every_place_of_every_design_can_be_looked_at() {
    for (path, text) in texts() {
        for offset in 0..=text.len() {
            let found = cursor(&text, offset);
            assert!(found.word.end <= offset && found.word.start <= found.word.end, "{path} at {offset}");
        }
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            Names::read(&text[..end], Default::default());
        }
    }
}

/// The place at `|`, and the names that can be seen there.
fn at(text: &str) -> (Place<'_>, BTreeSet<&str>) {
    let offset = text.find('|').unwrap();
    let found = cursor(text, offset);
    let names = found.visible.iter().map(|&number| &text[found.names.declaration(number).name.range()]).collect();
    (found.place, names)
}

#[test]
fn a_broken_text_says_what_it_asks_for() {
    let unit = |body: &str| format!("unit A<H = 4, E>(x: Seq[D]) -> Seq[D] {{\n    let q = linear[D -> H](x)\n{body}");
    for (body, place) in [
        ("    let k = li|", Place::Value),
        ("    let |", Place::Nothing),
        ("    l|", Place::Statement),
        ("    let k = x\n    |", Place::Statement),
        ("    x * l|", Place::Value),
        ("    let k = x |", Place::Operator),
        ("    linear[D -> |", Place::Axes("linear")),
        ("    sum[|](q)", Place::Axes("sum")),
        ("    linear[D -> H](x, b|", Place::Argument("linear")),
        ("    let k = B<|", Place::Statics("B")),
        ("    let k = B<E = |", Place::StaticValue),
        ("    param g: [H] = 1 @|", Place::Role),
        ("    param g: [H] = |", Place::Law),
        ("    param g: |", Place::Type),
        ("    axis K = D / |", Place::Size),
        ("    let y = scan S: [H] = 0 : |", Place::Class),
        ("    // a word|", Place::Nothing),
        ("    let k = 1|2", Place::Nothing),
        ("    foo(x\n    let k = |", Place::Value),
    ] {
        let text = unit(body);
        let (found, names) = at(&text);
        assert_eq!(found, place, "{body}");
        if !matches!(place, Place::Nothing) {
            assert!(["H", "E", "x", "q"].iter().all(|name| names.contains(name)), "{body}: {names:?}");
        }
    }
    for (text, place) in [
        ("|", Place::Item),
        ("use std::{Rms|", Place::Imports),
        ("design A {\n    st|", Place::Field),
        ("design A {\n    stack = [B|", Place::Stack),
        ("design A {\n    stack = [B*]\n    final = |", Place::FieldValue("final")),
        ("unit A<F: |", Place::GenericKind),
        ("unit A(x: |", Place::Type),
        ("unit A(x: Seq[|", Place::Axes("")),
        ("unit A(x: Seq[D]) -> Seq[D] {\n    x\n}\n|", Place::Item),
    ] {
        assert_eq!(at(text).0, place, "{text}");
    }
}

#[test]
fn a_name_is_seen_from_its_statement_on_and_until_its_block_ends() {
    let text = "unit A(x: Seq[D]) -> Seq[D] {\n    let x = x + 1\n    let y = scan S: [D] = 0 {\n        let z = S + x\n        \
                S <- z  yield S\n    }\n    |y * x\n}\n";
    assert_eq!(at(text).1, BTreeSet::from(["x", "y"]));
    let names = Names::read(text, Default::default());
    let x: Vec<usize> =
        names.mentions.iter().filter(|m| &text[m.span.range()] == "x").map(|m| m.declared.unwrap()).collect();
    let kinds: Vec<Kind> = x.iter().map(|&number| names.declaration(number).kind).collect();
    assert_eq!(kinds, [Kind::Parameter, Kind::Let, Kind::Parameter, Kind::Let, Kind::Let]);
}

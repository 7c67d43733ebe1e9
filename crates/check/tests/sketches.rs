//! Sketches: what they say of their holes, and how these are filled.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use genesys_check::sketch::Filling;
use genesys_check::{Checked, Library, check};
use genesys_span::Sources;
use genesys_syntax::ast::{File, ItemKind, Unit};

fn parsed(text: &str) -> File {
    let mut sources = Sources::default();
    let file = sources.add("sketch", text);
    let parsed = genesys_syntax::parse(&sources, file);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    parsed.file
}

fn checked(file: File) -> Checked {
    check(&Arc::new(file), &Library::default())
}

/// The last unit of a text.
fn unit(text: &str) -> Unit {
    let file = parsed(text);
    let ItemKind::Unit(unit) = &file.items.last().unwrap().kind else { panic!("{text}") };
    unit.clone()
}

#[test]
fn holes_are_filled_one_at_a_time() {
    let text = "design S { stack = [Block*] }
                unit Block(x: Seq[D]) -> Seq[D] { let g: Seq[D] = ?gate x + g * Mix(x) }
                unit Mix(x: Seq[D]) -> Seq[D];";
    let first = checked(parsed(text));
    assert!(first.design.is_none());
    let sketch = first.sketch.unwrap();
    let titles: Vec<String> = sketch.holes().iter().map(|hole| hole.title()).collect();
    assert_eq!(titles, ["unit Mix", "?gate"], "callees are checked first");
    let [mix, gate] = sketch.holes() else { unreachable!() };
    assert_eq!((gate.wanted.as_str(), gate.visible.as_slice()), ("Seq[D]", &[("x".into(), "Seq[D]".into())][..]));

    let body = unit("unit Mix(x: Seq[D]) -> Seq[D] { linear[D -> D](x) }").body;
    let value = unit("unit F(x: Seq[D]) -> Seq[D] { sigmoid(x) }").body.result.unwrap();
    assert!(sketch.fill(gate, Filling::Body(body.clone())).is_none(), "a value is wanted");
    assert!(sketch.fill(mix, Filling::Value(value.clone())).is_none(), "a body is wanted");
    let second = checked(sketch.fill(mix, Filling::Body(body)).unwrap());
    let sketch = second.sketch.unwrap();
    let [gate] = sketch.holes() else { panic!("{:?}", sketch.holes()) };
    let last = checked(sketch.fill(gate, Filling::Value(value)).unwrap());
    assert!(last.sketch.is_none());
    let whole = "design S { stack = [Block*] }
                 unit Block(x: Seq[D]) -> Seq[D] { let g: Seq[D] = sigmoid(x) x + g * Mix(x) }
                 unit Mix(x: Seq[D]) -> Seq[D] { linear[D -> D](x) }";
    assert_eq!(last.design.unwrap().hash(), checked(parsed(whole)).design.unwrap().hash());
}

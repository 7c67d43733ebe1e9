#![allow(clippy::unwrap_used)]
mod common;
#[test]
fn bisect() {
    let head = "use std::{RmsNorm, Rope, SwiGlu}\ndesign Tiny { stack = [Block*]\n final = RmsNorm\n tie_embeddings = true }\n";
    for body in [
        "unit Block(x: Seq[D]) -> Seq[D] { x }",
        "unit Block(x: Seq[D]) -> Seq[D] { x + 1 }",
        "unit Block(x: Seq[D]) -> Seq[D] { RmsNorm(x) }",
        "unit Block(x: Seq[D]) -> Seq[D] { linear[D -> D](x) }",
        "unit Block(x: Seq[D]) -> Seq[D] { x + SwiGlu(RmsNorm(x)) }",
    ] {
        println!("{body}\n   {:?}", common::wrong("tiny", &format!("{head}{body}"), genesys_cpu::Shape { rows: 2, context: 9 }));
    }
    panic!();
}
#[test]
fn dump() {
    let text = "use std::{RmsNorm}\ndesign Tiny { stack = [Block*]\n final = RmsNorm\n tie_embeddings = true }\nunit Block(x: Seq[D]) -> Seq[D] { x }";
    let module = common::compiled("tiny", text, 8).unwrap();
    let backward = genesys_autodiff::differentiate(&module).unwrap();
    println!("{}", genesys_ir::print(&backward));
    let program = genesys_cpu::Program::new(&backward, genesys_cpu::Shape { rows: 2, context: 9 }).unwrap();
    println!("{program:#?}");
    panic!();
}

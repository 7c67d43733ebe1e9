//! Graphs of tens of thousands of nodes in a row: no recursion over nodes, no work that squares.

#![allow(clippy::unwrap_used)]

use genesys_axis::{Domain, Size};
use genesys_check::core::{Axis, Graph, Node, NodeId, OWN, Op, Output, Port, Scan, ScanId, Stage, State, Type, WIDTH};
use genesys_lower::{Layer, Stack, lower_stack};
use genesys_scalar::Function;
use genesys_span::{FileId, Span};

fn push(graph: &mut Graph, op: Op, stage: Stage, args: &[NodeId]) -> NodeId {
    let span = Span::new(FileId::default(), 0, 0);
    let ty = Type { stage, axes: [WIDTH].into() };
    graph.nodes.push(Node { op, args: args.into(), ty, span, within: OWN });
    NodeId(graph.nodes.len() as u32 - 1)
}

fn check(graph: &Graph) {
    let blocks = vec![Layer { function: 0, weights_of: 0 }];
    let stack = Stack { name: "Deep", functions: vec![("Deep", graph)], blocks, last: None, tie_embeddings: true };
    let module = lower_stack(&stack, 300);
    assert_eq!(genesys_ir::validate(&module), Ok(()));
    assert_eq!(genesys_ir::parse(&genesys_ir::print(&module)).unwrap(), module);
}

fn port() -> Port {
    Port { name: None, stage: Stage::Seq, axes: vec![("D".into(), WIDTH)], span: Span::default() }
}

fn graph() -> (Graph, NodeId) {
    let width = Axis { name: "D".into(), domain: Domain::Static(Size::symbol("D")) };
    let mut graph = Graph { axes: vec![width], inputs: vec![port()], ..Graph::default() };
    let input = push(&mut graph, Op::Input(0), Stage::Seq, &[]);
    (graph, input)
}

#[test]
fn a_long_chain_of_maps_and_shifts() {
    let (mut graph, mut x) = graph();
    for i in 0..30_000 {
        let op = if i % 100 == 0 { Op::Shift { by: Size::int(1) } } else { Op::Map(Function::Tanh) };
        x = push(&mut graph, op, Stage::Seq, &[x]);
    }
    graph.outputs = vec![Output { port: port(), node: x }];
    check(&graph);
}

#[test]
fn a_long_row_of_scans() {
    let (mut graph, mut x) = graph();
    let span = Span::new(FileId::default(), 0, 0);
    for i in 0..2_000 {
        let scan = ScanId(i);
        let state = push(&mut graph, Op::State { scan, index: 0 }, Stage::Moment, &[]);
        let next = push(&mut graph, Op::Map(Function::Add), Stage::Moment, &[state, x]);
        let init = push(&mut graph, Op::Index(WIDTH), Stage::Const, &[]);
        let states = vec![State { name: "S".into(), axes: vec![WIDTH], init, next, reset: false }];
        graph.scans.push(Scan { states, chunk: None, span });
        x = push(&mut graph, Op::Scanned(scan), Stage::Seq, &[next]);
    }
    graph.outputs = vec![Output { port: port(), node: x }];
    check(&graph);
}

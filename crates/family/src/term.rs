//! A graph in normal form as terms over symbols.
//!
//! Elementwise functions go by their names, so that rules can speak of them; reductions and softmax by a name and their
//! axes; weights, states and all else by what tells them apart. What a scan does is one symbol, whose operands are the
//! values that its step reads from outside.

use std::collections::BTreeMap;

use egg::{Id, RecExpr, Symbol, SymbolLang};
use genesys_axis::Constant;
use genesys_check::core::{Graph, Node, NodeId, Op, Reduction, Stage};
use genesys_scalar::Function;

/// A graph as a term whose last node holds all results, and the loss.
pub(crate) struct Read {
    pub(crate) term: RecExpr<SymbolLang>,
    /// The axes, as written in symbols, that something sums over, or takes a softmax over.
    pub(crate) axes: Vec<String>,
    /// What each axis, which symbols call `@` and its number, ranges over.
    pub(crate) domains: Vec<String>,
}

/// Reads a graph.
pub(crate) fn read(graph: &Graph) -> Read {
    let mut reader = Reader { graph, term: RecExpr::default(), ids: BTreeMap::new(), axes: Vec::new() };
    for (index, node) in graph.nodes.iter().enumerate() {
        // The step of a scan is read with it.
        if node.ty.stage != Stage::Moment {
            let id = reader.node(node);
            reader.ids.insert(NodeId(index as u32), id);
        }
    }
    let mut results: Vec<Id> = graph.outputs.iter().map(|output| reader.ids[&output.node]).collect();
    let losses = graph.losses.iter().map(|loss| reader.ids[loss]).collect::<Vec<Id>>();
    results.extend(losses.into_iter().map(|loss| reader.add("loss", vec![loss])).collect::<Vec<Id>>());
    reader.add("results", results);
    let domains = graph.axes.iter().map(|axis| format!("{:?}", axis.domain)).collect();
    Read { term: reader.term, axes: reader.axes, domains }
}

struct Reader<'g> {
    graph: &'g Graph,
    term: RecExpr<SymbolLang>,
    ids: BTreeMap<NodeId, Id>,
    axes: Vec<String>,
}

impl Reader<'_> {
    fn add(&mut self, symbol: impl Into<Symbol>, children: Vec<Id>) -> Id {
        self.term.add(SymbolLang::new(symbol, children))
    }

    fn node(&mut self, node: &Node) -> Id {
        if let Op::Scanned(scan) = node.op {
            let (body, free) = self.step(scan.0 as usize, node.args[0]);
            let free = free.into_iter().map(|id| self.ids[&id]).collect();
            return self.add(body, free);
        }
        let args: Vec<Id> = node.args.iter().map(|arg| self.ids[arg]).collect();
        match &node.op {
            Op::Map(Function::Sub) => {
                let negated = self.scaled(-1.0, args[1]);
                self.add("add", vec![args[0], negated])
            }
            Op::Map(Function::Neg) => self.scaled(-1.0, args[0]),
            Op::Map(Function::Div) => {
                let inverse = self.add("inv", vec![args[1]]);
                self.add("mul", vec![args[0], inverse])
            }
            Op::Map(function) => self.add(function.name(), args),
            Op::Constant(Constant::Real(value)) => self.add(number(*value), Vec::new()),
            Op::Reduce { reduction: Reduction::Sum, axes, otherwise: None } => {
                let axes = self.named(format!("{axes:?}"));
                self.add(format!("sum{axes}"), args)
            }
            Op::Reduce { reduction: Reduction::LogSumExp, axes, otherwise: None } => {
                let axes = self.named(format!("{axes:?}"));
                self.add(format!("lse{axes}"), args)
            }
            Op::Softmax { axes, sink: None } => {
                let axes = self.named(format!("{axes:?}"));
                self.add(format!("softmax{axes}"), args)
            }
            Op::Weight(leaf) => {
                let leaf = self.graph.leaf(*leaf);
                let symbol = format!("weight {} {:?} {:?} {:?}", leaf.canonical, leaf.axes, leaf.law, leaf.role);
                self.add(marked(&symbol), args)
            }
            op => self.add(marked(&format!("{op:?}")), args),
        }
    }

    fn scaled(&mut self, factor: f64, x: Id) -> Id {
        let factor = self.add(number(factor), Vec::new());
        self.add("mul", vec![factor, x])
    }

    /// Axes as a part of a symbol; kept, for there are rules for each.
    fn named(&mut self, axes: String) -> String {
        let axes = marked(&axes).replace(' ', "");
        if !self.axes.contains(&axes) {
            self.axes.push(axes.clone());
        }
        axes
    }

    /// A scan's step up to a value that it gives, as a symbol: a hash and the axes in it; and the values that it reads
    /// from outside.
    fn step(&self, scan: usize, value: NodeId) -> (String, Vec<NodeId>) {
        let scan = &self.graph.scans[scan];
        let ends = scan.states.iter().flat_map(|state| [state.init, state.next]).chain([value]);
        let ends: Vec<NodeId> = ends.collect();
        let mut inside = BTreeMap::new();
        let mut free = Vec::new();
        let mut text = String::new();
        for id in self.graph.step(ends.iter().copied()) {
            let node = self.graph.node(id);
            inside.insert(id, inside.len());
            let args: Vec<String> = node.args.iter().map(|arg| place(*arg, &inside, &mut free)).collect();
            text += &format!("{:?} {args:?}\n", node.op);
        }
        let ends: Vec<String> = ends.into_iter().map(|id| place(id, &inside, &mut free)).collect();
        text += &format!("{ends:?}");
        let (text, axes) = unnumbered(&marked(&text));
        (format!("scan {} {axes}", &blake3::hash(text.as_bytes()).to_hex()[..32]), free)
    }
}

/// A value of the step by its number in it, one from outside by the order in which they are met.
fn place(id: NodeId, inside: &BTreeMap<NodeId, usize>, free: &mut Vec<NodeId>) -> String {
    if let Some(number) = inside.get(&id) {
        return format!("%{number}");
    }
    let known = free.iter().position(|known| *known == id);
    let number = known.unwrap_or_else(|| {
        free.push(id);
        free.len() - 1
    });
    format!("${number}")
}

/// A text without parentheses, in which an axis is `@` and its number.
fn marked(text: &str) -> String {
    text.replace("AxisId(", "@").replace(['(', ')', '?'], "'")
}

/// A text with its axes numbered as they are met, and these axes in order.
fn unnumbered(text: &str) -> (String, String) {
    let mut met: Vec<&str> = Vec::new();
    let mut parts = text.split('@');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_at(part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len()));
        let place = met.iter().position(|known| *known == number).unwrap_or_else(|| {
            met.push(number);
            met.len() - 1
        });
        out += &format!("#{place}{rest}");
    }
    (out, met.iter().map(|number| format!("@{number} ")).collect())
}

/// A number as a symbol: whole ones as rules write them.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e9 {
        format!("{value:.0}")
    } else {
        format!("real{:016x}", value.to_bits())
    }
}

//! Random expressions over `[rows, width]`, of elementwise functions and reductions: tables that both sides build them from.
//!
//! In: a seed. Out: a table, and from it a design whose one block is the expression: the executor knows models alone, so it
//! stands behind a small embedding and before a norm, a product with the embedding and the loss, for both sides. Every value is
//! read, and the checker lets each stand. It runs nothing.

use std::fmt::Write;

use genesys_compiler::check_text;
use genesys_ladder::Scale;
use genesys_random::at;
use serde::{Deserialize, Serialize};

/// Rows of the embedding that the input is looked up in.
const VOCABULARY: u64 = 16;
/// Functions of one value whose results stay small.
const UNARY: [&str; 8] = ["tanh", "sigmoid", "silu", "relu", "softplus", "square", "root", "bell"];
/// Functions of two values.
const BINARY: [&str; 3] = ["add", "sub", "mul"];
/// Functions along the width; all but `softmax` leave it.
const REDUCTIONS: [&str; 4] = ["mean", "max", "softmax", "sum"];
/// Rows and widths.
const SIZES: [(usize, usize); 4] = [(1024, 256), (1024, 768), (4096, 256), (256, 2048)];

/// A table of operations, each on the results of earlier ones; the last is the result.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Expression {
    /// Positions.
    pub rows: usize,
    /// The size of the axis that reductions go over.
    pub width: usize,
    /// How many weights of `width` numbers it has.
    pub weights: usize,
    /// Whether the gradients of the loss are taken, by all weights.
    pub backward: bool,
    /// The operations.
    pub nodes: Vec<Node>,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Node {
    /// Its name.
    pub op: String,
    /// The numbers of its operands; for `weight`, that of the weight.
    #[serde(default)]
    pub of: Vec<usize>,
}

impl Expression {
    /// The expression of a seed; every second one is run with its gradient. It is the first of a stream in which no weight is
    /// without effect, which the checker proves of some, as in `w - w`.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let drawn = (0..).map(|attempt| Self::attempt(at(seed, attempt), seed % 2 == 1));
        let stands =
            |expression: &Self| expression.design().is_ok_and(|text| check_text("expression", &text).design.is_some());
        drawn.into_iter().find(stands).expect("most of what is drawn is a design")
    }

    fn attempt(seed: u64, backward: bool) -> Self {
        let mut draws = Draws { seed, count: 0 };
        let (rows, width) = SIZES[draws.below(SIZES.len())];
        let weights = 1 + draws.below(2);
        let mut nodes = vec![Node::new("input", [])];
        nodes.extend((0..weights).map(|i| Node::new("weight", [i])));
        // Values that nothing reads yet.
        let mut open: Vec<usize> = (0..nodes.len()).collect();
        for _ in 0..5 + draws.below(8) {
            let node = draws.node(&mut open, nodes.len());
            nodes.push(node);
        }
        while open.len() > 1 {
            let pair = [open.remove(0), open.remove(0)];
            open.push(nodes.len());
            nodes.push(Node::new(BINARY[draws.below(BINARY.len())], pair));
        }
        // The result is of full width, whatever was reduced.
        nodes.push(Node::new("tanh", [open[0]]));
        nodes.push(Node::new("add", [nodes.len() - 1, 0]));
        Self { rows, width, weights, backward, nodes }
    }

    /// A design whose one block is the expression.
    ///
    /// # Errors
    /// An operation that there is not.
    pub fn design(&self) -> Result<String, String> {
        let mut text = String::from(
            "use std::RmsNorm\n\ndesign Expression {\n    stack = [Block*]\n    final = RmsNorm\n}\n\n\
             unit Block(x: Seq[D]) -> Seq[D] {\n",
        );
        for i in 0..self.weights {
            let _ = writeln!(text, "    param w{i}: [D] = uniform(-1, 1) @gain");
        }
        for (i, node) in self.nodes.iter().enumerate() {
            let _ = writeln!(text, "    let n{i} = {}", node.text()?);
        }
        let _ = writeln!(text, "    n{}\n}}", self.nodes.len() - 1);
        Ok(text)
    }

    /// The scale at which the design is the expression over its rows: one block, and a row of so many positions.
    #[must_use]
    pub fn scale(&self) -> Scale {
        Scale {
            name: "expression".to_owned(),
            width: self.width as u64,
            blocks: 1,
            context: self.rows as u64,
            rows: 1,
            vocabulary: VOCABULARY,
            learning_rate: 1.0,
            steps: 1,
        }
    }
}

/// A stream of numbers.
struct Draws {
    seed: u64,
    count: u64,
}

impl Draws {
    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.count += 1;
        (at(self.seed, self.count) % n as u64) as usize
    }

    /// Node number `next`: of a value that nothing reads yet, and of any other where it takes two.
    fn node(&mut self, open: &mut Vec<usize>, next: usize) -> Node {
        let first = open.remove(self.below(open.len()));
        open.push(next);
        match self.below(10) {
            0..=2 => {
                let second = self.below(next);
                open.retain(|value| *value != second);
                Node::new(BINARY[self.below(BINARY.len())], [first, second])
            }
            3..=4 => Node::new(REDUCTIONS[self.below(REDUCTIONS.len())], [first]),
            _ => Node::new(UNARY[self.below(UNARY.len())], [first]),
        }
    }
}

impl Node {
    fn new<const N: usize>(op: &str, of: [usize; N]) -> Self {
        Self { op: op.to_owned(), of: of.to_vec() }
    }

    fn text(&self) -> Result<String, String> {
        let a = self.of.first().map(|i| format!("n{i}")).unwrap_or_default();
        let b = self.of.get(1).map(|i| format!("n{i}")).unwrap_or_default();
        Ok(match self.op.as_str() {
            "input" => "x".to_owned(),
            "weight" => format!("w{}", self.of.first().copied().unwrap_or_default()),
            "add" => format!("{a} + {b}"),
            "sub" => format!("{a} - {b} / 2"),
            "mul" => format!("{a} * {b}"),
            "square" => format!("{a} * {a}"),
            "root" => format!("sqrt({a} * {a} + 1)"),
            "bell" => format!("exp(-{a} * {a})"),
            "sum" | "mean" | "max" | "softmax" => format!("{}[D]({a})", self.op),
            "tanh" | "sigmoid" | "silu" | "relu" | "softplus" => format!("{}({a})", self.op),
            other => return Err(format!("there is no operation `{other}`")),
        })
    }
}

//! The hash of a term, in which names, numbers of weights and the order of what commutes do not count.
//!
//! Terms are colored by what they are, what they are made of and where they are used, round after round (Weisfeiler and
//! Leman, 1968); the hash is that of the sorted colors. Weights of one law differ by their use alone.

use egg::{Language, RecExpr, SymbolLang};
use genesys_random::{GAMMA, finalize};

/// Rounds of refinement.
const ROUNDS: usize = 8;

/// Hashes a term whose axes range over these domains.
pub(crate) fn digest(term: &RecExpr<SymbolLang>, domains: &[String]) -> [u8; 32] {
    let symbols: Vec<Colored> = term.as_ref().iter().map(|node| Colored::new(node, domains.len())).collect();
    let mut axes: Vec<u64> = domains.iter().map(|domain| text_color(domain)).collect();
    let mut colors: Vec<u64> = symbols.iter().map(|symbol| symbol.own).collect();
    for _ in 0..ROUNDS {
        upward(&symbols, &axes, &mut colors);
        downward(&symbols, &mut axes, &mut colors);
    }
    colors.sort_unstable();
    let bytes: Vec<u8> = colors.iter().flat_map(|color| color.to_le_bytes()).collect();
    blake3::hash(&bytes).into()
}

/// A node as colors are given to it.
struct Colored {
    /// The color of its symbol without the numbers of weights and axes.
    own: u64,
    /// Whether operands, or axes, may be exchanged.
    commutes: bool,
    operands: Vec<usize>,
    axes: Vec<usize>,
}

impl Colored {
    fn new(node: &SymbolLang, axes: usize) -> Colored {
        let symbol = node.op.as_str();
        let numbers = symbol.split('@').skip(1).filter_map(|part| {
            let digits = part.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
            digits.parse::<usize>().ok().filter(|axis| *axis < axes)
        });
        Colored {
            own: text_color(&without_numbers(symbol)),
            commutes: commutes(symbol),
            operands: node.children().iter().map(|child| usize::from(*child)).collect(),
            axes: numbers.collect(),
        }
    }

    /// A place among operands or axes, the same for all that may be exchanged.
    fn place(&self, place: usize) -> u64 {
        if self.commutes { 1 } else { place as u64 + 2 }
    }

    /// Places with colors, in one color.
    fn join(&self, colors: impl Iterator<Item = u64>) -> u64 {
        colors.enumerate().fold(0u64, |sum, (place, color)| sum.wrapping_add(mix(self.place(place), color)))
    }
}

fn upward(symbols: &[Colored], axes: &[u64], colors: &mut [u64]) {
    for (i, symbol) in symbols.iter().enumerate() {
        let operands = symbol.join(symbol.operands.iter().map(|&operand| colors[operand]));
        let axes = symbol.join(symbol.axes.iter().map(|&axis| axes[axis]));
        colors[i] = mix(mix(mix(colors[i], symbol.own), operands), axes);
    }
}

fn downward(symbols: &[Colored], axes: &mut [u64], colors: &mut [u64]) {
    let mut uses = vec![0u64; colors.len()];
    let mut named = vec![0u64; axes.len()];
    for (i, symbol) in symbols.iter().enumerate().rev() {
        colors[i] = mix(colors[i], uses[i]);
        for (place, &operand) in symbol.operands.iter().enumerate() {
            uses[operand] = uses[operand].wrapping_add(mix(symbol.place(place), colors[i]));
        }
        for (place, &axis) in symbol.axes.iter().enumerate() {
            named[axis] = named[axis].wrapping_add(mix(symbol.place(place), colors[i]));
        }
    }
    axes.iter_mut().zip(named).for_each(|(axis, named)| *axis = mix(*axis, named));
}

/// The color of a symbol over the colors of its operands, by which terms of one size are told apart.
pub(crate) fn symbol_color(symbol: &str, operands: &[u64]) -> u64 {
    let own = text_color(&without_numbers(symbol));
    if commutes(symbol) {
        return mix(own, operands.iter().fold(0u64, |sum, &operand| sum.wrapping_add(mix(1, operand))));
    }
    operands.iter().fold(own, |color, &operand| mix(color, operand))
}

fn text_color(text: &str) -> u64 {
    text.bytes().fold(GAMMA, |color, byte| mix(color, u64::from(byte)))
}

/// A symbol without the numbers of a weight and of axes, which hang on the order of the text.
fn without_numbers(symbol: &str) -> String {
    let law = symbol.strip_prefix("weight ").and_then(|rest| Some(rest.split_once(' ')?.1));
    let mut parts = law.unwrap_or(symbol).split('@');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push('@');
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    text
}

/// Sums, products and the like; and what is done over a set of axes.
fn commutes(symbol: &str) -> bool {
    let sets = ["sum", "lse", "softmax", "Reduce", "Softmax", "Broadcast"];
    matches!(symbol, "add" | "mul" | "min" | "max" | "eq") || sets.iter().any(|set| symbol.starts_with(set))
}

fn mix(a: u64, b: u64) -> u64 {
    finalize(a.rotate_left(23) ^ b.wrapping_mul(GAMMA))
}

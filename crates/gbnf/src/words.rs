//! Words that are none of a list of words, without lookahead.
//!
//! In: the list. Out: a GBNF expression for what may follow the start of a word, branching as the list does: a letter
//! that leaves the list frees the rest of the word.

use std::collections::BTreeMap;

/// A set of words as a tree of their letters.
#[derive(Default)]
struct Tree {
    ends: bool,
    next: BTreeMap<char, Tree>,
}

/// Every lower-case word of letters, digits and `_` that is not in `words`; any `letters` may stand at its end.
pub(crate) fn none_of(words: &[String], letters: &str) -> String {
    let mut root = Tree::default();
    for word in words {
        let mut node = &mut root;
        for letter in word.chars() {
            node = node.next.entry(letter).or_default();
        }
        node.ends = true;
    }
    let mut ways = vec![format!("[{}] {letters}", others('a'..='z', &root))];
    ways.extend(root.next.iter().map(|(letter, node)| format!("\"{letter}\" {}", rest(node, letters))));
    ways.join(" | ")
}

fn rest(node: &Tree, letters: &str) -> String {
    let all = ('0'..='9').chain('A'..='Z').chain(['_']).chain('a'..='z');
    let mut ways = vec![format!("[{}] {letters}", others(all, node))];
    ways.extend(node.next.iter().map(|(letter, node)| format!("\"{letter}\" {}", rest(node, letters))));
    format!("({}){}", ways.join(" | "), if node.ends { "" } else { "?" })
}

/// The letters that are no branch of `node`, as the inside of a class, in ranges.
fn others(letters: impl Iterator<Item = char>, node: &Tree) -> String {
    let mut ranges: Vec<(char, char)> = Vec::new();
    for letter in letters.filter(|letter| !node.next.contains_key(letter)) {
        match ranges.last_mut() {
            Some((_, high)) if u32::from(*high) + 1 == u32::from(letter) => *high = letter,
            Some(_) | None => ranges.push((letter, letter)),
        }
    }
    let range = |(low, high): (char, char)| if low == high { low.to_string() } else { format!("{low}-{high}") };
    ranges.into_iter().map(range).collect()
}

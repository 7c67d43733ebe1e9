//! The grammar for editors (`editors/`) knows the words of the language, and no others.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// The words in quotes on the right side of a rule.
fn quoted(rule: &str) -> impl Iterator<Item = &str> {
    rule.split('"').skip(1).step_by(2).filter(|word| word.chars().all(char::is_alphabetic))
}

/// The words of the grammar: its keywords, and those that are words in one place only.
fn words_of_the_grammar() -> BTreeSet<String> {
    let grammar = read("grammar/gau.pest");
    let single = grammar.lines().filter(|line| line.starts_with("k_")).filter_map(|line| line.split_once("= @{"));
    genesys_syntax::KEYWORDS.into_iter().chain(single.flat_map(|(_, rule)| quoted(rule))).map(str::to_owned).collect()
}

/// The words that patterns of the form `\b(?:a|b)\b` list.
fn words_of_the_editor() -> Vec<String> {
    let grammar: serde_json::Value = serde_json::from_str(&read("editors/gau.tmLanguage.json")).unwrap();
    let patterns = grammar["patterns"].as_array().unwrap().iter().filter_map(|pattern| pattern["match"].as_str());
    let lists = patterns.filter_map(|pattern| pattern.strip_prefix("\\b(?:")?.strip_suffix(")\\b"));
    lists.flat_map(|list| list.split('|')).map(str::to_owned).collect()
}

#[test]
fn editors_know_the_words_of_the_language() {
    let listed = words_of_the_editor();
    let distinct: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(distinct.len(), listed.len(), "a word is listed twice: {listed:?}");
    assert_eq!(distinct, words_of_the_grammar());
}

//! The functions that an emitted model takes along: those it calls, and those they call.

use std::collections::BTreeSet;

const TEXT: &str = include_str!("../support.rs");

/// The functions whose names a source calls, in the order of the text, each behind a blank line.
pub(crate) fn needed(source: &str) -> String {
    let all: Vec<(&str, &str)> = TEXT.split("\n\n").filter_map(|item| Some((name(item)?, item))).collect();
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut texts = vec![source];
    while let Some(text) = texts.pop() {
        for (name, item) in &all {
            if calls(text, name) && taken.insert(name) {
                texts.push(item);
            }
        }
    }
    let kept = all.iter().filter(|(name, _)| taken.contains(name));
    kept.map(|(_, item)| format!("\n{}\n", item.trim_end())).collect()
}

/// The names of all functions, which no variable may have.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TEXT.split("\n\n").filter_map(name)
}

/// The name of a function by its text; a piece of text may be something else.
fn name(item: &str) -> Option<&str> {
    let line = item.lines().find_map(|line| line.strip_prefix("fn "))?;
    line.split('(').next()
}

/// Whether a text names a function: not as a method, a longer word or a declaration.
fn calls(text: &str, name: &str) -> bool {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| line.split(" // ").next().unwrap_or_default()).any(|line| calls_in(line, name))
}

fn calls_in(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        let behind = &text[at + name.len()..];
        let free = !(before.is_ascii_alphanumeric() || matches!(before, '_' | '.' | ':'));
        free && behind.starts_with('(') && !text[..at].ends_with("fn ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_comes_along_with_what_it_calls() {
        let names = |source: &str| -> Vec<String> {
            needed(source).split("\n\n").filter_map(|item| Some(name(item)?.to_owned())).collect()
        };
        assert_eq!(names("let y = softmax(&x, &[2])?;"), ["top_of", "softmax"]);
        assert_eq!(names("let y = x.max(1)?.log1p_not(2)?;"), [""; 0]);
        assert_eq!(names("let y = log1p(&x)?;"), ["log1p", "log_series", "small_for"]);
    }
}

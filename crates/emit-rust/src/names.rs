//! Identifiers: unique, in Rust's own style, and no words of the language.

use std::collections::BTreeSet;

/// Words that no variable, field or type may be named, among those that designs use.
const RESERVED: [&str; 60] = [
    "as", "async", "await", "b", "box", "break", "const", "continue", "crate", "dev", "dtype", "dyn", "else", "enum",
    "extern", "f32", "f64", "false", "final", "fn", "for", "gen", "i", "if", "impl", "in", "layer", "let", "like",
    "loop", "macro", "match", "mod", "move", "mut", "new", "override", "priv", "pub", "ref", "return", "self",
    "static", "struct", "super", "t", "tokens", "targets", "trait", "true", "try", "type", "union", "unsafe", "use",
    "usize", "vb", "virtual", "where", "while",
];

/// Gives names, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namer {
    taken: BTreeSet<String>,
}

impl Namer {
    /// `wish`, or what comes nearest and is free.
    pub(crate) fn variable(&mut self, wish: &str) -> String {
        self.free(snake(wish), |name, number| format!("{name}_{number}"))
    }

    /// A name of a constant.
    pub(crate) fn constant(&mut self, wish: &str) -> String {
        self.free(snake(wish).to_uppercase(), |name, number| format!("{name}_{number}"))
    }

    /// A name of a type.
    pub(crate) fn type_name(&mut self, wish: &str) -> String {
        let words = snake(wish);
        let title = |word: &str| -> String {
            let mut letters = word.chars();
            letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
        };
        self.free(words.split('_').map(title).collect(), |name, number| format!("{name}{number}"))
    }

    /// Keeps a name from being given.
    pub(crate) fn reserve(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }

    fn free(&mut self, wish: String, numbered: impl Fn(&str, usize) -> String) -> String {
        let wish = if wish.is_empty() { "value".to_owned() } else { wish };
        let wish = if wish.starts_with(|c: char| c.is_ascii_digit()) { format!("n{wish}") } else { wish };
        let usable = |name: &String| !self.taken.contains(name) && !RESERVED.contains(&name.as_str());
        let mut names = std::iter::once(wish.clone()).chain((2..).map(|number| numbered(&wish, number)));
        let name = names.find(usable).expect("numbers do not end");
        self.taken.insert(name.clone());
        name
    }
}

/// `RmsNorm` and `attention.q` as `rms_norm` and `attention_q`.
pub(crate) fn snake(name: &str) -> String {
    let mut made = String::new();
    let mut before = '_';
    let letters: Vec<char> = name.chars().collect();
    for (i, &letter) in letters.iter().enumerate() {
        let next_is_lower = letters.get(i + 1).is_some_and(char::is_ascii_lowercase);
        let starts = letter.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || (before.is_ascii_uppercase() && next_is_lower));
        if starts && !made.ends_with('_') {
            made.push('_');
        }
        if letter.is_ascii_alphanumeric() {
            made.push(letter.to_ascii_lowercase());
        } else if !made.is_empty() && !made.ends_with('_') {
            made.push('_');
        }
        before = letter;
    }
    made.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_rusts_own() {
        let mut namer = Namer::default();
        assert_eq!(namer.variable("attention.q.weight"), "attention_q_weight");
        assert_eq!(namer.variable("attention.q_weight"), "attention_q_weight_2");
        assert_eq!(namer.variable("final"), "final_2");
        assert_eq!(namer.type_name("RmsNorm"), "RmsNorm");
        assert_eq!(namer.type_name("rms_norm"), "RmsNorm2");
        assert_eq!(namer.constant("Three"), "THREE");
        assert_eq!(snake("HMatrix2"), "h_matrix2");
    }
}

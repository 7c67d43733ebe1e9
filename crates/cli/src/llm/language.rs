//! What a target is held to by `genesys llm check`: the grammar of the language itself, as agents ask for it.
//!
//! Out: the grammar of one value, a question, and a reader of answers. A value is the shortest text of the grammar, which has all the other
//! rules beside it. It is read by our own parser: a server that admits what the parser refuses is of no use.

use genesys_gbnf::{Bounds, GRAMMAR, Grammar, Reader, Root, export};
use genesys_llm::check::Language;
use genesys_llm::{Reply, Stop};
use genesys_span::Sources;
use genesys_syntax::ast::{Item, ItemKind};

/// One word is a value, and two side by side are none: no answer that is given freely is read by chance.
const QUESTION: &str = "Say: good morning";

/// What is probed.
pub(super) fn language() -> Language {
    Language { gbnf: gbnf(), question: QUESTION, reads }
}

fn gbnf() -> String {
    export(GRAMMAR, Root::Value, Bounds::Decoder).expect("the grammar that ships can be exported")
}

fn reads(reply: &Reply) -> bool {
    match reply.stop {
        Stop::Length => begins_a_value(&reply.text),
        Stop::End | Stop::Tools | Stop::Refused => is_value(&reply.text),
    }
}

/// Whether our parser reads the text as the whole body of a unit, without a statement.
fn is_value(text: &str) -> bool {
    let mut sources = Sources::default();
    let file = sources.add("answer.gau", format!("unit U(x: Seq[D]) -> Seq[D] {{\n    {text}\n}}\n"));
    let parsed = genesys_syntax::parse(&sources, file);
    parsed.diagnostics.is_empty() && matches!(parsed.file.items.as_slice(), [item] if is_one_value(item))
}

fn is_one_value(item: &Item) -> bool {
    match &item.kind {
        ItemKind::Unit(unit) => unit.body.stmts.is_empty() && unit.body.result.is_some(),
        ItemKind::Use(_) | ItemKind::Design(_) => false,
    }
}

/// Whether the grammar admits the text so far. Of nothing at all that says nothing.
fn begins_a_value(text: &str) -> bool {
    let grammar = Grammar::read(&gbnf()).expect("the grammar that is exported can be read");
    let (mut reader, start) = Reader::new(grammar);
    !text.is_empty() && reader.read(start, text.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use genesys_llm::Usage;

    use super::*;

    fn held(text: &str, stop: Stop) -> bool {
        let reply =
            Reply { text: text.to_owned(), calls: Vec::new(), stop, usage: Usage::default(), model: String::new() };
        reads(&reply)
    }

    #[test]
    fn a_value_is_read_and_free_words_are_not() {
        for value in ["Good", "goodMorning", "x + linear[D -> D](x)", "(1, x)", "2 * x // as told\n", "-x"] {
            assert!(held(value, Stop::End), "{value}");
        }
        let free = ["Good morning", "good morning", "Good morning!", "\"Good morning.\"", "Good morning.", "Good,", ""];
        for text in free.into_iter().chain(["x +", "let y = x\ny", "x }\nunit V(x: Seq[D]) -> Seq[D] { x", "`Good`"]) {
            assert!(!held(text, Stop::End), "{text}");
        }
    }

    #[test]
    fn what_was_cut_off_is_the_beginning_of_a_value() {
        for text in ["Good", "x + linear[D ->", "good * (morning"] {
            assert!(held(text, Stop::Length), "{text}");
        }
        for text in ["Good morning, how are", "", "unit U(x"] {
            assert!(!held(text, Stop::Length), "{text}");
        }
    }
}

//! Markdown and text as passages: a section under its heading, or as many paragraphs as fit.
//!
//! In: a file's text. Out: documents, each of a passage, with the line where it begins as its source. Markdown is only
//! looked at for its headings; everything else is text, code and comments included.

use crate::document::{Document, Kind};

/// Characters after which a passage ends at the next empty line, and after which it ends anyway.
const ENOUGH: (usize, usize) = (3_000, 6_000);

/// A passage: the line it begins in, from 1, its heading, and its text.
struct Passage {
    line: usize,
    heading: String,
    text: String,
}

/// The sections of a Markdown file.
pub(super) fn markdown(name: &str, source: &str, text: &str) -> Vec<Document> {
    let mut fence: Option<&str> = None;
    documents(name, source, text, |line| {
        let start = line.trim_start();
        match fence {
            Some(mark) if start.starts_with(mark) => fence = None,
            Some(_) => {}
            None => fence = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark)),
        }
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        let heading = line[level..].strip_prefix(' ').filter(|_| fence.is_none() && (1..=6).contains(&level));
        heading.map(|heading| heading.trim().trim_end_matches('#').trim_end().to_owned())
    })
}

/// The passages of a text.
pub(super) fn text(name: &str, source: &str, text: &str) -> Vec<Document> {
    documents(name, source, text, |_| None)
}

fn documents(name: &str, source: &str, text: &str, heading: impl FnMut(&str) -> Option<String>) -> Vec<Document> {
    let document = |passage: Passage| {
        let title = if passage.heading.is_empty() { name.to_owned() } else { format!("{} ({name})", passage.heading) };
        let key = format!("{name}:{}", passage.line);
        let source = format!("{source}:{}", passage.line);
        Document { text: passage.text, ..Document::new(Kind::File, &key, &title, &source) }
    };
    passages(text, heading).into_iter().map(document).collect()
}

/// Cuts a text at the lines for which `heading` gives one, and where a passage is long enough.
fn passages(text: &str, mut heading: impl FnMut(&str) -> Option<String>) -> Vec<Passage> {
    let mut passages = vec![Passage { line: 1, heading: String::new(), text: String::new() }];
    for (at, line) in (1..).zip(text.lines()) {
        let last = passages.last().expect("there is a first passage");
        let is_full = last.text.len() > ENOUGH.0 && line.trim().is_empty() || last.text.len() > ENOUGH.1;
        let begun = match heading(line) {
            Some(heading) => Some(heading),
            None => is_full.then(|| last.heading.clone()),
        };
        if let Some(heading) = begun {
            passages.push(Passage { line: at, heading, text: String::new() });
        }
        let text = &mut passages.last_mut().expect("there is a first passage").text;
        text.push_str(line);
        text.push('\n');
    }
    passages.retain(|passage| !passage.text.trim().is_empty());
    passages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_a_document_with_its_line() {
        let found =
            markdown("a.md", "notes/a.md", "before\n# One\ntext\n```\n# no heading\n```\n## Two ##\nmore\n#none\n");
        let told: Vec<_> = found.iter().map(|one| (one.title.as_str(), one.source.as_str())).collect();
        assert_eq!(told, [("a.md", "notes/a.md:1"), ("One (a.md)", "notes/a.md:2"), ("Two (a.md)", "notes/a.md:7")]);
        assert!(found[1].text.contains("# no heading") && found[2].text.contains("#none"));
    }

    #[test]
    fn a_long_text_is_cut_between_paragraphs() {
        let paragraph = format!("{}\n\n", "word ".repeat(200));
        let found = text("a.txt", "a.txt", &paragraph.repeat(10));
        assert!(found.len() > 2 && found.iter().all(|one| one.text.len() <= ENOUGH.1), "{}", found.len());
        assert_eq!(found.iter().map(|one| one.text.matches("word").count()).sum::<usize>(), 2_000);
    }

    #[test]
    fn a_text_without_empty_lines_is_cut_all_the_same() {
        let found = text("a.txt", "a.txt", &"a line of words\n".repeat(2_000));
        assert!(found.len() >= 5, "{}", found.len());
        assert_eq!(text("a.txt", "a.txt", " \n\n"), []);
    }
}

//! BibTeX files: an entry is a document.
//!
//! In: a file's text. Out: documents, and what is wrong with the first entry that is broken; the others stand. Commands of
//! TeX in titles and names are read as the parser reads them, and nothing is looked up.

use biblatex::{Bibliography, ChunksExt, Entry, ParseError};

use crate::document::{Document, Kind};

/// The entries of a BibTeX file.
pub(super) fn documents(source: &str, text: &str) -> (Vec<Document>, Option<String>) {
    let document = |entry: &Entry| document(source, entry);
    if let Ok(all) = Bibliography::parse(text) {
        return (all.iter().map(document).collect(), None);
    }
    // Something is broken: each entry by itself, with the abbreviations of all.
    let pieces = pieces(text);
    let is_abbreviation = |piece: &str| piece.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("@string"));
    let good = |piece: &str| Bibliography::parse(piece).is_ok();
    let shared: String =
        pieces.iter().map(|(_, piece)| *piece).filter(|piece| is_abbreviation(piece) && good(piece)).collect();
    let (mut documents, mut trouble) = (Vec::new(), None);
    for (line, piece) in pieces {
        let whole = if is_abbreviation(piece) { piece.to_owned() } else { format!("{shared}{piece}") };
        match Bibliography::parse(&whole) {
            Ok(entries) => documents.extend(entries.iter().map(document)),
            Err(error) => {
                trouble = trouble.or_else(|| Some(message(line, &whole[whole.len() - piece.len()..], &error)))
            }
        }
    }
    (documents, trouble)
}

fn message(line: usize, piece: &str, error: &ParseError) -> String {
    let head = piece.lines().next().unwrap_or_default();
    format!("expected BibTeX, found at line {line}, in `{}`: {}; the other entries are read", head.trim(), error.kind)
}

/// The text cut at the lines that begin with `@`, with the number of each piece's first line.
fn pieces(text: &str) -> Vec<(usize, &str)> {
    let mut starts: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    for (line, content) in (1..).zip(text.split_inclusive('\n')) {
        if content.trim_start().starts_with('@') {
            starts.push((line, at + content.len() - content.trim_start().len()));
        }
        at += content.len();
    }
    let ends = starts.iter().skip(1).map(|(_, start)| *start).chain([text.len()]);
    starts.iter().zip(ends).map(|((line, start), end)| (*line, &text[*start..end])).collect()
}

fn document(source: &str, entry: &Entry) -> Document {
    let field = |field: &str| entry.get(field).map(ChunksExt::format_verbatim).unwrap_or_default();
    let first = |fields: &[&str]| fields.iter().map(|one| field(one)).find(|text| !text.is_empty()).unwrap_or_default();
    let title = match field("title") {
        title if title.is_empty() => entry.key.clone(),
        title => title,
    };
    let addresses = ["doi", "eprint", "url", "note", "annotation"].map(field);
    let text = std::iter::once(field("abstract")).chain(addresses).filter(|part| !part.is_empty());
    Document {
        year: first(&["year", "date"]).get(..4).and_then(|year| year.parse().ok()),
        authors: authors(entry),
        venue: first(&["journal", "journaltitle", "booktitle", "publisher", "howpublished"]),
        tags: field("keywords")
            .split([',', ';'])
            .map(str::trim)
            .filter(|tag| !tag.is_empty())
            .map(str::to_owned)
            .collect(),
        text: text.collect::<Vec<_>>().join("\n"),
        ..Document::new(Kind::File, &entry.key, &title, &format!("{source}, entry {}", entry.key))
    }
}

fn authors(entry: &Entry) -> Vec<String> {
    let name = |person: &biblatex::Person| {
        let parts = [&person.given_name, &person.prefix, &person.name, &person.suffix];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    };
    entry
        .author()
        .or_else(|_| entry.editors().map(|all| all.into_iter().flat_map(|(people, _)| people).collect()))
        .map(|people| people.iter().map(name).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "@string{pl = {A Place}}\n@article{one2020,\n  title = {The {GLU} of \"Uber},\n  author = {One, Ann and van Two, Ben},\n  \
                        year = 2020, journal = pl, keywords = {gating, feed forward},\n  doi = {10.1/x}\n}\n";

    #[test]
    fn an_entry_is_a_document() {
        let (found, trouble) = documents("refs/r.bib", GOOD);
        assert_eq!(trouble, None);
        let one = &found[0];
        assert_eq!((one.key.as_str(), one.year, one.venue.as_str()), ("one2020", Some(2020), "A Place"));
        assert_eq!(one.authors, ["Ann One", "Ben van Two"]);
        assert_eq!(one.tags, ["gating", "feed forward"]);
        assert!(
            one.title.contains("GLU") && one.text == "10.1/x" && one.source.starts_with("refs/r.bib, entry one2020")
        );
    }

    #[test]
    fn a_broken_entry_hides_no_other() {
        let text = format!(
            "{GOOD}@article{{two2021,\n  title = {{Open\n@book{{three, title = {{Three}}, date = {{2022-05}}}}\n"
        );
        let (found, trouble) = documents("r.bib", &text);
        let keys: Vec<_> = found.iter().map(|one| (one.key.as_str(), one.year)).collect();
        assert_eq!(keys, [("one2020", Some(2020)), ("three", Some(2022))]);
        let trouble = trouble.unwrap_or_default();
        assert!(trouble.contains("line 8") && trouble.contains("two2021"), "{trouble}");
    }

    #[test]
    fn what_is_no_bibtex_is_told_or_empty() {
        for text in
            ["", "just words", "@", "@article", "@article{", "@article{x, title = }", "@@@{{{\n@\n", "@string{a"]
        {
            let (found, _) = documents("r.bib", text);
            assert!(found.len() <= 1, "{text}: {found:?}");
        }
    }
}

//! Designs and their units as documents.
//!
//! In: a path, a text in the language, and the works. Out: a document of the design, and one of each unit in it, by what
//! their comments say and by their text. A text that does not check is read as far as it can be. Nothing is judged here.

use genesys_span::Sources;
use genesys_syntax::ast::{Item, ItemKind};

use crate::document::{Document, Kind, Link, Relation};
use crate::work::Work;

/// The documents of the design in `path`: it first, then its units. Works with this path among their units are what it implements.
#[must_use]
pub fn documents(path: &str, text: &str, works: &[Work]) -> Vec<Document> {
    let mut sources = Sources::default();
    let id = sources.add(path, text);
    let file = genesys_syntax::parse(&sources, id).file;
    let says = joined(&file.docs);
    let implemented = works.iter().filter(|work| work.units.iter().any(|unit| unit == path));
    let link = |work: &Work| Link { relation: Relation::Implements, key: work.key.clone() };
    let design = Document {
        summary: says.clone(),
        text: text.to_owned(),
        units: vec![path.to_owned()],
        links: implemented.map(link).collect(),
        ..Document::new(Kind::Design, path, first_sentence(&says, path), path)
    };
    std::iter::once(design).chain(file.items.iter().filter_map(|item| unit(path, text, item))).collect()
}

fn unit(path: &str, text: &str, item: &Item) -> Option<Document> {
    let ItemKind::Unit(unit) = &item.kind else { return None };
    let name = &unit.name.text;
    let line = 1 + text[..item.span.start as usize].matches('\n').count();
    Some(Document {
        summary: joined(&item.docs),
        text: text[item.span.start as usize..item.span.end as usize].to_owned(),
        units: vec![path.to_owned()],
        links: vec![Link { relation: Relation::PartOf, key: path.to_owned() }],
        ..Document::new(Kind::Unit, &format!("{path}#{name}"), name, &format!("{path}:{line}"))
    })
}

/// The lines of a comment as one.
fn joined(docs: &[String]) -> String {
    docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// What stands before the first colon or the end of the first sentence.
fn first_sentence<'a>(says: &'a str, otherwise: &'a str) -> &'a str {
    let end = [": ", ". "].iter().filter_map(|mark| says.find(mark)).min().unwrap_or(says.len());
    match says[..end].trim_end_matches('.') {
        "" => otherwise,
        sentence => sentence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "//! A gate that fades: slowly (One,\n//! 2020). More.\n\nuse std::{RmsNorm}\n\ndesign Fading {\n    stack = [Fade*]\n    \
                        final = RmsNorm\n}\n\n/// y = a x.\nunit Fade(x: Seq[D]) -> Seq[D] {\n    x\n}\n";

    #[test]
    fn a_design_and_its_units_are_documents() {
        let found = documents("designs/fading.gau", TEXT, &[]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].title.as_str(), found[0].kind), ("A gate that fades", Kind::Design));
        assert_eq!(found[0].summary, "A gate that fades: slowly (One, 2020). More.");
        let unit = &found[1];
        assert_eq!((unit.key.as_str(), unit.source.as_str()), ("designs/fading.gau#Fade", "designs/fading.gau:12"));
        assert_eq!((unit.summary.as_str(), unit.title.as_str()), ("y = a x.", "Fade"));
        assert!(unit.text.starts_with("unit Fade(") && unit.text.ends_with('}'), "{}", unit.text);
    }

    #[test]
    fn a_text_that_is_no_design_is_a_document_all_the_same() {
        let found = documents("x.gau", "unit Broken(", &[]);
        assert_eq!((found[0].title.as_str(), found[0].text.as_str()), ("x.gau", "unit Broken("));
    }
}

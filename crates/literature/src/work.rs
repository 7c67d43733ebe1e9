//! Works on architectures as data: bibliographic facts, who builds on whom, and an own sentence on what each does.
//!
//! In: a table with tabs, one work a line, columns named in the first. Out: works, or every flaw of the table with its line
//! and column. The shipped table is `library.tsv` beside this crate's manifest. No abstract stands in it.
//!
//! ```text
//! key  title  year  venue  authors  semantic_scholar_id  related_keys  summary  tags  units  arxiv  source
//! ```
//!
//! Authors are parted by `; `, keys, tags and units by `,`. `source` is the page that the summary was compared with; where it is
//! empty, the summary is unchecked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::document::{Document, Kind, Link, Relation, Standing};
use crate::tag::{TAGS, tag};

/// The shipped table.
pub const LIBRARY: &str = include_str!("../library.tsv");

/// The columns, in their order.
const COLUMNS: [&str; 12] = [
    "key",
    "title",
    "year",
    "venue",
    "authors",
    "semantic_scholar_id",
    "related_keys",
    "summary",
    "tags",
    "units",
    "arxiv",
    "source",
];

/// The years that a work may be from: before the first, nothing here was thought of.
const YEARS: std::ops::RangeInclusive<u16> = 1900..=2100;

/// A published work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// A short name, unique in the table.
    pub key: String,
    /// Its title.
    pub title: String,
    /// When it was published.
    pub year: u16,
    /// Where it was published; empty where that is not known.
    pub venue: String,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// Its number at Semantic Scholar; empty where that is not known.
    pub semantic_scholar_id: String,
    /// The works of the table that it builds on.
    pub related: Vec<String>,
    /// What it does.
    pub summary: String,
    /// Its mechanisms, the most telling first.
    pub tags: Vec<&'static str>,
    /// The designs that implement its mechanism, or a part of it.
    pub units: Vec<String>,
    /// Its number at arXiv.
    pub arxiv: Option<String>,
    /// The page that the summary was compared with.
    pub source: Option<String>,
}

/// What is wrong with a table, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The line, from 1.
    pub line: usize,
    /// The name of the column; empty where the line as a whole is meant.
    pub column: &'static str,
    /// What was expected, and what was found.
    pub message: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            "" => write!(f, "line {}: {}", self.line, self.message),
            column => write!(f, "line {}, column `{column}`: {}", self.line, self.message),
        }
    }
}

/// The shipped works, in the order of the table.
///
/// # Panics
/// Never: the tests of this crate read the table.
#[must_use]
pub fn library() -> Vec<Work> {
    parse(LIBRARY).expect("the shipped table has no flaw, which a test holds")
}

/// The works of a table.
///
/// # Errors
/// All of its [`Flaw`]s, in the order of its lines.
pub fn parse(table: &str) -> Result<Vec<Work>, Vec<Flaw>> {
    let mut lines = (1..).zip(table.lines());
    let header = lines.next().map(|(_, line)| line).unwrap_or_default();
    if header.split('\t').ne(COLUMNS) {
        let message = format!("expected the columns {}, parted by tabs", COLUMNS.join(", "));
        return Err(vec![Flaw { line: 1, column: "", message }]);
    }
    let mut flaws = Vec::new();
    let works: Vec<(usize, Work)> = lines.filter_map(|(at, line)| Some((at, row(at, line, &mut flaws)?))).collect();
    check_keys(&works, &mut flaws);
    flaws.sort_by_key(|flaw| flaw.line);
    if flaws.is_empty() { Ok(works.into_iter().map(|(_, work)| work).collect()) } else { Err(flaws) }
}

/// The work of a line; what is wrong with it is added to `flaws`.
fn row(line: usize, text: &str, flaws: &mut Vec<Flaw>) -> Option<Work> {
    let cells: Vec<&str> = text.split('\t').collect();
    let Ok([key, title, year, venue, authors, scholar, related, summary, tags, units, arxiv, source]) =
        <[&str; COLUMNS.len()]>::try_from(cells.as_slice())
    else {
        let message = format!("expected {} cells parted by tabs, found {}", COLUMNS.len(), cells.len());
        flaws.push(Flaw { line, column: "", message });
        return None;
    };
    let mut flaw = |column, message: String| flaws.push(Flaw { line, column, message });
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        flaw("key", format!("expected lower-case letters, digits and `_`, found `{key}`"));
    }
    for (column, cell) in [("title", title), ("authors", authors), ("summary", summary)] {
        if cell.trim().is_empty() {
            flaw(column, "expected text, found nothing".to_owned());
        }
    }
    let year = year.parse().ok().filter(|year| YEARS.contains(year)).unwrap_or_else(|| {
        flaw("year", format!("expected a year, found `{year}`"));
        *YEARS.start()
    });
    let tags = list(tags, ",").into_iter().filter_map(|word| {
        tag(&word).or_else(|| {
            flaw("tags", format!("expected tags of the list ({}), found `{word}`", TAGS.join(", ")));
            None
        })
    });
    let tags = tags.collect();
    if !source.is_empty() && !source.starts_with("https://") {
        flaw("source", format!("expected an address that begins with https://, or nothing, found `{source}`"));
    }
    Some(Work {
        key: key.to_owned(),
        title: title.to_owned(),
        year,
        venue: venue.to_owned(),
        authors: list(authors, ";"),
        semantic_scholar_id: scholar.to_owned(),
        related: list(related, ","),
        summary: summary.to_owned(),
        tags,
        units: list(units, ","),
        arxiv: some(arxiv),
        source: some(source),
    })
}

/// Keys stand once, and those of others stand somewhere.
fn check_keys(works: &[(usize, Work)], flaws: &mut Vec<Flaw>) {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (line, work) in works {
        if let Some(before) = first.get(work.key.as_str()) {
            let message = format!("expected a key of its own, found `{}` of line {before} again", work.key);
            flaws.push(Flaw { line: *line, column: "key", message });
        } else {
            first.insert(&work.key, *line);
        }
    }
    for (line, work) in works {
        for key in work.related.iter().filter(|key| !first.contains_key(key.as_str()) || **key == work.key) {
            let message = format!("expected keys of other works of the table, found `{key}`");
            flaws.push(Flaw { line: *line, column: "related_keys", message });
        }
    }
}

fn list(cell: &str, between: &str) -> Vec<String> {
    cell.split(between).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn some(cell: &str) -> Option<String> {
    (!cell.is_empty()).then(|| cell.to_owned())
}

impl Work {
    /// The work as a document to search.
    #[must_use]
    pub fn document(&self) -> Document {
        let standing = self.source.clone().map_or(Standing::Unchecked, Standing::Checked);
        let related: BTreeSet<&String> = self.related.iter().collect();
        let links = related.into_iter().map(|key| Link { relation: Relation::BuildsOn, key: key.clone() }).collect();
        Document {
            year: Some(self.year),
            authors: self.authors.clone(),
            venue: self.venue.clone(),
            tags: self.tags.iter().map(|tag| (*tag).to_owned()).collect(),
            summary: self.summary.clone(),
            standing,
            units: self.units.clone(),
            links,
            ..Document::new(Kind::Work, &self.key, &self.title, &self.page())
        }
    }

    /// A page about the work: its own at arXiv, the one its summary was compared with, or its own at Semantic Scholar.
    #[must_use]
    pub fn page(&self) -> String {
        let arxiv = self.arxiv.as_ref().map(|number| format!("https://arxiv.org/abs/{number}"));
        let scholar =
            || some(&self.semantic_scholar_id).map(|id| format!("https://www.semanticscholar.org/paper/{id}"));
        arxiv.or_else(|| self.source.clone()).or_else(scholar).unwrap_or_else(|| "the shipped library".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ROW: [&str; 12] = [
        "slow",
        "A Slow Work",
        "2021",
        "A Place",
        "Ann One; Ben Two",
        "ab12",
        "",
        "Does something slowly.",
        "theory,gating",
        "",
        "2101.00001",
        "https://arxiv.org/abs/2101.00001",
    ];

    fn table(rows: &[[&str; 12]]) -> String {
        let lines = std::iter::once(&COLUMNS).chain(rows);
        lines.map(|row| row.join("\t")).collect::<Vec<_>>().join("\n")
    }

    /// The row with that cell.
    fn with(column: &str, cell: &'static str) -> [&'static str; 12] {
        let mut row = ROW;
        row[COLUMNS.iter().position(|name| *name == column).unwrap()] = cell;
        row
    }

    fn told(rows: &[[&str; 12]]) -> Vec<String> {
        parse(&table(rows)).unwrap_err().iter().map(Flaw::to_string).collect()
    }

    #[test]
    fn a_line_is_a_work() {
        let works = parse(&table(&[ROW, with("key", "fast")])).unwrap();
        assert_eq!(works[0].authors, ["Ann One", "Ben Two"]);
        assert_eq!(works[0].tags, ["theory", "gating"]);
        assert_eq!((works[0].year, works[0].units.len()), (2021, 0));
        assert_eq!(works[1].key, "fast");
    }

    #[test]
    fn every_flaw_is_told_with_its_line_and_column() {
        let flaws = told(&[
            with("year", "21"),
            with("key", "B A"),
            with("tags", "theory,magic"),
            with("summary", " "),
            with("source", "ftp://x"),
        ]);
        for (flaw, place) in flaws.iter().zip([
            "line 2, column `year`: expected a year, found `21`",
            "line 3, column `key`",
            "line 4, column `tags`",
            "line 4, column `key`: expected a key of its own, found `slow` of line 2",
        ]) {
            assert!(flaw.starts_with(place), "{flaw}");
        }
        assert!(flaws.iter().any(|flaw| flaw.contains("found `magic`")), "{flaws:?}");
        assert!(flaws.iter().any(|flaw| flaw.starts_with("line 5, column `summary`")), "{flaws:?}");
        assert!(flaws.iter().any(|flaw| flaw.starts_with("line 6, column `source`")), "{flaws:?}");
    }

    #[test]
    fn a_line_of_too_few_cells_and_a_wrong_head_are_told() {
        let broken = format!("{}\nslow\tA Slow Work", table(&[]));
        assert_eq!(parse(&broken).unwrap_err()[0].to_string(), "line 2: expected 12 cells parted by tabs, found 2");
        assert!(
            parse("name\ttitle").unwrap_err()[0].to_string().starts_with("line 1: expected the columns key, title")
        );
    }

    #[test]
    fn what_a_work_builds_on_is_in_the_table_and_not_itself() {
        let flaws = told(&[with("related_keys", "slow,gone")]);
        assert_eq!(flaws.len(), 2, "{flaws:?}");
        assert!(flaws[1].contains("column `related_keys`") && flaws[1].contains("`gone`"), "{flaws:?}");
    }

    #[test]
    fn a_summary_that_was_compared_with_nothing_is_unchecked() {
        let work = |row| parse(&table(&[row])).unwrap().remove(0);
        assert_eq!(work(ROW).document().standing, Standing::Checked(ROW[11].to_owned()));
        let unchecked = work(with("source", ""));
        assert_eq!(unchecked.document().standing, Standing::Unchecked);
        assert_eq!(unchecked.page(), "https://arxiv.org/abs/2101.00001");
    }
}

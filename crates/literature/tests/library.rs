//! The shipped works: the table has no flaw, its units exist, and every shipped mechanism has a work.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use genesys_literature::work::{LIBRARY, parse};
use genesys_literature::{Batch, Index, Kind, Query, Standing, Work, design, library, show};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().parent().unwrap()
}

/// The paths of the shipped designs in that folder.
fn designs(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".gau")).map(|name| format!("{folder}/{name}")).collect()
}

#[test]
fn the_table_has_no_flaw() {
    let works = parse(LIBRARY).unwrap_or_else(|flaws| panic!("{flaws:#?}"));
    assert!(works.len() >= 297, "{}", works.len());
    assert!(LIBRARY.lines().count() == works.len() + 1 && LIBRARY.ends_with('\n'));
}

#[test]
fn summaries_are_one_sentence_of_plain_words() {
    let told = |work: &Work| {
        let count = work.summary.split_whitespace().count();
        let is_plain = work.summary.is_ascii() && work.summary.ends_with('.') && !work.summary.contains('"');
        let praises = ["a novel", "state-of-the-art", "state of the art", "this paper", "we propose", "our method"];
        let praises = praises.iter().any(|word| work.summary.to_lowercase().contains(word));
        (!(10..=40).contains(&count) || !is_plain || praises || work.tags.is_empty() || work.tags.len() > 5)
            .then(|| format!("{}: {count} words, {:?}: {}", work.key, work.tags, work.summary))
    };
    let odd: Vec<String> = library().iter().filter_map(told).collect();
    assert!(odd.is_empty(), "{odd:#?}");
    let summaries: BTreeSet<String> = library().into_iter().map(|work| work.summary).collect();
    assert_eq!(summaries.len(), library().len(), "each its own");
}

#[test]
fn units_exist_and_every_mechanism_has_a_work() {
    let mut shipped = designs("designs/mechanisms");
    let mechanisms = shipped.clone();
    shipped.extend(designs("designs"));
    let named: BTreeSet<String> = library().into_iter().flat_map(|work| work.units).collect();
    assert_eq!(named.difference(&shipped).collect::<Vec<_>>(), [""; 0]);
    // Means of completed blocks as such, which many works pool by; it follows none of them.
    let of_no_one = "designs/mechanisms/multiscale.gau";
    assert_eq!(mechanisms.difference(&named).collect::<Vec<_>>(), [of_no_one], "mechanisms without a work");
}

#[test]
fn every_work_says_where_to_read_on() {
    for work in library() {
        let document = work.document();
        let says = document.source.starts_with("https://") || document.standing == Standing::Unchecked;
        assert!(says && !document.source.is_empty(), "{}: {}", work.key, document.source);
        assert_eq!(document.standing == Standing::Unchecked, work.source.is_none(), "{}", work.key);
    }
}

#[test]
fn questions_find_what_they_are_about() {
    let works = library();
    let mut index = Index::in_memory().unwrap();
    let documents = works.iter().map(Work::document).collect();
    index.replace("works", &[Batch::of("library", documents)]).unwrap();
    for (question, key) in [
        ("attention with linear biases", "alibi"),
        ("rotary position embedding", "roformer"),
        ("compressive transformer", "compressivetransformer"),
        ("big bird sparse attention", "bigbird"),
        ("Katharopoulos linear attention", "lineartransformer"),
    ] {
        let found = index.search(&Query { text: question, limit: 3, kinds: &[Kind::Work] }, None).unwrap();
        let keys: Vec<_> = found.hits.iter().map(|hit| hit.document.key.as_str()).collect();
        assert!(keys.contains(&key), "{question}: {keys:?}");
        let text = show::hits(&found);
        assert!(text.contains("why:    ") && text.contains("source: https://"), "{text}");
    }
}

#[test]
fn a_design_leads_to_the_works_that_it_implements() {
    let works = library();
    let path = "designs/mechanisms/alibi.gau";
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    let documents = design::documents(path, &text, &works);
    assert!(documents[0].links.iter().any(|link| link.key == "alibi"), "{:?}", documents[0].links);
    let alibi = works.iter().find(|work| work.key == "alibi").unwrap().document();
    let shown = show::document(&alibi, &[], &documents);
    assert!(shown.contains("is implemented by:\n  designs/mechanisms/alibi.gau"), "{shown}");
    let shown = show::document(&documents[0], &[alibi], &[]);
    assert!(shown.contains("implements:\n  alibi  Train Short"), "{shown}");
}

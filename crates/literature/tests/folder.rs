//! A user's folder: what is read, what is read again, and what a broken file does to the others.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use genesys_literature::folder::{Scan, pdf, scan};
use genesys_literature::{Index, Kind, Query};
use proptest::prelude::*;

/// A PDF of one page with that text, and a table of references that says where its parts lie.
fn pdf_of(text: &str) -> Vec<u8> {
    let content = format!("BT /F1 12 Tf 72 720 Td ({text}) Tj ET");
    let parts = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    let mut out = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (number, part) in (1..).zip(&parts) {
        places.push(out.len());
        out += &format!("{number} 0 obj\n{part}\nendobj\n");
    }
    let table = out.len();
    out += &format!("xref\n0 {}\n0000000000 65535 f \n", parts.len() + 1);
    places.iter().for_each(|place| out += &format!("{place:010} 00000 n \n"));
    out += &format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", parts.len() + 1);
    out.into_bytes()
}

fn fresh(folder: &Path) -> Scan {
    scan(folder, &BTreeMap::new(), &pdf::pages).unwrap()
}

fn sources(scan: &Scan) -> Vec<String> {
    let documents = scan.batches.iter().flat_map(|batch| &batch.documents);
    documents.map(|document| document.source.rsplit('/').next().unwrap().to_owned()).collect()
}

#[test]
fn every_form_is_read_and_says_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("deep/.hidden")).unwrap();
    for (name, text) in [
        ("a.bib", "@article{one, title = {One}, author = {A One}, year = 2020}"),
        ("b.md", "# First\nabout gates\n# Second\nabout states\n"),
        ("deep/c.TXT", "plain words\n"),
        ("d.rs", "fn not_read() {}"),
        (".e.txt", "hidden"),
        ("deep/.hidden/f.txt", "hidden"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("g.pdf"), pdf_of("Delta rules on a page")).unwrap();
    let scan = fresh(folder.path());
    assert_eq!(scan.troubles, []);
    assert_eq!(sources(&scan), ["a.bib, entry one", "b.md:1", "b.md:3", "c.TXT:1", "g.pdf, page 1"]);
    let mut index = Index::in_memory().unwrap();
    index.update("folder", &scan.batches, &scan.kept).unwrap();
    let found = index.search(&Query { text: "\"delta rules\"", limit: 5, kinds: &[Kind::File] }, None).unwrap();
    assert_eq!(found.hits[0].document.key, "g.pdf, page 1");
}

#[test]
fn only_what_changed_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("a.md", "one"), ("b.md", "two"), ("c.md", "three")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("bad.txt"), b"\xff\xfe").unwrap();
    fs::write(folder.path().join("p.pdf"), pdf_of("Once")).unwrap();
    let reads = Cell::new(0);
    let counting = |bytes: &[u8]| {
        reads.set(reads.get() + 1);
        pdf::pages(bytes)
    };
    let mut index = Index::in_memory().unwrap();
    let mut step = || {
        let scan = scan(folder.path(), &index.known("folder").unwrap(), &counting).unwrap();
        let change = index.update("folder", &scan.batches, &scan.kept).unwrap();
        (change.put, change.dropped, scan.troubles.len(), index.len().unwrap())
    };
    assert_eq!(step(), (5, 0, 1, 4));
    assert_eq!(step(), (0, 0, 1, 4), "a trouble is told again, without reading again");
    fs::write(folder.path().join("b.md"), "two and more").unwrap();
    fs::remove_file(folder.path().join("c.md")).unwrap();
    assert_eq!(step(), (1, 1, 1, 3));
    assert_eq!(reads.get(), 1);
}

#[test]
fn a_broken_file_has_one_message_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let good = pdf_of("Fine");
    let text = String::from_utf8(good.clone()).unwrap();
    let encrypted = text.replace("/Root 1 0 R", "/Root 1 0 R /Encrypt 9 0 R");
    let bads: [(&str, Vec<u8>); 7] = [
        ("bytes.md", b"# a\n\xff\xfe".to_vec()),
        ("cut.pdf", good[..good.len() / 2].to_vec()),
        ("empty.pdf", Vec::new()),
        ("encrypted.pdf", encrypted.into_bytes()),
        ("letters.pdf", b"these are letters".to_vec()),
        ("open.bib", b"@article{x, title = {".to_vec()),
        ("silent.pdf", pdf_of("")),
    ];
    for (name, bytes) in &bads {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    fs::write(folder.path().join("good.pdf"), &good).unwrap();
    let scan = fresh(folder.path());
    assert_eq!(sources(&scan), ["good.pdf, page 1"]);
    let told: Vec<_> = scan.troubles.iter().map(|trouble| trouble.file.as_str()).collect();
    assert_eq!(told, bads.each_ref().map(|(name, _)| *name));
    for trouble in &scan.troubles {
        assert!(trouble.message.starts_with("expected ") && !trouble.message.contains('\n'), "{trouble:?}");
    }
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::File::create(folder.path().join("huge.txt")).unwrap().set_len(9 << 20).unwrap();
    fs::write(folder.path().join("small.txt"), "small").unwrap();
    let scan = fresh(folder.path());
    assert_eq!(sources(&scan), ["small.txt:1"]);
    assert!(scan.troubles[0].message.contains("at most 8 MiB"), "{:?}", scan.troubles);
}

#[test]
fn a_folder_that_is_none_is_the_users_mistake_and_links_do_not_lead_around() {
    let folder = tempfile::tempdir().unwrap();
    let error = scan(&folder.path().join("none"), &BTreeMap::new(), &pdf::pages).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("cannot read the folder"), "{error}");
    std::os::unix::fs::symlink(folder.path(), folder.path().join("round")).unwrap();
    fs::write(folder.path().join("a.txt"), "once").unwrap();
    assert_eq!(sources(&fresh(folder.path())), ["a.txt:1"]);
}

proptest! {
    #[test]
    fn no_text_breaks_a_reader(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "@article{", "@string{", "@comment", "@", "key", ",", "=", "{", "}", "\"", "#", "\\", "\\'{e}", "\\&", "$x$", "title",
                " author = {A and B, C and {D}},", "year = 2020", "date = {2020-13-99}", "month = jan", "\n", "%", "--", "\u{e9}", "\u{202e}",
                "and", "``", "''", "~", "_", "^", "\\begin{", "crossref = {key},", "xdata = {key},", "keywords = {a, b}", "pages = {1--2}",
            ]),
            0..24,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let text: String = pieces.concat();
        for name in ["a.bib", "a.md", "a.txt"] {
            fs::write(folder.path().join(name), &text).unwrap();
        }
        let scan = fresh(folder.path());
        prop_assert_eq!(scan.batches.len(), 3);
        prop_assert!(scan.troubles.len() <= 1, "{:?}", scan.troubles);
    }
}

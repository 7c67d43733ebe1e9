//! Reading corpora: files, folders, bad input, and the default text of this machine.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use genesys_data::{Corpus, DataError, split};
use genesys_tokenize::Tokenizer;

fn write(root: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn names(corpus: &Corpus) -> Vec<&str> {
    corpus.documents().iter().map(|document| document.name.as_str()).collect()
}

#[test]
fn a_folder_is_read_in_the_order_of_names() {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("b.md", "b"),
        ("a/z.TXT", "z"),
        ("a/y.rst", "one\n\u{1e}\ntwo"),
        ("c.rs", "// not text"),
        (".git/x.txt", "hidden"),
        ("blank.txt", " \n"),
    ] {
        write(dir.path(), path, text);
    }
    write(dir.path(), "latin1.txt", b"caf\xe9");
    let corpus = Corpus::from_path(dir.path()).unwrap();
    assert_eq!(names(&corpus), ["a/y.rst#1", "a/y.rst#2", "a/z.TXT", "b.md"]);
    assert_eq!(corpus.skipped(), [dir.path().join("latin1.txt")]);
    assert_eq!(corpus.bytes(), 4 + 3 + 1 + 1);
}

#[test]
fn a_named_file_may_have_any_extension_and_keeps_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "notes.log", "\u{feff}line\r\n\0 tail ");
    let corpus = Corpus::from_path(&dir.path().join("notes.log")).unwrap();
    assert_eq!(names(&corpus), ["notes.log"]);
    assert_eq!(corpus.documents()[0].text, "\u{feff}line\r\n\0 tail ");
}

#[test]
fn the_hash_depends_on_texts_and_their_bounds_not_on_names() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "one/a.txt", "xy");
    write(dir.path(), "two/b.md", "xy");
    write(dir.path(), "three/a.txt", "x");
    write(dir.path(), "three/b.txt", "y");
    let hash = |name: &str| Corpus::from_path(&dir.path().join(name)).unwrap().hash().to_owned();
    assert_eq!(hash("one"), hash("two"));
    assert_ne!(hash("one"), hash("three"));
}

#[test]
fn bad_corpora_are_one_clear_error_each() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "bad.txt", b"ok \xff");
    write(dir.path(), "empty.txt", "");
    write(dir.path(), "none/code.c", "int x;");
    let error = |name: &str| Corpus::from_path(&dir.path().join(name)).unwrap_err();
    assert!(error("bad.txt").to_string().contains("offset 3"));
    assert!(error("empty.txt").to_string().contains("no text found"));
    assert!(error("none").to_string().contains(".md"));
    assert!(error("absent").to_string().contains("absent"));
    assert!(matches!(error("absent"), DataError::Io { .. }));
    for name in ["bad.txt", "empty.txt", "none", "absent"] {
        assert!(error(name).is_input(), "{name}");
    }
    let skipped = Corpus::from_path(dir.path()).unwrap_err().to_string();
    assert!(skipped.contains("1 files were left out"), "{skipped}");
}

/// The default text is there wherever this workspace was built; no network is needed to read it.
#[test]
fn the_default_text_is_large_whole_and_the_same_each_time() {
    let corpus = Corpus::default_text().unwrap();
    assert!((5_000_000..=24_000_000).contains(&corpus.bytes()), "{} bytes", corpus.bytes());
    assert_eq!(corpus.hash(), Corpus::default_text().unwrap().hash());
    let crates: BTreeSet<&str> = names(&corpus).iter().map(|name| name.split('/').next().unwrap()).collect();
    assert!(crates.len() >= 60, "{} crates", crates.len());
    assert!(crates.iter().any(|name| name.starts_with("serde-1.")));
    let sides = split(&corpus).unwrap();
    let train: BTreeSet<&str> = sides.train.iter().copied().collect();
    assert!(sides.validation.iter().all(|text| !train.contains(text)));
    let bytes = |side: &[&str]| side.iter().map(|text| text.len()).sum::<usize>() as f64;
    let share = bytes(&sides.validation) / (bytes(&sides.train) + bytes(&sides.validation));
    assert!((0.05..0.16).contains(&share), "{share}");
}

#[test]
fn training_on_the_default_text_gives_the_same_tokenizer_each_time() {
    let corpus = Corpus::default_text().unwrap();
    let sides = split(&corpus).unwrap();
    let train = || Tokenizer::train(sides.train.iter().copied(), 1024).unwrap();
    let (first, second) = (train(), train());
    assert_eq!(first.to_json(), second.to_json());
    assert_eq!(first.vocab_size(), 1024);
}

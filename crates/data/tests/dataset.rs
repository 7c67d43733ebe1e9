//! Datasets: cut from one document each, counted to the byte, cached, and honest about damage.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use genesys_data::{Batch, Corpus, DataError, Dataset, Document, split, tokenizer_for};
use genesys_tokenize::Tokenizer;

/// Documents whose every character tells which document it is from.
fn marked(count: u32, length: impl Fn(u32) -> u32) -> Corpus {
    let document = |i: u32| {
        let mark = char::from_u32(0x4e00 + i).unwrap();
        Document { name: i.to_string(), text: std::iter::repeat_n(mark, length(i) as usize).collect() }
    };
    Corpus::from_documents("test", (0..count).map(document).collect(), Vec::new()).unwrap()
}

fn prose() -> Corpus {
    let document = |i: usize| Document {
        name: i.to_string(),
        text: format!("Document {i}. ") + &"The quick brown fox — über alles — jumps.\n".repeat(3 + i % 17),
    };
    Corpus::from_documents("test", (0..200).map(document).collect(), Vec::new()).unwrap()
}

/// The tokens of each row that are text.
fn texts(batch: &Batch) -> Vec<&[u32]> {
    let row = |(r, length): (usize, &u32)| &batch.tokens[r * batch.width..][..*length as usize];
    batch.lengths.iter().enumerate().map(row).collect()
}

#[test]
fn no_row_crosses_documents() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = marked(300, |i| 5 + i % 60);
    let dataset = Dataset::prepare(&corpus, &Tokenizer::bytes(), dir.path()).unwrap();
    let rows = dataset.rows(32).unwrap();
    let mut batches: Vec<Batch> = rows.validation_batches(7, None).collect();
    batches.extend((0..200).map(|step| rows.train_batch(step, 4, 1)));
    for row in batches.iter().flat_map(texts) {
        let eos = row.iter().position(|token| *token == 256).unwrap_or(row.len());
        assert!(eos + 1 >= row.len(), "<eos> inside a row");
        // Each mark is three bytes, so a row's tokens repeat with period three within one document.
        assert!(row[..eos].iter().zip(&row[..eos][3.min(eos)..]).all(|(a, b)| a == b), "two documents in {row:?}");
    }
}

#[test]
fn every_validation_token_but_a_documents_first_is_predicted_once() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = prose();
    let tokenizer = tokenizer_for(&corpus, 300, dir.path()).unwrap();
    let dataset = Dataset::prepare(&corpus, &tokenizer, dir.path()).unwrap();
    let validation = split(&corpus).unwrap().validation;
    let first_bytes: u64 =
        validation.iter().map(|text| u64::from(tokenizer.byte_lengths()[tokenizer.encode(text)[0] as usize])).sum();
    let tokens: u64 = validation.iter().map(|text| tokenizer.encode(text).len() as u64).sum();
    for context in [1, 2, 7, 64] {
        let batches: Vec<Batch> = dataset.rows(context).unwrap().validation_batches(5, None).collect();
        let predictions: u64 = batches.iter().map(Batch::predictions).sum();
        let bytes: u64 = batches.iter().map(Batch::predicted_bytes).sum();
        // With <eos>, a document of n tokens has n predictions.
        assert_eq!(predictions, tokens, "context {context}");
        assert_eq!(bytes + first_bytes, dataset.info().validation.bytes, "context {context}");
        for batch in &batches {
            let mask: f32 = batch.mask().iter().sum();
            assert_eq!(mask as u64, batch.predictions());
            assert_eq!(batch.tokens.len(), batch.rows() * (context + 1));
            for (row, bytes) in texts(batch).iter().zip(&batch.bytes) {
                let counted: u64 = row[1..].iter().map(|t| u64::from(tokenizer.byte_lengths()[*t as usize])).sum();
                assert_eq!(counted, *bytes);
            }
        }
    }
}

#[test]
fn an_epoch_shows_every_full_train_row_once_and_the_next_in_another_order() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = marked(120, |i| 30 + i % 50);
    let dataset = Dataset::prepare(&corpus, &Tokenizer::bytes(), dir.path()).unwrap();
    let rows = dataset.rows(16).unwrap();
    let n = rows.train_rows();
    let mut expected: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
    let bytes = Tokenizer::bytes();
    for text in split(&corpus).unwrap().train {
        let mut tokens = bytes.encode(text);
        tokens.push(bytes.eos());
        for start in (0..tokens.len() - 1).step_by(16).filter(|start| start + 17 <= tokens.len()) {
            *expected.entry(tokens[start..start + 17].to_vec()).or_default() += 1;
        }
    }
    let epoch = |epoch: u64| (0..n).map(move |i| epoch * n + i);
    let row = |step: u64| rows.train_batch(step, 1, 9).tokens;
    let mut seen: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
    epoch(0).for_each(|step| *seen.entry(row(step)).or_default() += 1);
    assert_eq!(seen, expected);
    assert_ne!(epoch(0).map(row).collect::<Vec<_>>(), epoch(1).map(row).collect::<Vec<_>>());
}

#[test]
fn a_batch_is_a_function_of_seed_and_step() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = Dataset::prepare(&marked(120, |i| 60 + i), &Tokenizer::bytes(), dir.path()).unwrap();
    let rows = dataset.rows(16).unwrap();
    let again = Dataset::open(dataset.dir()).unwrap().rows(16).unwrap();
    let later = rows.train_batch(1_000_003, 8, 5);
    assert_eq!(later, again.train_batch(1_000_003, 8, 5));
    assert!(later.is_full());
    assert_ne!(later, rows.train_batch(1_000_003, 8, 6));
    assert_ne!(later, rows.train_batch(1_000_004, 8, 5));
    // Eight rows a step are the same rows as one row a step.
    let single: Vec<u32> = (80..88).flat_map(|step| rows.train_batch(step, 1, 5).tokens).collect();
    assert_eq!(rows.train_batch(10, 8, 5).tokens, single);
    let validation = |rows: &genesys_data::Rows| rows.validation_batches(3, None).collect::<Vec<_>>();
    assert_eq!(validation(&rows), validation(&again));
}

#[test]
fn a_limit_ends_validation_early_but_never_before_the_first_row() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = Dataset::prepare(&marked(300, |i| 40 + i % 60), &Tokenizer::bytes(), dir.path()).unwrap();
    let rows = dataset.rows(16).unwrap();
    let predictions = |limit| rows.validation_batches(4, limit).map(|batch| batch.predictions()).sum::<u64>();
    assert!((185..=200).contains(&predictions(Some(200))), "{}", predictions(Some(200)));
    assert!(predictions(Some(200)) < predictions(None));
    assert_eq!(rows.validation_batches(4, Some(0)).map(|batch| batch.rows()).collect::<Vec<_>>(), [1]);
    let few: Vec<u32> = rows.validation_batches(1, Some(200)).flat_map(|batch| batch.tokens).collect();
    let all: Vec<u32> = rows.validation_batches(1, None).flat_map(|batch| batch.tokens).collect();
    assert_eq!(few, all[..few.len()]);
}

#[test]
fn short_documents_are_trained_on_as_padded_rows() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = Dataset::prepare(&marked(200, |_| 4), &Tokenizer::bytes(), dir.path()).unwrap();
    let rows = dataset.rows(64).unwrap();
    assert_eq!(rows.train_rows() + rows.validation_rows(), 200);
    let batch = rows.train_batch(0, 3, 0);
    assert_eq!(batch.lengths, [13, 13, 13]);
    assert!(!batch.is_full());
    assert!(texts(&batch).iter().all(|row| row[12] == 256));
    assert_eq!((batch.predictions(), batch.predicted_bytes()), (36, 33));
    assert!(batch.tokens[13..65].iter().all(|token| *token == 256));
}

#[test]
fn too_short_for_a_context_says_how_much_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = Dataset::prepare(&marked(2, |i| 10 + i), &Tokenizer::bytes(), dir.path()).unwrap();
    assert!(dataset.rows(30).is_ok());
    let error = dataset.rows(31).unwrap_err();
    assert!(error.is_input());
    let text = error.to_string();
    assert!(text.contains("at least 32") && text.contains("found 31") && text.contains("context of 31"), "{text}");
}

#[test]
fn a_prepared_dataset_is_reused_and_known_by_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = prose();
    let first = Dataset::prepare(&corpus, &Tokenizer::bytes(), dir.path()).unwrap();
    let inode = |dataset: &Dataset| fs::metadata(dataset.dir().join("train.shard")).unwrap().ino();
    let before = inode(&first);
    let second = Dataset::prepare(&corpus, &Tokenizer::bytes(), dir.path()).unwrap();
    assert_eq!((second.info(), inode(&second)), (first.info(), before));
    let info = first.info();
    assert_eq!((info.corpus_documents, info.corpus_bytes, info.vocab_size), (200, corpus.bytes(), 257));
    assert_eq!(info.train.bytes + info.validation.bytes, corpus.bytes());
    assert_eq!(info.train.tokens, info.train.bytes + info.train.documents);
    let other = tokenizer_for(&corpus, 300, dir.path()).unwrap();
    assert_ne!(Dataset::prepare(&corpus, &other, dir.path()).unwrap().dir(), first.dir());
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&first);
    shared(&first.rows(8).unwrap());
}

#[test]
fn damage_is_named_by_open_and_repaired_by_prepare() {
    let dir = tempfile::tempdir().unwrap();
    let (corpus, bytes) = (prose(), Tokenizer::bytes());
    let good = Dataset::prepare(&corpus, &bytes, dir.path()).unwrap();
    let whole = good.rows(16).unwrap().train_batch(3, 8, 0);
    let folder = good.dir().to_owned();
    type Harm = (&'static str, fn(&Path));
    let damage: [Harm; 5] = [
        ("train.shard", |path| fs::write(path, &fs::read(path).unwrap()[..1000]).unwrap()),
        ("validation.shard", |path| fs::write(path, "something else").unwrap()),
        ("validation.shard", |path| assert!(fs::copy(path.with_file_name("train.shard"), path).unwrap() > 0)),
        ("tokenizer.json", |path| fs::write(path, "{").unwrap()),
        ("dataset.json", |path| fs::remove_file(path).unwrap()),
    ];
    for (name, harm) in damage {
        harm(&folder.join(name));
        let error = Dataset::open(&folder).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(matches!(error, DataError::Damaged { .. } | DataError::Io { .. }));
        let again = Dataset::prepare(&corpus, &bytes, dir.path()).unwrap();
        assert_eq!(again.info(), good.info());
        assert_eq!(again.rows(16).unwrap().train_batch(3, 8, 0), whole);
    }
}

#[test]
fn two_at_once_prepare_the_same_dataset() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = prose();
    let infos: Vec<_> = std::thread::scope(|scope| {
        let prepare = || Dataset::prepare(&corpus, &Tokenizer::bytes(), dir.path()).unwrap().info().clone();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(prepare)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(infos.iter().all(|info| *info == infos[0]));
    let files: BTreeSet<_> = fs::read_dir(Dataset::prepare(&corpus, &Tokenizer::bytes(), dir.path()).unwrap().dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = ["dataset.json", "tokenizer.json", "train.shard", "validation.shard"].map(str::to_owned);
    assert_eq!(files, expected.into());
}

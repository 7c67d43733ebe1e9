//! A model of sentences from a folder: a tiny BERT with drawn weights, and folders that are none.
//! `cargo test -p genesys-literature --features embeddings`.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use genesys_literature::bert::Bert;
use genesys_literature::{Batch, Document, Embed, Index, Kind, Query};

const WIDTH: usize = 8;

/// Writes a BERT of one layer that knows five words.
fn write(folder: &Path) {
    let config = serde_json::json!({
        "vocab_size": 6, "hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "max_position_embeddings": 12, "type_vocab_size": 2,
        "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0, "model_type": "bert",
    });
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "[UNK]",
                  "vocab": {"[PAD]": 0, "[UNK]": 1, "gates": 2, "fade": 3, "states": 4, "slowly": 5}},
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    candle_core::safetensors::save(&weights(), folder.join("model.safetensors")).unwrap();
}

fn weights() -> HashMap<String, Tensor> {
    let mut seed = 1u64;
    let mut drawn = |shape: &[usize]| {
        let numbers: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
    };
    let mut all = HashMap::new();
    for (name, rows) in [("word", 6), ("position", 12), ("token_type", 2)] {
        all.insert(format!("embeddings.{name}_embeddings.weight"), drawn(&[rows, WIDTH]));
    }
    let layer = "encoder.layer.0";
    for norm in [
        "embeddings.LayerNorm".to_owned(),
        format!("{layer}.attention.output.LayerNorm"),
        format!("{layer}.output.LayerNorm"),
    ] {
        all.insert(format!("{norm}.weight"), Tensor::ones(WIDTH, candle_core::DType::F32, &Device::Cpu).unwrap());
        all.insert(format!("{norm}.bias"), drawn(&[WIDTH]));
    }
    for (name, rows, columns) in [
        ("attention.self.query", WIDTH, WIDTH),
        ("attention.self.key", WIDTH, WIDTH),
        ("attention.self.value", WIDTH, WIDTH),
        ("attention.output.dense", WIDTH, WIDTH),
        ("intermediate.dense", 16, WIDTH),
        ("output.dense", WIDTH, 16),
    ] {
        all.insert(format!("{layer}.{name}.weight"), drawn(&[rows, columns]));
        all.insert(format!("{layer}.{name}.bias"), drawn(&[rows]));
    }
    all
}

fn near(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-5)
}

#[test]
fn a_text_has_one_vector_whatever_stands_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let model = Bert::open(folder.path()).unwrap();
    assert_eq!(model.width(), WIDTH);
    let long = "states fade slowly gates fade slowly states";
    let both = model.embed(&["gates fade", long]).unwrap();
    assert!(near(&both[0], &model.embed(&["gates fade"]).unwrap()[0]), "padding counts for nothing");
    assert!(near(&both[1], &model.embed(&[long]).unwrap()[0]));
    assert!(!near(&both[0], &both[1]));
    let cut = model.embed(&[&"fade ".repeat(500)]).unwrap();
    assert!(near(&cut[0], &model.embed(&[&"fade ".repeat(12)]).unwrap()[0]), "what the model cannot take is cut");
}

#[test]
fn an_index_is_searched_by_it() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let model = Bert::open(folder.path()).unwrap();
    let mut index = Index::in_memory().unwrap();
    let document = |title: &str| Document::new(Kind::Work, title, title, "x");
    index
        .replace("works", &[Batch::of("works", vec![document("gates fade"), document("states"), document("slowly")])])
        .unwrap();
    assert_eq!(index.embed(&model, |_| ()).unwrap(), 3);
    let found = index.search(&Query { text: "states", limit: 3, kinds: &[] }, Some(&model)).unwrap();
    assert_eq!((found.hits[0].document.key.as_str(), found.hits[0].by_meaning), ("states", Some(1)));
}

#[test]
fn a_folder_that_holds_no_model_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let said = |folder: &Path| Bert::open(folder).unwrap_err().to_string();
    assert!(said(folder.path()).contains("expected a file config.json"), "{}", said(folder.path()));
    for (name, bytes, expected) in [
        ("config.json", &b"{}"[..], "config.json of a BERT"),
        ("tokenizer.json", b"[1]", "tokenizer.json of a BERT"),
        ("model.safetensors", b"\x08\0\0\0\0\0\0\0nonsense", "weights of a BERT"),
    ] {
        write(folder.path());
        fs::write(folder.path().join(name), bytes).unwrap();
        assert!(said(folder.path()).contains(expected), "{}", said(folder.path()));
    }
}

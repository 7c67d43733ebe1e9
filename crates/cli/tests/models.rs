//! `init`, `forward` and `train`: from a design to numbers, and what happens when something is wrong.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Run, command, corpus, design, file, finished, genesys};
use genesys_train::tensors::{self, Table};

/// Draws a model of a shipped design at `nano`.
fn init(folder: &Path, name: &str, seed: &str) -> PathBuf {
    let out = folder.join(format!("{name}-{seed}.ckpt"));
    let file = design(&format!("{name}.gau"));
    let arguments = ["init", file.to_str().unwrap(), "--scale", "nano", "--seed", seed, "--out", out.to_str().unwrap()];
    genesys(arguments).ok();
    out
}

fn forward(checkpoint: &Path, tokens: &str, out: &Path, more: &[&str]) -> Run {
    let mut arguments =
        vec!["forward", checkpoint.to_str().unwrap(), "--tokens", tokens, "--out", out.to_str().unwrap()];
    arguments.extend(more);
    genesys(arguments)
}

fn table(path: &Path) -> Table {
    tensors::from_bytes(&fs::read(path).unwrap()).unwrap()
}

/// The mean of `-ln softmax(logits)[next token]` over `rows`, in f64.
fn mean_nats(logits: &[f32], rows: &[[usize; 5]], vocabulary: usize) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (row, tokens) in rows.iter().enumerate() {
        for t in 0..tokens.len() - 1 {
            let at = (row * tokens.len() + t) * vocabulary;
            let scores = &logits[at..at + vocabulary];
            let total: f64 = scores.iter().map(|score| f64::from(*score).exp()).sum();
            sum += total.ln() - f64::from(scores[tokens[t + 1]]);
            count += 1.0;
        }
    }
    sum / count
}

#[test]
fn forward_writes_logits_the_loss_they_give_and_every_gradient() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [[1, 2, 3, 4, 5], [250, 0, 256, 9, 9]];
    let tokens = file(folder.path(), "tokens.json", serde_json::to_string(&rows).unwrap());
    for name in ["gpt", "gla", "retnet", "mamba2", "octave"] {
        let checkpoint = init(folder.path(), name, "1");
        let out = folder.path().join("out.safetensors");
        forward(&checkpoint, &tokens, &out, &["--grads"]).ok();
        let given = table(&out);
        assert_eq!(given["logits"].shape, [2, 5, 257]);
        assert_eq!(given["loss"].shape, [0_usize; 0]);
        let expected = mean_nats(&given["logits"].values, &rows, 257);
        let loss = f64::from(given["loss"].values[0]);
        assert!((loss - expected).abs() < 1e-4, "{name}: the loss is {loss}, its logits give {expected}");
        let weights = table(&checkpoint.join("model.safetensors"));
        assert_eq!(given.len(), weights.len() + 2);
        for (weight, value) in &weights {
            let gradient = &given[&format!("grad.{weight}")];
            assert_eq!(gradient.shape, value.shape, "{name}: {weight}");
            assert!(gradient.values.iter().any(|g| *g != 0.0), "{name}: the gradient of {weight} is zero");
            assert!(gradient.values.iter().all(|g| g.is_finite()), "{name}: {weight}");
        }
        forward(&checkpoint, &tokens, &out, &[]).ok();
        assert_eq!(table(&out).len(), 2, "gradients only when asked for");
    }
}

#[test]
fn the_seed_decides_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let model = |checkpoint: &Path| fs::read(checkpoint.join("model.safetensors")).unwrap();
    let first = model(&init(folder.path(), "gpt", "7"));
    assert_eq!(model(&init(folder.path(), "gpt", "7")), first);
    assert_ne!(model(&init(folder.path(), "gpt", "8")), first);
}

/// Makes a checkpoint of GPT with the weights of a file.
fn init_with(folder: &Path, weights: &str) -> (PathBuf, Run) {
    let (file, out) = (design("gpt.gau"), folder.join("given.ckpt"));
    let arguments = ["init", file.to_str().unwrap(), "--scale", "nano", "--weights", weights, "--out"];
    (out.clone(), genesys(arguments.into_iter().chain([out.to_str().unwrap()])))
}

#[test]
fn weights_from_elsewhere_are_taken_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = init(folder.path(), "gpt", "7").join("model.safetensors");
    let (given, run) = init_with(folder.path(), drawn.to_str().unwrap());
    run.ok();
    assert_eq!(fs::read(given.join("model.safetensors")).unwrap(), fs::read(&drawn).unwrap());
    let tokens = file(folder.path(), "tokens.json", "[[1, 2, 3]]");
    forward(&given, &tokens, &folder.path().join("out.safetensors"), &[]).ok();
}

#[test]
fn weights_that_are_not_the_designs_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let whole = table(&init(folder.path(), "gpt", "7").join("model.safetensors"));
    let gain = "final.gain".to_owned();
    let (mut missing, mut other, mut shaped) = (whole.clone(), whole.clone(), whole);
    missing.remove(&gain);
    other.insert("final.bias".to_owned(), other[&gain].clone());
    shaped.get_mut(&gain).unwrap().shape = vec![8, 8];
    for (weights, part) in [(missing, "final.gain"), (other, "final.bias"), (shaped, "[8, 8]")] {
        let path = file(folder.path(), "weights.safetensors", tensors::to_bytes(&weights));
        let (out, run) = init_with(folder.path(), &path);
        let said = run.refused();
        assert!(said.contains(part), "{said}");
        assert!(!out.exists(), "nothing is written");
    }
    let path = file(folder.path(), "weights.safetensors", "no tensors");
    let said = init_with(folder.path(), &path).1.refused();
    assert!(said.contains("weights.safetensors") && said.contains("not a safetensors file"), "{said}");
    assert!(init_with(folder.path(), "nowhere.safetensors").1.refused().contains("nowhere.safetensors"));
}

#[test]
fn bad_tokens_are_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = init(folder.path(), "gpt", "0");
    let out = folder.path().join("out.safetensors");
    let cases = [
        ("[[1, 2], [3", "JSON"),
        ("{}", "JSON"),
        ("[]", "at least one row"),
        ("[[1, 2, 3], [4, 5]]", "row 1"),
        ("[[1], [2]]", "at least 2"),
        ("[[1, 257]]", "below 257"),
        ("[[1, -1]]", "-1"),
    ];
    for (json, part) in cases {
        let tokens = file(folder.path(), "tokens.json", json);
        let said = forward(&checkpoint, &tokens, &out, &[]).refused();
        assert!(said.contains(part) && said.contains("tokens.json"), "{json}: {said}");
        assert!(!out.exists(), "nothing is written");
    }
    assert!(forward(&checkpoint, "nowhere.json", &out, &[]).refused().contains("nowhere.json"));
}

#[test]
fn a_checkpoint_cut_off_or_of_another_design_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = file(folder.path(), "tokens.json", "[[1, 2]]");
    let out = folder.path().join("out.safetensors");
    let (gpt, gla) = (init(folder.path(), "gpt", "0"), init(folder.path(), "gla", "0"));

    let model = gpt.join("model.safetensors");
    let whole = fs::read(&model).unwrap();
    for length in [0, 7, whole.len() / 2, whole.len() - 1] {
        fs::write(&model, &whole[..length]).unwrap();
        let said = forward(&gpt, &tokens, &out, &[]).refused();
        assert!(said.contains("cut off"), "{length} bytes: {said}");
    }
    fs::copy(gla.join("model.safetensors"), &model).unwrap();
    let said = forward(&gpt, &tokens, &out, &[]).refused();
    assert!(said.contains("model.safetensors"), "{said}");
    fs::write(&model, &whole).unwrap();
    forward(&gpt, &tokens, &out, &[]).ok();

    let config = gpt.join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    let other = text.replace("past(v)", "past(k)");
    assert_ne!(other, text, "the config holds the design's text");
    fs::write(&config, other).unwrap();
    let said = forward(&gpt, &tokens, &out, &[]).refused();
    assert!(said.contains("design"), "{said}");
    for path in [folder.path().join("nowhere"), folder.path().to_owned(), design("gpt.gau")] {
        let said = forward(&path, &tokens, &out, &[]).refused();
        assert!(said.contains("checkpoint"), "{said}");
    }
}

/// Trains GPT for a few steps on `text`.
fn train(folder: &Path, text: &Path, out: &Path, steps: &str) -> Run {
    train_with(folder, text, out, steps, &[])
}

fn train_with(folder: &Path, text: &Path, out: &Path, steps: &str, more: &[&str]) -> Run {
    let design = design("gpt.gau");
    let arguments = ["train", design.to_str().unwrap(), "--scale", "nano", "--steps", steps, "--seed", "3"];
    let mut command = command(arguments);
    command.arg("--corpus").arg(text).arg("--out").arg(out).args(more).env("GENESYS_CACHE", folder.join("cache"));
    finished(command.output().unwrap())
}

#[test]
fn training_learns_and_gives_the_same_bits_again() {
    let folder = tempfile::tempdir().unwrap();
    let text = corpus(folder.path());
    let (first, second) = (folder.path().join("first.ckpt"), folder.path().join("second.ckpt"));
    let said = train(folder.path(), &text, &first, "12").ok();
    let bits = |when: &str| -> f64 {
        let line = said.lines().find(|line| line.starts_with(when)).unwrap();
        line[when.len()..].trim().split(' ').next().unwrap().parse().unwrap()
    };
    assert!(bits("trained") < bits("untrained"), "{said}");
    train_with(folder.path(), &text, &second, "12", &["--threads", "3", "--memory", "1G"]).ok();
    let model = |checkpoint: &Path| fs::read(checkpoint.join("model.safetensors")).unwrap();
    assert_eq!(model(&first), model(&second), "nor do the threads matter");
}

#[test]
fn a_training_in_bf16_says_so_in_its_checkpoint_and_goes_on_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = corpus(folder.path());
    let out = folder.path().join("narrow.ckpt");
    let said = train_with(folder.path(), &text, &out, "3", &["--precision", "bf16"]);
    let config = fs::read_to_string(out.join("config.json")).unwrap();
    // Without the instructions it is a training in f32, which is told.
    let told = said.stderr.contains("does not multiply numbers in bf16, so it trains in f32");
    assert_eq!(config.contains("\"precision\": \"bf16\""), !told, "{config}");
    let refused = train_with(folder.path(), &text, &folder.path().join("other.ckpt"), "3", &["--precision", "f16"]);
    let why = refused.refused();
    assert!(why.contains("expected f32 or bf16, found `f16`"), "{why}");
}

#[test]
fn what_needs_more_memory_than_it_may_is_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let (text, out) = (corpus(folder.path()), folder.path().join("out.ckpt"));
    let said = train_with(folder.path(), &text, &out, "12", &["--memory", "1M"]).refused();
    assert!(said.contains("the training needs ") && said.contains("and 1.0 MiB are allowed"), "{said}");
    assert!(!out.exists() && !said.contains("step"), "{said}");
    let said = train_with(folder.path(), &text, &out, "12", &["--memory", "much"]).refused();
    assert!(said.contains("as 750M or 4G"), "{said}");
}

#[test]
fn where_not_all_rows_fit_fewer_are_in_memory_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (text, out) = (corpus(folder.path()), folder.path().join("out.ckpt"));
    let told = "rows of a step are in memory at a time, and their gradients are summed";
    let said = train_with(folder.path(), &text, &out, "2", &["--memory", "1M"]).refused();
    let (_, least) = said.split_once("needs ").unwrap();
    assert!(least.contains("with 1 row at a time"), "{said}");
    // Room for one row of which all is kept, which is more than the least.
    let least: f64 = least.split(' ').next().unwrap().parse().unwrap();
    let room = format!("{}K", (least * 2.0 * 1024.0) as u64);
    let model = || fs::read(out.join("model.safetensors")).unwrap();
    let fitted = train_with(folder.path(), &text, &out, "2", &["--memory", &room]);
    assert!(fitted.stderr.contains(told), "{}", fitted.stderr);
    fitted.ok();
    let chosen = model();
    let config = fs::read_to_string(out.join("config.json")).unwrap();
    let (_, rows) = config.split_once("\"rows_at_a_time\": ").unwrap();
    let rows: String = rows.chars().take_while(char::is_ascii_digit).collect();
    train_with(folder.path(), &text, &out, "2", &["--rows-at-a-time", &rows]).ok();
    assert_eq!(model(), chosen, "by hand it is the same cut");
    let lean = train_with(folder.path(), &text, &out, "2", &["--rows-at-a-time", "2", "--recompute", "all"]);
    assert!(lean.stderr.contains("blocks are computed again on the way back"), "{}", lean.stderr);
    lean.ok();
    let said = train_with(folder.path(), &text, &out, "2", &["--recompute", "some"]).refused();
    assert!(said.contains("expected little, elements, products, all"), "{said}");
    let said = train_with(folder.path(), &text, &out, "2", &["--rows-at-a-time", "0"]).refused();
    assert!(said.contains("1 or more"), "{said}");
}

#[test]
fn text_that_is_empty_too_short_or_no_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.ckpt");
    let path = |name: &str, content: &[u8]| PathBuf::from(file(folder.path(), name, content));
    fs::create_dir(folder.path().join("nothing")).unwrap();
    let cases = [
        (path("empty.txt", b""), "no text"),
        (path("blank.txt", b" \n\n"), "no text"),
        (path("short.txt", b"Once upon a time."), "too short"),
        (path("bytes.txt", b"ab\xff\xfecd"), "UTF-8"),
        (folder.path().join("nothing"), "no text"),
        (folder.path().join("nowhere"), "nowhere"),
    ];
    for (text, part) in cases {
        let said = train(folder.path(), &text, &out, "2").refused();
        assert!(said.contains(part), "{}: {said}", text.display());
        assert!(!out.exists());
    }
}

#[test]
fn a_design_that_does_not_run_at_the_scale_is_told_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(design("gpt.gau")).unwrap().replace("H = 8, E = D / 8", "H = D / 48, E = 48");
    let path = file(folder.path(), "a.gau", text);
    let out = folder.path().join("out.ckpt");
    let said = genesys(["init", &path, "--scale", "nano", "--out", out.to_str().unwrap()]).refused();
    assert!(said.contains("requirement"), "{said}");
    assert!(!out.exists());
}

//! Backward passes as IR against the gradients of the runtime, which candle derives by itself.
//!
//! A design is compiled and differentiated; the interpreter runs the backward pass in f64 on whole rows, one element at a
//! time, and the runtime the design, also in f64. Losses and the gradient of every weight must be the same. The validator must
//! take every backward pass, and the text form give it back.

mod hold;

use std::path::{Path, PathBuf};

use genesys_ladder::Scale;
use hold::{Sample, compiled, differences, differentiated};

/// The designs of a folder, by name.
fn designs(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the root");
    let files = std::fs::read_dir(root.join(folder)).expect("the folder is there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a readable folder").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "gau"));
    paths.sort();
    assert!(!paths.is_empty(), "no design in {folder}");
    let text = |path: PathBuf| {
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).expect("a readable file"))
    };
    paths.into_iter().map(text).collect()
}

/// What is wrong with the backward pass of a text, at the first width at which it compiles and its loss is a number.
fn wrong(name: &str, text: &str) -> Vec<String> {
    let mut why = String::new();
    for width in [8, 16, 32, 64] {
        let scale = Scale { width, blocks: 2, vocabulary: 11, ..Scale::named("nano").expect("the first rung") };
        let held = compiled(name, text, &scale).and_then(|module| {
            let (backward, sample) = (differentiated(&module)?, Sample::drawn(11, 9));
            differences(&module, &backward, &sample)
        });
        match held {
            Ok(found) => return found.into_iter().map(|found| format!("{name}: {found}")).collect(),
            Err(error) => why = error,
        }
    }
    vec![format!("{name}: {why}")]
}

fn hold_all(designs: Vec<(String, String)>) {
    let only = std::env::var("GENESYS_DESIGN").ok();
    let asked = designs.into_iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name));
    let found: Vec<String> = asked.flat_map(|(name, text)| wrong(&name, &text)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn shipped_designs_have_the_gradients_of_the_oracle() {
    hold_all(designs("designs"));
}

#[test]
fn mechanisms_have_the_gradients_of_the_oracle() {
    hold_all(designs("designs/mechanisms"));
}

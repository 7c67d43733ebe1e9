//! A design in the Rust text is a model, and its errors are drawn where they were made.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};

genesys_macros::design! {
    mod tiny {
        //! A mean of what was, behind a comment: `// é`.
        design Tiny { stack = [Block*] }

        /// Adds what it saw.
        unit Block(x: Seq[D]) -> Seq[D] {
            let seen = linear[D -> D](mean[Past](past(x))) // a line
            [D -> D](x) + seen - shift(x, 2)
        }
    },
    scale = "nano", vocabulary = 11
}

#[test]
fn a_design_in_the_rust_text_is_a_model() {
    let weights = VarMap::new();
    let model = tiny::Tiny::new(VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu)).unwrap();
    let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu).unwrap();
    assert_eq!(model.forward(&tokens).unwrap().dims(), [1, 3, 11]);
    assert_eq!((tiny::NAME, tiny::SCALE), ("Tiny", "nano"));
    assert!(tiny::SOURCE.contains("// a line\n            [D -> D](x) + seen"), "{}", tiny::SOURCE);
}

/// The library of the macro that this test was built with.
fn library() -> PathBuf {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mine = files.filter(|path| {
        name(path).starts_with("libgenesys_macros-") && name(path).ends_with(std::env::consts::DLL_SUFFIX)
    });
    mine.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).unwrap()
}

/// What rustc says of a program, one message a line: `place: error: words`.
fn told(program: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("program.rs");
    std::fs::write(&file, program).unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--error-format=short", "--out-dir"]);
    rustc.arg(folder.path()).arg("--extern").arg(format!("genesys_macros={}", library().display())).arg(file);
    let output = rustc.env("CARGO_MANIFEST_DIR", folder.path()).output().unwrap();
    assert!(!output.status.success(), "the program compiles");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn errors_are_drawn_at_the_words_they_speak_of() {
    let program = r"genesys_macros::design! {
    mod tiny {
        design Tiny { stack = [Block*] }
        // Lines count, and é is one column.
        unit Block(x: Seq[D]) -> Seq[D] {
            shift(x, -1) + silo(x)
        }
    }
}
";
    let said = told(program);
    assert!(said.contains("program.rs:6:22: error: expected a number >= 0, found -1"), "{said}");
    assert!(said.contains("program.rs:6:28: error: ") && said.contains("`silo`"), "{said}");
    assert!(said.contains("help: write `silu` for `silo`"), "{said}");
    assert!(said.contains("with T = 2: position 0"), "{said}");
}

#[test]
fn a_sketch_what_is_no_design_and_what_another_macro_writes_are_told() {
    let hole = "genesys_macros::design! { mod a {\ndesign A { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D];\n} }";
    assert!(told(hole).contains("program.rs:3:"), "{}", told(hole));
    let empty = told("genesys_macros::design! { mod a {} }");
    assert!(empty.contains("program.rs:1:33: error: ") && empty.contains("design"), "{empty}");
    let neither = told("genesys_macros::design! { mod a }");
    assert!(neither.contains("expected `= \"designs/name.gau\"`, or `{` and the text of a design"), "{neither}");
    let written = "macro_rules! m { ($($t:tt)*) => { genesys_macros::design! { mod a { design $($t)* } } } }\n\
        m! { A { stack = [] } }";
    assert!(told(written).contains("error"), "{}", told(written));
}

//! What the tests of this crate share: every shipped design and mechanism, and the context of all scales.

#![allow(clippy::unwrap_used, dead_code)]

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use genesys_check::{CheckedDesign, Library, check};
use genesys_genetic::Context;
use genesys_ladder::Scale;
use genesys_span::Sources;
use genesys_syntax::ast::File;

pub(crate) static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::new(read(genesys_stdlib::TEXT)));

/// Every design of `designs/`, by file name.
pub(crate) static DESIGNS: LazyLock<Vec<CheckedDesign>> = LazyLock::new(|| designs_in("designs"));

/// Every design of `designs/mechanisms/`, by file name, behind those of `designs/`.
pub(crate) static MECHANISMS: LazyLock<Vec<CheckedDesign>> =
    LazyLock::new(|| DESIGNS.iter().cloned().chain(designs_in("designs/mechanisms")).collect());

pub(crate) static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new(&LIBRARY, &DESIGNS, &Scale::all()));

/// The designs of a folder, by file name.
fn designs_in(folder: &str) -> Vec<CheckedDesign> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths.iter().map(|path| design(&fs::read_to_string(path).unwrap())).collect()
}

/// The tree of a text without errors.
pub(crate) fn read(text: &str) -> File {
    let mut sources = Sources::default();
    let id = sources.add("test.gau", text);
    let parsed = genesys_syntax::parse(&sources, id);
    assert!(parsed.diagnostics.is_empty(), "{:?}\n{text}", parsed.diagnostics);
    parsed.file
}

/// A text that checks.
pub(crate) fn design(text: &str) -> CheckedDesign {
    check(&Arc::new(read(text)), &LIBRARY).design.unwrap()
}

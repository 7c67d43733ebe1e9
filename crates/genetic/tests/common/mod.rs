//! What the tests of this crate share: the shipped designs and one odd one as parents, and what
//! every offspring must be.

#![allow(clippy::unwrap_used, dead_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use genesys_check::{Checked, CheckedDesign, Library, check};
use genesys_genetic::{Context, Offspring};
use genesys_ladder::Scale;
use genesys_span::Sources;
use genesys_syntax::ast::File;
use genesys_syntax::{parse, print};

pub(crate) static STD: LazyLock<Library> = LazyLock::new(|| Library::new(read(genesys_stdlib::TEXT)));
pub(crate) static SCALES: LazyLock<Vec<Scale>> = LazyLock::new(Scale::all);
/// Every design of `designs/`, by file name, and a design made of the language's less common forms.
pub(crate) static PARENTS: LazyLock<Vec<CheckedDesign>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../designs");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    let shipped = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    shipped.chain([include_str!("../odd.gau").to_string()]).map(|text| checked(&text).design.unwrap()).collect()
});
pub(crate) static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new(&STD, &PARENTS, &SCALES));

/// The parent of that name.
pub(crate) fn named(name: &str) -> &'static CheckedDesign {
    PARENTS.iter().find(|parent| parent.name() == name).unwrap()
}

/// The tree of a text without errors.
pub(crate) fn read(text: &str) -> File {
    let mut sources = Sources::default();
    let id = sources.add("test.gau", text);
    let parsed = parse(&sources, id);
    assert!(parsed.diagnostics.is_empty(), "{:?}\n{text}", parsed.diagnostics);
    parsed.file
}

/// What checking a text gives.
pub(crate) fn checked(text: &str) -> Checked {
    check(&Arc::new(read(text)), &STD)
}

/// What every offspring must be; `seen` are the hashes it must differ from.
pub(crate) fn assert_sound(child: &Offspring, seen: &mut BTreeSet<String>) {
    let Offspring { design, operator, detail, .. } = child;
    let text = &child.text();
    let again = checked(text);
    assert!(again.diagnostics.is_empty(), "{operator} {detail}: {:#?}\n{text}", again.diagnostics);
    assert_eq!(again.design.unwrap().hash(), design.hash(), "{operator} {detail}\n{text}");
    assert_eq!(print(&read(text)), *text, "{operator} {detail}: not canonical");
    assert!(seen.insert(design.hash().to_string()), "{operator} {detail}: stands twice\n{text}");
    for scale in SCALES.iter() {
        assert!(design.at_scale(scale).is_ok(), "{operator} {detail} does not run at {}\n{text}", scale.name);
    }
}

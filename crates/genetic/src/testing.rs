//! What the tests of this crate share: texts, the standard units, the shipped designs.

use std::sync::LazyLock;

use genesys_span::Sources;
use genesys_syntax::ast::File;

use crate::genome::Source;

/// Parses a text that must be free of errors.
pub(crate) fn parse(text: &str) -> File {
    let mut sources = Sources::default();
    let id = sources.add("test.gau", text);
    let parsed = genesys_syntax::parse(&sources, id);
    assert!(parsed.diagnostics.is_empty(), "{:?}\n{text}", parsed.diagnostics);
    parsed.file
}

/// The standard units.
pub(crate) fn std() -> &'static Source {
    static STD: LazyLock<Source> = LazyLock::new(|| Source::standard(&parse(genesys_stdlib::TEXT)));
    &STD
}

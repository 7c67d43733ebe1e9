//! From a text to a checked design, with every diagnostic on the way.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use genesys_check::{CheckedDesign, Library, Sketch};
use genesys_diag::{Code, Diagnostic};
use genesys_span::{FileId, Sources};
use genesys_syntax::ast;

/// What became of a text.
#[derive(Clone, Debug)]
pub struct CheckedText {
    /// The texts that diagnostics point into: the standard units, then the user's.
    pub sources: Sources,
    /// The user's text in them.
    pub file: FileId,
    /// The syntax tree, as far as it could be read.
    pub syntax: Arc<ast::File>,
    /// The design, where no error and no hole was found.
    pub design: Option<CheckedDesign>,
    /// The sketch, where no error was found, and holes were.
    pub sketch: Option<Sketch>,
    /// Errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// The standard units, parsed and checked once a process.
static STD: LazyLock<Library> = LazyLock::new(|| {
    let mut sources = Sources::default();
    let file = sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
    Library::new(genesys_syntax::parse(&sources, file).file)
});

/// The standard units.
pub fn standard_units() -> &'static Library {
    &STD
}

/// Parses and checks a text; `name` is what diagnostics call it.
pub fn check_text(name: &str, text: &str) -> CheckedText {
    let mut sources = Sources::default();
    // The standard units are the first file, as in `STD`, whose spans diagnostics may hold.
    sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
    let file = sources.add(name, text);
    let parsed = genesys_syntax::parse(&sources, file);
    let mut diagnostics = parsed.diagnostics;
    let unread = diagnostics.iter().any(Diagnostic::is_error);
    let syntax = Arc::new(parsed.file);
    let checked = genesys_check::check(&syntax, &STD);
    let declared = declared(text);
    let own = checked.diagnostics.into_iter().filter(|d| !unread || !follows_from_syntax(&sources, d, &declared));
    diagnostics.extend(own);
    diagnostics.sort_by_key(|d| d.primary.span);
    let (design, sketch) = (checked.design.filter(|_| !unread), checked.sketch.filter(|_| !unread));
    CheckedText { sources, file, syntax, design, sketch, diagnostics }
}

/// Whether an error may come from an item that could not be read: a name that the text declares
/// all the same, or a design whose place in the file could not be made out.
fn follows_from_syntax(sources: &Sources, diagnostic: &Diagnostic, declared: &BTreeSet<&str>) -> bool {
    match diagnostic.code {
        Code::UNKNOWN_NAME => declared.contains(sources.text(diagnostic.primary.span)),
        Code::DESIGN_COUNT | Code::DESIGN_FIELD => true,
        _ => false,
    }
}

/// The units that a text declares or imports, by the look of it.
fn declared(text: &str) -> BTreeSet<&str> {
    let names = |rest: &'static str| {
        text.lines().filter_map(move |line| line.trim_start().strip_prefix(rest)).flat_map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|name| !name.is_empty())
        })
    };
    let units = text
        .lines()
        .filter_map(|line| line.strip_prefix("unit "))
        .filter_map(|rest| rest.trim_start().split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next());
    names("use ").chain(units).collect()
}

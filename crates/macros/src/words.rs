//! A diagnostic in the words of one message: rustc draws its place itself.
//!
//! In: a diagnostic of a design that stands in the Rust text. Out: what is wrong, further places by their words and lines,
//! the smallest case, and the way out.

use genesys_diag::Diagnostic;
use genesys_span::{Sources, Span};

use crate::here::Here;

/// Everything the diagnostic says.
pub(crate) fn of(found: &Diagnostic, here: &Here, sources: &Sources) -> String {
    let words = |span: Span| sources.get(span.file).text.get(span.range()).unwrap_or_default();
    let place = |span: Span| match span.file == found.primary.span.file {
        true => format!("line {}", here.line(span.range().start)),
        false => sources.get(span.file).name.clone(),
    };
    let mut lines = vec![format!("{} [{}]", found.message, found.code)];
    if !found.primary.message.is_empty() {
        lines.push(found.primary.message.clone());
    }
    lines.extend(
        found
            .secondary
            .iter()
            .map(|label| format!("note: `{}` in {}: {}", words(label.span), place(label.span), label.message)),
    );
    lines.extend(found.counterexample.iter().map(|case| format!("note: {}", case.sentence(sources))));
    lines.extend(found.help.iter().map(|help| format!("help: {help}")));
    lines.extend(found.edit.iter().map(|edit| match words(edit.span) {
        "" => format!("help: add `{}`", edit.replacement.trim()),
        old => format!("help: write `{}` for `{old}`", edit.replacement),
    }));
    lines.join("\n")
}

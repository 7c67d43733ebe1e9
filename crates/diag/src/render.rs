//! The three forms of a diagnostic.

use annotate_snippets::{AnnotationKind, Level, Patch, Renderer, Snippet};
use genesys_span::Sources;
use serde::Serialize;

use crate::{Diagnostic, Severity};

/// One line: `file:line:column: error[code]: message; help`.
pub fn render_short(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let span = diagnostic.primary.span;
    let at = sources.position(span.file, span.start);
    let mut line = format!(
        "{}:{}:{}: {}[{}]: {}",
        sources.get(span.file).name,
        at.line,
        at.column,
        diagnostic.severity.name(),
        diagnostic.code,
        diagnostic.message
    );
    if let Some(help) = &diagnostic.help {
        line.push_str("; help: ");
        line.push_str(help);
    }
    line.replace('\n', " ")
}

/// The annotated source, over several lines, with colors where `color` asks for them.
pub fn render_text(sources: &Sources, diagnostic: &Diagnostic, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str()).element(
        snippet(sources, diagnostic.primary.span).annotation(
            AnnotationKind::Primary
                .span(clamped(sources, diagnostic.primary.span))
                .label(diagnostic.primary.message.as_str()),
        ),
    );
    for label in &diagnostic.secondary {
        group = group.element(
            snippet(sources, label.span)
                .annotation(AnnotationKind::Context.span(clamped(sources, label.span)).label(label.message.as_str())),
        );
    }
    let mut report = vec![group];
    match (&diagnostic.help, &diagnostic.edit) {
        (help, Some(edit)) => {
            let source = sources.get(edit.span.file);
            let patch = Patch::new(clamped(sources, edit.span), edit.replacement.as_str());
            let title = help.as_deref().unwrap_or("write this instead");
            report.push(
                Level::HELP
                    .secondary_title(title)
                    .element(Snippet::source(source.text.as_str()).path(source.name.as_str()).patch(patch)),
            );
        }
        (Some(help), None) => {
            let last = report.pop().expect("the title's group was just put there");
            report.push(last.element(Level::HELP.message(help.as_str())));
        }
        (None, None) => {}
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&report).to_string()
}

/// One JSON object on one line: code, severity, message, file, byte span, line, column, help, edit.
pub fn render_json(sources: &Sources, diagnostic: &Diagnostic) -> String {
    #[derive(Serialize)]
    struct Json<'a> {
        code: &'a str,
        severity: &'a str,
        message: &'a str,
        file: &'a str,
        span: [u32; 2],
        line: usize,
        column: usize,
        label: &'a str,
        related: Vec<JsonLabel<'a>>,
        help: Option<&'a str>,
        edit: Option<JsonEdit<'a>>,
    }
    #[derive(Serialize)]
    struct JsonLabel<'a> {
        file: &'a str,
        span: [u32; 2],
        message: &'a str,
    }
    #[derive(Serialize)]
    struct JsonEdit<'a> {
        file: &'a str,
        span: [u32; 2],
        replacement: &'a str,
    }
    let span = diagnostic.primary.span;
    let at = sources.position(span.file, span.start);
    let json = Json {
        code: diagnostic.code.as_str(),
        severity: diagnostic.severity.name(),
        message: &diagnostic.message,
        file: &sources.get(span.file).name,
        span: [span.start, span.end],
        line: at.line,
        column: at.column,
        label: &diagnostic.primary.message,
        related: diagnostic
            .secondary
            .iter()
            .map(|l| JsonLabel {
                file: &sources.get(l.span.file).name,
                span: [l.span.start, l.span.end],
                message: &l.message,
            })
            .collect(),
        help: diagnostic.help.as_deref(),
        edit: diagnostic.edit.as_ref().map(|e| JsonEdit {
            file: &sources.get(e.span.file).name,
            span: [e.span.start, e.span.end],
            replacement: &e.replacement,
        }),
    };
    serde_json::to_string(&json).expect("strings and numbers serialize")
}

fn snippet<'a>(sources: &'a Sources, span: genesys_span::Span) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let source = sources.get(span.file);
    Snippet::source(source.text.as_str()).path(source.name.as_str()).fold(true)
}

/// The span's range, moved onto the text and onto character boundaries.
fn clamped(sources: &Sources, span: genesys_span::Span) -> std::ops::Range<usize> {
    let text = &sources.get(span.file).text;
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start as usize);
    start..floor(span.end as usize).max(start)
}

#[cfg(test)]
mod tests {
    use genesys_span::{Sources, Span};

    use super::*;
    use crate::Code;

    fn sample() -> (Sources, Diagnostic) {
        let mut sources = Sources::default();
        let file = sources.add("a.gau", "unit A(x: Seq[D]) -> Seq[D] {\n    y\n}\n");
        let span = Span::new(file, 34, 35);
        let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, span, "no value is named `y` here")
            .at("not found")
            .label(Span::new(file, 7, 8), "did you mean this")
            .help("use `x`")
            .edit(span, "x");
        (sources, diagnostic)
    }

    #[test]
    fn short_is_one_line_that_makes_sense_alone() {
        let (sources, diagnostic) = sample();
        assert_eq!(
            render_short(&sources, &diagnostic),
            "a.gau:2:5: error[unknown-name]: no value is named `y` here; help: use `x`"
        );
    }

    #[test]
    fn text_shows_the_place_and_the_way_out() {
        let (sources, diagnostic) = sample();
        let text = render_text(&sources, &diagnostic, false);
        for part in ["error[unknown-name]", "a.gau:2:5", "not found", "did you mean this", "use `x`"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn json_is_one_object_on_one_line() {
        let (sources, diagnostic) = sample();
        let json = render_json(&sources, &diagnostic);
        assert!(!json.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(value["code"], "unknown-name");
        assert_eq!(value["span"], serde_json::json!([34, 35]));
        assert_eq!((&value["line"], &value["column"]), (&2.into(), &5.into()));
        assert_eq!(value["edit"]["replacement"], "x");
    }
}

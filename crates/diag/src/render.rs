//! The two forms of a diagnostic that a person reads.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};
use genesys_span::Sources;

use crate::{Counterexample, Diagnostic, Severity};

/// One line: `file:line:column: error[code]: message; counterexample; help`.
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
    if let Some(case) = &diagnostic.counterexample {
        line.push_str("; ");
        line.push_str(&case.sentence(sources));
    }
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
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
    let source = sources.get(diagnostic.primary.span.file);
    let mut group = match source.text.is_empty() {
        // Nothing to draw: a file that could not be read, or has nothing in it.
        true => title.element(Origin::path(source.name.as_str())),
        false => title.element(
            snippet(sources, diagnostic.primary.span).annotation(
                AnnotationKind::Primary
                    .span(clamped(sources, diagnostic.primary.span))
                    .label(diagnostic.primary.message.as_str()),
            ),
        ),
    };
    for label in &diagnostic.secondary {
        group = group.element(
            snippet(sources, label.span)
                .annotation(AnnotationKind::Context.span(clamped(sources, label.span)).label(label.message.as_str())),
        );
    }
    let case = diagnostic.counterexample.as_ref().map(|case| (case, case.sentence(sources)));
    let mut report = vec![group];
    report.extend(case.as_ref().map(|(case, sentence)| shown(sources, case, sentence)));
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

/// A counterexample with its positions at their places.
fn shown<'a>(sources: &'a Sources, case: &Counterexample, sentence: &'a str) -> Group<'a> {
    let mut group = Group::with_title(Level::NOTE.secondary_title(sentence));
    for step in &case.path {
        let label = format!("position {}", step.position);
        group = group.element(
            snippet(sources, step.span)
                .annotation(AnnotationKind::Context.span(clamped(sources, step.span)).label(label)),
        );
    }
    group
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
pub(crate) mod tests {
    use genesys_span::{Sources, Span};

    use super::*;
    use crate::{Code, Flaw, Step};

    pub(crate) fn sample() -> (Sources, Diagnostic) {
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
    fn a_counterexample_is_told_with_its_places() {
        let (sources, diagnostic) = sample();
        let file = diagnostic.primary.span.file;
        let path = vec![
            Step { span: Span::new(file, 34, 35), position: 0 },
            Step { span: Span::new(file, 5, 9), position: 1 },
            Step { span: Span::new(file, 7, 8), position: 1 },
        ];
        let case = Counterexample { length: 2, flaw: Flaw::Future, path };
        let diagnostic = diagnostic.counterexample(Some(case));
        let said = "with T = 2: position 0 of `y` reads position 1 of `x`, through `A(x:` at 1";
        let short = render_short(&sources, &diagnostic);
        assert!(short.contains(&format!("here; {said}; help: use `x`")), "{short}");
        let text = render_text(&sources, &diagnostic, false);
        for part in [said, "position 0\n", "position 1\n"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn text_shows_the_place_and_the_way_out() {
        let (sources, diagnostic) = sample();
        let text = render_text(&sources, &diagnostic, false);
        for part in ["error[unknown-name]", "a.gau:2:5", "not found", "did you mean this", "use `x`"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}

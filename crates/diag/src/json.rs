//! The form of a diagnostic that a program reads.

use genesys_span::{Sources, Span};
use serde::Serialize;

use crate::counterexample::excerpt;
use crate::{Counterexample, Diagnostic, Edit, Label};

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
    related: Vec<Related<'a>>,
    counterexample: Option<Case<'a>>,
    help: Option<&'a str>,
    edit: Option<Change<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    file: &'a str,
    span: [u32; 2],
    message: &'a str,
}

#[derive(Serialize)]
struct Case<'a> {
    length: u64,
    flaw: &'a str,
    axis: Option<&'a str>,
    element: Option<u64>,
    sentence: String,
    path: Vec<At<'a>>,
}

#[derive(Serialize)]
struct At<'a> {
    file: &'a str,
    span: [u32; 2],
    position: u64,
    text: String,
}

#[derive(Serialize)]
struct Change<'a> {
    file: &'a str,
    span: [u32; 2],
    replacement: &'a str,
}

/// One JSON object on one line: code, severity, message, file, byte span, line, column, counterexample, help, edit.
pub fn render_json(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let span = diagnostic.primary.span;
    let at = sources.position(span.file, span.start);
    let json = Json {
        code: diagnostic.code.as_str(),
        severity: diagnostic.severity.name(),
        message: &diagnostic.message,
        file: file(sources, span),
        span: range(span),
        line: at.line,
        column: at.column,
        label: &diagnostic.primary.message,
        related: diagnostic.secondary.iter().map(|label| related(sources, label)).collect(),
        counterexample: diagnostic.counterexample.as_ref().map(|found| case(sources, found)),
        help: diagnostic.help.as_deref(),
        edit: diagnostic.edit.as_ref().map(|edit| change(sources, edit)),
    };
    serde_json::to_string(&json).expect("strings and numbers serialize")
}

fn related<'a>(sources: &'a Sources, label: &'a Label) -> Related<'a> {
    Related { file: file(sources, label.span), span: range(label.span), message: &label.message }
}

fn case<'a>(sources: &'a Sources, case: &'a Counterexample) -> Case<'a> {
    let steps = case.path.iter().map(|step| At {
        file: file(sources, step.span),
        span: range(step.span),
        position: step.position,
        text: excerpt(sources, step.span),
    });
    Case {
        length: case.length,
        flaw: case.flaw.name(),
        axis: case.flaw.axis(),
        element: case.flaw.element(),
        sentence: case.sentence(sources),
        path: steps.collect(),
    }
}

fn change<'a>(sources: &'a Sources, edit: &'a Edit) -> Change<'a> {
    Change { file: file(sources, edit.span), span: range(edit.span), replacement: &edit.replacement }
}

fn file(sources: &Sources, span: Span) -> &str {
    &sources.get(span.file).name
}

fn range(span: Span) -> [u32; 2] {
    [span.start, span.end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::tests::sample;
    use crate::{Flaw, Step};

    #[test]
    fn json_is_one_object_on_one_line() {
        let (sources, diagnostic) = sample();
        let span = Span::new(diagnostic.primary.span.file, 7, 8);
        let path = vec![Step { span, position: 1 }, Step { span, position: 0 }];
        let flaw = Flaw::Lacks { axis: "Past".into(), element: 1 };
        let json = render_json(&sources, &diagnostic.counterexample(Some(Counterexample { length: 2, flaw, path })));
        assert!(!json.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(value["code"], "unknown-name");
        assert_eq!(value["span"], serde_json::json!([34, 35]));
        assert_eq!((&value["line"], &value["column"]), (&2.into(), &5.into()));
        assert_eq!(value["edit"]["replacement"], "x");
        let case = &value["counterexample"];
        assert_eq!((&case["length"], &case["flaw"], &case["element"]), (&2.into(), &"lacks".into(), &1.into()));
        assert_eq!((&case["path"][1]["position"], &case["path"][1]["text"]), (&0.into(), &"x".into()));
    }
}

//! One factory per kind of diagnostic, so that a message is worded once.

use genesys_diag::{Code, Diagnostic};
use genesys_scalar::Function;
use genesys_span::Span;
use genesys_syntax::ast::Ident;

/// A name that nothing has; suggests the nearest that exists.
pub(crate) fn unknown<'a>(what: &str, name: &Ident, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    let article = if what.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    let message = format!("expected {article} {what}, found `{}`, which is not declared here", name.text);
    let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, name.span, message);
    match nearest(&name.text, known) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")).edit(name.span, near),
        None => diagnostic,
    }
}

/// The name nearest to `name`, where one is near enough to be meant: a third of it may differ,
/// and nothing of a name of one or two letters.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().min(name.chars().count()) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// A second declaration of a name.
pub(crate) fn duplicate(what: &str, name: &Ident, first: &Ident) -> Diagnostic {
    Diagnostic::error(Code::DUPLICATE_NAME, name.span, format!("the {what} `{}` is declared twice", name.text))
        .label(first.span, "first declared here")
        .help("give one of them another name")
}

/// A unit that calls itself.
pub(crate) fn recursive(name: &Ident, cycle: &[&str]) -> Diagnostic {
    let path = cycle.iter().chain(cycle.first()).copied().collect::<Vec<_>>().join(" -> ");
    Diagnostic::error(Code::RECURSIVE_UNIT, name.span, format!("the unit `{}` calls itself: {path}", name.text))
        .help("units are expanded where they are called: a recurrence over time is a `scan`, depth is the stack")
}

/// An axis that would stand twice in one type.
pub(crate) fn axis_twice(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::AXIS_REPEATED, span, format!("the axis `{name}` is named twice"))
        .help(format!("a type is a set of axes: declare another of that size, as in `axis {name}2 = {name}`"))
}

/// A function as a text has it: by its mark, else by its name.
pub(crate) fn written(function: Function) -> &'static str {
    const MARKS: &[(Function, &str)] = &[
        (Function::Add, "+"),
        (Function::Sub, "-"),
        (Function::Mul, "*"),
        (Function::Div, "/"),
        (Function::Rem, "%"),
        (Function::Pow, "^"),
        (Function::Less, "<"),
        (Function::AtMost, "<="),
        (Function::Equal, "=="),
    ];
    MARKS.iter().find(|(known, _)| *known == function).map_or(function.name(), |(_, mark)| mark)
}

/// Something beyond a limit.
pub(crate) fn too_large(span: Span, what: &str) -> Diagnostic {
    Diagnostic::error(Code::TOO_LARGE, span, format!("the design is too large: {what}"))
        .help("split it, or share more of it through the stack")
}

/// A wrong number or form of arguments.
pub(crate) fn arguments(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(Code::ARGUMENTS, span, message)
}

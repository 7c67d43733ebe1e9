//! Rust expressions, laid out as rustfmt lays them out.
//!
//! In: a value and the methods called on it, one after the other. Out: the lines of a `let` statement. rustfmt's own rules
//! for chains and calls hold (a chain of less than 60 characters stands on a line, arguments of at most 60), so that what is emitted
//! need not be formatted again.

/// The width of a line.
const WIDTH: usize = 100;

/// The width of a chain, or of a call's arguments, that stand on one line.
const SHORT: usize = 60;

/// What a chain begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// A name, a field or an element: `x`, `self.gain`.
    Place(String),
    /// A name of what is borrowed already.
    Reference(String),
    /// A call of a function: its name, and its arguments.
    Call(String, Vec<String>),
}

/// A value and the methods called on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    head: Head,
    /// Each with its dot, arguments and question mark.
    links: Vec<String>,
}

impl Code {
    /// A name, a field or an element.
    pub(crate) fn place(name: impl Into<String>) -> Self {
        Self { head: Head::Place(name.into()), links: Vec::new() }
    }

    /// A name of what is borrowed already.
    pub(crate) fn reference(name: impl Into<String>) -> Self {
        Self { head: Head::Reference(name.into()), links: Vec::new() }
    }

    /// A call of a function that can fail.
    pub(crate) fn call(name: impl Into<String>, args: Vec<String>) -> Self {
        Self { head: Head::Call(name.into(), args), links: Vec::new() }
    }

    /// The value behind one more call of a method that can fail.
    pub(crate) fn then(self, method: &str, args: &str) -> Self {
        self.link(format!(".{method}({args})?"))
    }

    /// A method of a place, its arguments given each.
    pub(crate) fn method(place: &str, method: &str, args: Vec<String>) -> Self {
        Self::call(format!("{place}.{method}"), args)
    }

    /// The value behind one more call of a method that cannot fail.
    pub(crate) fn plain(self, method: &str, args: &str) -> Self {
        self.link(format!(".{method}({args})"))
    }

    /// The value outside of the gradient.
    pub(crate) fn detach(self) -> Self {
        self.link(".detach()".to_owned())
    }

    fn link(mut self, link: String) -> Self {
        self.links.push(link);
        self
    }

    /// The name, if it is nothing but one.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.head {
            Head::Place(name) | Head::Reference(name) if self.links.is_empty() => Some(name),
            Head::Place(_) | Head::Reference(_) | Head::Call(..) => None,
        }
    }

    /// All on one line.
    pub(crate) fn flat(&self) -> String {
        let head = match &self.head {
            Head::Place(name) | Head::Reference(name) => name.clone(),
            Head::Call(name, args) => format!("{name}({})?", args.join(", ")),
        };
        format!("{head}{}", self.links.concat())
    }

    /// As an argument that is borrowed.
    pub(crate) fn borrowed(&self) -> String {
        match &self.head {
            Head::Reference(name) if self.links.is_empty() => name.clone(),
            Head::Place(_) | Head::Reference(_) | Head::Call(..) => format!("&{}", self.flat()),
        }
    }

    /// Whether it may stand within another expression.
    pub(crate) fn is_short(&self) -> bool {
        self.flat().len() <= SHORT / 2
    }

    /// The lines of a statement that begins with `start` and ends with `end`, without their indent.
    pub(crate) fn statement(&self, start: &str, end: &str, indent: usize) -> Vec<String> {
        let flat = self.flat();
        // A field of a literal keeps room for two characters more.
        let fits = indent + start.len() + flat.len() + end.len() + 2 * usize::from(end == ",") <= WIDTH;
        match &self.head {
            Head::Call(name, args) if self.links.is_empty() => {
                let is_short = args.join(", ").len() <= SHORT;
                if fits && is_short {
                    return vec![format!("{start}{flat}{end}")];
                }
                if is_short && indent + 4 + flat.len() + end.len() <= WIDTH && end == ";" {
                    return vec![start.trim_end().to_owned(), format!("    {flat}{end}")];
                }
                let mut lines = vec![format!("{start}{name}(")];
                lines.extend(args.iter().map(|arg| format!("    {arg},")));
                lines.push(format!(")?{end}"));
                lines
            }
            Head::Call(..) | Head::Place(_) | Head::Reference(_) => {
                let (first, links) = self.parts();
                if fits && (links.len() < 2 || flat.len() < SHORT) {
                    return vec![format!("{start}{flat}{end}")];
                }
                let mut lines = vec![format!("{start}{first}")];
                lines.extend(links.iter().map(|link| format!("    {link}")));
                let last = lines.last_mut().expect("a statement has a line");
                last.push_str(end);
                lines
            }
        }
    }

    /// What rustfmt takes for the first part of the chain, and the others: fields are parts of it.
    fn parts(&self) -> (String, Vec<String>) {
        let (first, fields) = match &self.head {
            Head::Call(name, args) => (format!("{name}({})?", args.join(", ")), Vec::new()),
            Head::Place(name) | Head::Reference(name) => match name.split_once("self.") {
                Some((_, field)) => ("self".to_owned(), vec![format!(".{field}")]),
                None => (name.clone(), Vec::new()),
            },
        };
        (first, fields.into_iter().chain(self.links.iter().cloned()).collect())
    }
}

/// A list in brackets: `(a, b)`, of one element the element.
pub(crate) fn tuple(parts: &[String]) -> String {
    match parts {
        [one] => one.clone(),
        parts => format!("({})", parts.join(", ")),
    }
}

/// A number as Rust writes it.
pub(crate) fn number(value: f64) -> String {
    if value.is_nan() {
        "f64::NAN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "f64::INFINITY".to_owned() } else { "f64::NEG_INFINITY".to_owned() }
    } else {
        format!("{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_and_calls_are_broken_as_rustfmt_breaks_them() {
        let short = Code::place("x").then("exp", "").then("neg", "");
        assert_eq!(short.statement("let y = ", ";", 8), ["let y = x.exp()?.neg()?;"]);
        let long = Code::place("self.gain").then("broadcast_mul", "&a_rather_long_name").then("affine", "0.125, 0.0");
        assert_eq!(
            long.statement("let y = ", ";", 8),
            ["let y = self", "    .gain", "    .broadcast_mul(&a_rather_long_name)?", "    .affine(0.125, 0.0)?;"]
        );
        let call = Code::call("einsum", vec!["\"bthe,bshe->bhts\"".into(), "&".to_owned() + &"q".repeat(45)]);
        assert_eq!(call.statement("let y = ", ";", 8).len(), 4);
    }
}

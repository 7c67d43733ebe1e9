//! The grammar within a decoder's bounds: no repetition is without end, designs are still in it, and what it generates is read.

mod machine;

use std::fs;

use genesys_gbnf::{Bounds, GRAMMAR, Root, export};
use genesys_span::Sources;
use machine::{Expr, Recognizer, Rules, Writer, designs};

fn exported(root: Root, bounds: Bounds) -> Rules {
    machine::read(&export(GRAMMAR, root, bounds).expect("the grammar is exported"))
}

/// What the parser says first of a text.
fn refused(text: &str) -> Option<String> {
    let mut sources = Sources::default();
    let file = sources.add("generated.gau", text);
    genesys_syntax::parse(&sources, file)
        .diagnostics
        .first()
        .map(|first| format!("{:?}: {}", first.code, first.message))
}

/// A text of a root as a file.
fn as_file(root: Root, text: &str) -> String {
    match root {
        Root::File | Root::Unit => text.to_owned(),
        Root::Value => format!("unit U(x: Seq[D]) -> Seq[D] {{\n    {text}\n}}\n"),
    }
}

#[test]
fn every_design_that_ships_is_within_the_bounds() {
    let rules = exported(Root::File, Bounds::Decoder);
    for path in designs() {
        let text = fs::read_to_string(&path).expect("a design is text");
        assert!(Recognizer::reads(&rules, &text), "{} is not within the bounds", path.display());
    }
}

#[test]
fn nothing_is_repeated_without_end() {
    fn ends(expr: &Expr) -> bool {
        match expr {
            Expr::Many(inner, _, most) => most.is_some() && ends(inner),
            Expr::Seq(parts) | Expr::Choice(parts) => parts.iter().all(ends),
            Expr::Text(_) | Expr::Class { .. } | Expr::Rule(_) => true,
        }
    }
    for root in [Root::File, Root::Unit, Root::Value] {
        let endless = |bounds| exported(root, bounds).into_iter().find(|(_, expr)| !ends(expr)).map(|(name, _)| name);
        assert_eq!(endless(Bounds::Decoder), None);
        assert!(endless(Bounds::None).is_some());
    }
}

#[test]
fn what_is_generated_within_the_bounds_is_read_and_is_in_the_language_without_them() {
    for root in [Root::File, Root::Unit, Root::Value] {
        let (rules, free) = (exported(root, Bounds::Decoder), exported(root, Bounds::None));
        let mut writer = Writer::new(&rules);
        for seed in 0..1000 {
            let text = writer.text(seed);
            assert_eq!(refused(&as_file(root, &text)), None, "{text}");
            // That takes long: some of them.
            assert!(seed % 20 > 0 || Recognizer::reads(&free, &text), "the language without bounds has not\n{text}");
        }
    }
}

#[test]
fn what_only_goes_on_is_not_within_the_bounds() {
    let rules = exported(Root::File, Bounds::Decoder);
    let design = |value: &str, before: &str, fields: &str| {
        format!(
            "{before}design A {{\n    stack = [B*]{fields}\n}}\n\nunit B(x: Seq[D]) -> Seq[D] {{\n    {value}\n}}\n"
        )
    };
    let head = "// head\n\nuse std::{RmsNorm}\nuse std::Mlp\n\n";
    let good = design("x + x  // a remark\n\n    // another", head, "\n    final = RmsNorm\n    tie_embeddings = true");
    assert!(Recognizer::reads(&rules, &good) && refused(&good).is_none(), "{good}");
    let digits = |count: usize| design(&format!("x * {}", "9".repeat(count)), "", "");
    assert!(Recognizer::reads(&rules, &digits(19)) && refused(&digits(19)).is_none());
    assert!(!Recognizer::reads(&rules, &digits(20)));
    let name = |count: usize| design(&format!("{}(x)", "n".repeat(count)), "", "");
    assert!(Recognizer::reads(&rules, &name(40)) && !Recognizer::reads(&rules, &name(41)));
    for (what, text) in [
        ("empty lines", design("x", "", "\n\n")),
        ("a path", design("x", "use std::std::Mlp\n\n", "")),
        ("another library", design("x", "use torch::Mlp\n\n", "")),
        ("a field twice", design("x", "", "\n    final = RmsNorm\n    final = RmsNorm")),
        ("two designs", format!("{0}\n{0}", design("x", "", ""))),
        ("no design", "use std::Mlp\n".to_owned()),
        ("a hole", design("?rest", "", "")),
        ("tabs", design("\tx", "", "")),
    ] {
        assert!(!Recognizer::reads(&rules, &text), "{what}: {text}");
    }
}

//! The exported grammar against the parser: what it generates is read, what we ship is in it.

mod machine;

use std::fs;

use genesys_span::Sources;
use machine::{Recognizer, Rules, Writer, designs};

fn exported() -> Rules {
    machine::read(&genesys_gbnf::from_pest(genesys_gbnf::GRAMMAR).expect("the grammar is exported"))
}

#[test]
fn every_design_that_ships_is_in_the_exported_language() {
    let rules = exported();
    let designs = designs();
    assert!(designs.len() > 60);
    for path in designs {
        let text = fs::read_to_string(&path).expect("a design is text");
        assert!(Recognizer::reads(&rules, &text), "{} is not in the language", path.display());
        let broken = text.replacen(") ->", ") =>", 1);
        assert!(!Recognizer::reads(&rules, &broken), "{} is in the language when broken", path.display());
    }
}

#[test]
fn keywords_are_no_names_and_words_stand_apart() {
    let rules = exported();
    let unit = |body: &str| format!("unit U(x: Seq[D]) -> Seq[D] {{ {body}\n    x }}");
    for good in ["let lets = x", "let le = x", "let e = x // a comment", "let (a, b) = f(x)", "let _9 = x"] {
        assert!(Recognizer::reads(&rules, &unit(good)), "{good}");
    }
    assert!(!Recognizer::reads(&rules, "unit U(x: Seq[D]) -> Seq[D] { x // a comment }"));
    for bad in ["let let = x", "let scan = x", "axisA = 3", "let u = x; y", "let u = x\n-u;"] {
        assert!(!Recognizer::reads(&rules, &unit(bad)), "{bad}");
    }
}

#[test]
fn what_the_exported_grammar_generates_is_read() {
    let rules = exported();
    let mut writer = Writer::new(&rules);
    for seed in 0..2000 {
        let text = writer.text(seed);
        let mut sources = Sources::default();
        let file = sources.add("generated.gau", text.as_str());
        let first = genesys_syntax::parse(&sources, file).diagnostics.first().map(|first| first.message.clone());
        assert_eq!(first, None, "{text}");
    }
}

#[test]
fn a_comment_at_the_margin_before_the_last_line_is_in_the_language() {
    let rules = exported();
    let unit = |between: &str| format!("unit U(x: Seq[D]) -> Seq[D] {{\n    let y = x{between}    y\n}}\n");
    let mut missed = Vec::new();
    for between in ["\n", "\n    // a\n", "\n// a\n", "\n// a\n// b\n", " // a\n// b\n", "\n\n// a\n"] {
        let text = unit(between);
        let mut sources = Sources::default();
        let file = sources.add("margin.gau", text.as_str());
        let parsed = genesys_syntax::parse(&sources, file).diagnostics.is_empty();
        let admitted = Recognizer::reads(&rules, &text);
        if parsed != admitted {
            missed.push(between);
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

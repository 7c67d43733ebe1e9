//! What is a grammar, and what is told of a text that is none.

#![allow(clippy::unwrap_used)]

use super::*;

fn told(gbnf: &str) -> String {
    Grammar::read(gbnf).unwrap_err().to_string()
}

#[test]
fn what_is_no_grammar_is_told_with_its_line_and_a_way_out() {
    let cases = [
        ("", "expected a rule `root`, found none"),
        ("a ::= \"x\"", "expected a rule `root`, found none"),
        ("root ::= \"x", "line 1: expected `\"` at the end of the text, found the end of the line"),
        ("root ::= \"x\"\n\nroot ::= \"y\"", "line 3: `root` stands twice"),
        ("root = \"x\"", "line 1: expected `::=`, found `= \"x\"`"),
        ("root ::= [b-a]", "line 1: expected a range that ascends"),
        ("root ::= [a", "line 1: expected `]`"),
        ("root ::= (\"a\"", "line 1: expected `)`"),
        ("root ::= \"a\" )", "line 1: expected the end of the line, found `)`"),
        ("root ::= \"a\"{2", "line 1: expected `}`"),
        ("root ::= \"a\"{x}", "line 1: expected a number of times"),
        ("root ::= \"a\"{3,2}", "line 1: expected no fewer times"),
        ("root ::= \"\\q\"", "line 1: expected `\\n`"),
        ("root ::= \"\\ud800\"", "line 1: expected the 4 hexadecimal digits"),
        ("root ::= <[12]>", "tokens by their numbers are not known here"),
        ("root ::= a\n  | b", "line 2: expected the name of a rule, found `| b`"),
        ("root ::= a", "`root` names `a`, and there is no such rule"),
        ("root ::= \"a\" root", "`root` never ends"),
        ("root ::= a\na ::= \"x\" b | []\nb ::= a", "`root` never ends"),
        ("root ::= root \"a\" | \"b\"", "`root` begins with itself: expected a repetition"),
        ("root ::= a\na ::= \"x\"? b \"y\" | \"z\"\nb ::= a", "`a` begins with itself"),
        ("root ::= [a-z]{9999} [a-z]{99999}", "`root` is too large"),
    ];
    for (gbnf, expected) in cases {
        assert!(told(gbnf).contains(expected), "{gbnf}: {}", told(gbnf));
    }
    assert!(told(&format!("root ::= {}", "(".repeat(200))).contains("no more than 100 parentheses"));
}

#[test]
fn what_ends_and_begins_with_something_else_is_a_grammar() {
    for gbnf in [
        "root ::= \"\"",
        "# first\nroot ::= ( # within\n  \"a\" |\n  \"b\" )+ c # behind\nc ::= [^\\n]* |\n \"d\"\n",
        "root ::= (\"a\"*)* ((\"b\"?)*)+ root | \"c\"",
        "root ::= x root | \"\"\nx ::= \"a\"?",
        "root ::= \"a\"{2} \"b\"{1,} \"c\"{ 0 , 3 } . [\\x41\\u00e9\\U0001F600\\]-]",
    ] {
        assert!(Grammar::read(gbnf).is_ok(), "{gbnf}: {}", told(gbnf));
    }
    assert!(Grammar::read(&crate::from_pest(crate::GRAMMAR).unwrap()).is_ok());
}

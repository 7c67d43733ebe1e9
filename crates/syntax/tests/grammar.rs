//! What the grammar promises of itself, so that it can be exported to other notations.

const GRAMMAR: &str = include_str!("../../../grammar/gau.pest");

/// The rules as (name, modifier, body), without comments.
fn rules() -> Vec<(String, char, String)> {
    let plain: String =
        GRAMMAR.lines().filter(|line| !line.starts_with("//")).map(|line| format!("{line}\n")).collect();
    let mut rules = Vec::new();
    for chunk in plain.split("\n").filter(|line| line.contains(" = ")) {
        let (name, body) = chunk.split_once('=').expect("a rule has a name");
        let body = body.trim_start();
        rules.push((name.trim().to_owned(), body.chars().next().expect("a rule has a body"), body.to_owned()));
    }
    rules
}

/// A body without its quoted marks, in which `!` and `&` are predicates.
fn unquoted(body: &str) -> String {
    body.split('"').step_by(2).collect()
}

#[test]
fn lookahead_occurs_in_lexical_rules_only() {
    let rules = rules();
    assert!(rules.len() > 90, "only {} rules were found", rules.len());
    let mut lookahead = 0;
    for (name, modifier, body) in rules {
        if unquoted(&body).contains(['!', '&']) {
            lookahead += 1;
            assert!(modifier == '@' || name == "comment", "`{name}` looks ahead and is not lexical");
        }
    }
    assert!(lookahead > 20, "the predicates were not found");
}

//! Rules about one Rust file.
//!
//! In: a file and its tokens. Out: findings. Every file says in `//!` what it is for; files, `lib.rs` and functions stay
//! short; shipped code does not unwrap; no test is switched off or passes by panicking.

use super::Finding;
use super::tokens::{Kind, Token, closing, starts_with};
use super::tree::TextFile;

/// Lines of a file, tests left out.
const FILE_LINES: usize = 800;

/// Lines of a `lib.rs`: it is a table of contents.
const LIB_LINES: usize = 100;

/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_LINES: usize = 80;

/// What may stand nowhere: the tokens, and why.
const NOWHERE: [(&[&str], &str); 4] = [
    (&["#", "[", "ignore"], "no test is switched off: repair it or delete it"),
    (&["should_panic"], "a test states what it expects; `should_panic` accepts any panic"),
    (&["todo", "!"], "expected code, found `todo!`"),
    (&["unimplemented", "!"], "expected code, found `unimplemented!`"),
];

/// What may not stand in shipped code.
const NOT_SHIPPED: [(&[&str], &str); 2] = [
    (&[".", "unwrap", "("], "return an error, or use `expect(\"the invariant, in words\")` for what cannot happen"),
    (&["dbg", "!"], "`dbg!` is for the desk"),
];

/// All findings of `file`.
pub(super) fn check(file: &TextFile, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(check_header(file));
    findings.extend(check_length(file, tokens));
    findings.extend(check_functions(file, tokens));
    findings.extend(check_words(file, tokens));
    findings
}

fn check_header(file: &TextFile) -> Option<Finding> {
    let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let missing = !first.starts_with("//!");
    missing.then(|| file.finding(1, "expected the file to begin with `//!` and what it is for"))
}

fn check_length(file: &TextFile, tokens: &[Token]) -> Option<Finding> {
    if file.is_test() {
        return None;
    }
    let limit = if file.path.ends_with("src/lib.rs") { LIB_LINES } else { FILE_LINES };
    let lines = file.text.lines().count() - test_lines(tokens);
    (lines > limit)
        .then(|| file.finding(0, format!("{lines} lines without tests, at most {limit} are allowed: split it")))
}

/// Lines that test items cover.
fn test_lines(tokens: &[Token]) -> usize {
    tokens
        .chunk_by(|a, b| a.test == b.test)
        .filter(|run| run[0].test)
        .map(|run| run[run.len() - 1].line - run[0].line + 1)
        .sum()
}

fn check_functions(file: &TextFile, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if file.is_emitted() {
        return findings;
    }
    for (at, pair) in tokens.windows(2).enumerate() {
        let (true, Some(name)) = (pair[0].is_word("fn"), pair[1].word()) else { continue };
        let Some(open) = body(tokens, at) else { continue };
        let lines = tokens[closing(tokens, open)].line - pair[0].line + 1;
        if lines > FUNCTION_LINES {
            let message = format!("`{name}` has {lines} lines, at most {FUNCTION_LINES} are allowed: split it");
            findings.push(file.finding(pair[0].line, message));
        }
    }
    findings
}

/// Where the body of the function declared at `at` opens; a declaration without a body has none.
fn body(tokens: &[Token], at: usize) -> Option<usize> {
    let mut next = at;
    while let Some(token) = tokens.get(next) {
        match token.kind {
            Kind::Open('{') => return Some(next),
            Kind::Punct(';') | Kind::Close(_) => return None,
            Kind::Open(_) => next = closing(tokens, next) + 1,
            Kind::Word(_) | Kind::Punct(_) | Kind::Literal => next += 1,
        }
    }
    None
}

fn check_words(file: &TextFile, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let shipped = !token.test && !file.is_test();
        let rules = NOWHERE.iter().chain(NOT_SHIPPED.iter().filter(|_| shipped));
        for (pattern, why) in rules {
            if starts_with(&tokens[at..], pattern) {
                findings.push(file.finding(token.line, *why));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tokens::lex;
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        check(&file, &lex(text).unwrap()).into_iter().map(|finding| finding.to_string()).collect()
    }

    fn function_of(lines: usize) -> String {
        format!("//! a\nfn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2))
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert_eq!(findings("crates/a/src/b.rs", "//! b\n"), [""; 0]);
        assert!(findings("crates/a/src/b.rs", "fn b() {}\n")[0].starts_with("crates/a/src/b.rs:1: "));
    }

    #[test]
    fn the_longest_function_is_allowed_and_one_line_more_is_not() {
        assert_eq!(findings("crates/a/src/b.rs", &function_of(FUNCTION_LINES)), [""; 0]);
        let long = findings("crates/a/src/b.rs", &function_of(FUNCTION_LINES + 1));
        assert_eq!(long.len(), 1);
        assert!(long[0].contains("`f` has 81 lines"), "{long:?}");
    }

    #[test]
    fn what_a_program_wrote_is_as_long_as_the_unit_it_was_written_of() {
        assert_eq!(findings("tests/tests/emitted/golden/b.rs", &function_of(FUNCTION_LINES + 1)), [""; 0]);
    }

    #[test]
    fn files_are_measured_without_their_tests() {
        let code = format!("//! a\n{}", "const A: u8 = 0;\n".repeat(LIB_LINES - 1));
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "const A: u8 = 0;\n".repeat(50));
        assert_eq!(findings("crates/a/src/lib.rs", &format!("{code}{tests}")), [""; 0]);
        assert_eq!(findings("crates/a/src/lib.rs", &format!("{code}fn a() {{}}\n{tests}")).len(), 1);
    }

    #[test]
    fn shipped_code_does_not_unwrap_and_tests_may() {
        assert_eq!(findings("crates/a/src/b.rs", "//! b\nfn b() { c.unwrap(); }\n").len(), 1);
        assert_eq!(findings("crates/a/src/b.rs", "//! b\n#[test]\nfn b() { c.unwrap(); }\n"), [""; 0]);
        assert_eq!(findings("crates/a/tests/b.rs", "//! b\nfn b() { c.unwrap(); }\n"), [""; 0]);
    }

    #[test]
    fn no_test_is_switched_off() {
        assert_eq!(findings("crates/a/tests/b.rs", "//! b\n#[test]\n#[ignore]\nfn b() {}\n").len(), 1);
        assert_eq!(findings("crates/a/tests/b.rs", "//! b\n#[test]\n#[should_panic]\nfn b() {}\n").len(), 1);
    }
}

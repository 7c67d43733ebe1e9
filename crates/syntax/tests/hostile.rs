//! Hostile texts: each gives an error or a tree, on a stack of 2 MiB and in linear time.
#![allow(clippy::unwrap_used)]

use genesys_diag::render_short;
use genesys_span::Sources;
use genesys_syntax::{MAX_EXPR_DEPTH, MAX_FILE_BYTES, decode, parse, print, same};

const STACK: usize = 2 << 20;
const MANY: usize = 100_000;

/// The text over and over, as often as a file may hold it, at most [`MANY`] times.
fn many(text: &str) -> String {
    text.repeat(MANY.min(MAX_FILE_BYTES / 2 / text.len() - 100))
}

/// What a text gives, worked out on a small stack: the errors as lines, and the printed rest. All
/// that recurses over a tree is tried: copying, comparing, printing, dropping.
fn outcome(text: impl Into<String>) -> (Vec<String>, String) {
    let text = text.into();
    let work = move || {
        let mut sources = Sources::default();
        let file = sources.add("a.gau", text);
        let parsed = parse(&sources, file);
        assert!(same(&parsed.file, &parsed.file.clone()));
        assert!(!format!("{:?}", parsed.file).is_empty());
        let lines = parsed.diagnostics.iter().map(|d| render_short(&sources, d)).collect();
        (lines, print(&parsed.file))
    };
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().expect("no panic")
}

/// The only error of a text.
fn error(text: impl Into<String>) -> String {
    let (mut lines, _) = outcome(text);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

fn body(value: &str) -> String {
    format!("unit U(x: Seq[D]) -> Seq[D] {{ {value} }}\n")
}

#[track_caller]
fn assert_code(text: String, code: &str) {
    let line = error(text);
    assert!(line.contains(&format!("error[{code}]")), "{line}");
    assert!(line.len() < 300, "too long to read: {line}");
}

#[test]
fn deep_brackets_of_every_kind() {
    for (open, close) in
        [("(", ")"), ("f(", ")"), ("f([D -> E](", "))"), ("scan S: [] = 0 { yield ", "}"), ("F<(", ")>(x)")]
    {
        let value = format!("{}x{}", many(open), many(close));
        assert_code(body(&value), "nesting-too-deep");
        assert_code(body(&many(open)), "nesting-too-deep");
    }
    assert_code(format!("design M {{ stack = {}A{} }}", many("["), many("]*")), "nesting-too-deep");
    assert_code(many("{"), "nesting-too-deep");
    assert_code(many(")"), "unbalanced-bracket");
    assert_code(many("(]"), "unbalanced-bracket");
}

#[test]
fn the_deepest_brackets_allowed_are_read() {
    // One level is the unit's own brace.
    for (open, close) in
        [("(", ")"), ("f(", ")"), ("f(a = ", ")"), ("[D -> E](", ")"), ("-(", " + 1)"), ("(1 + ", " ^ 2)")]
    {
        let (lines, _) = outcome(body(&format!("{}x{}", open.repeat(63), close.repeat(63))));
        assert_eq!(lines, Vec::<String>::new(), "{open}");
        assert_code(body(&format!("{}x{}", open.repeat(64), close.repeat(64))), "nesting-too-deep");
    }
    let scans = format!("{}yield x{}", "yield scan S: [H] = 0 { ".repeat(62), " }".repeat(62));
    let (lines, _) = outcome(body(&format!("scan S: [H] = 0 {{ {scans} }}")));
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn deep_static_arguments_of_every_kind() {
    for open in ["A<", "A<F = ", "A<B<2 * (D + 1)>, G = A<", "A< // note\n", "X<X", "A<E = max(D, 2), G = A<"] {
        assert_code(body(&many(open)), "nesting-too-deep");
        assert_code(body(&format!("f<{}2{}(x)", many(open), many(">"))), "nesting-too-deep");
        assert_code(format!("design M {{ stack = [{}2] }}", many(open)), "nesting-too-deep");
        assert_code(format!("unit U<F: unit = {}2>(x: Seq[D]) -> Seq[D];", many(open)), "nesting-too-deep");
    }
}

/// The words that a size may hold end no static arguments.
#[test]
fn functions_of_sizes_hide_no_depth() {
    let grammar = include_str!("../../../grammar/gau.pest");
    let rule = grammar.lines().find(|line| line.starts_with("size_fn")).unwrap();
    let words: Vec<&str> = rule.split('"').skip(1).step_by(2).collect();
    assert!(words.len() > 2, "{words:?}");
    for word in words {
        assert_code(body(&many(&format!("A<{word}(B, 2), "))), "nesting-too-deep");
    }
}

#[test]
fn the_deepest_static_arguments_allowed_are_read() {
    let nested = |n: usize| format!("{}2{}", "A<F = ".repeat(n), ">".repeat(n));
    let texts: &[fn(String) -> String] = &[
        |statics| body(&format!("f<{statics}>(x)")),
        |statics| body(&format!("{}f<{statics}>(x){}", "(".repeat(62), ")".repeat(62))),
        |statics| body(&format!("f<{statics}, {statics}>(x, y<{statics}>(x))")),
        |statics| format!("design M {{ stack = [{statics}, [{statics}*]] }}"),
        |statics| format!("unit U<F: unit = {statics}>(x: Seq[D]) -> Seq[D];"),
    ];
    for text in texts {
        let (lines, _) = outcome(text(nested(64)));
        assert_eq!(lines, Vec::<String>::new(), "{}", text(nested(1)));
        assert_code(text(nested(65)), "nesting-too-deep");
    }
    for comparisons in ["let a = S<T\n".repeat(1000), "S <- S<T\n".repeat(1000), "let a = (S<T) * (S<T)\n".repeat(1000)]
    {
        let (lines, _) = outcome(body(&format!("{comparisons} x")));
        assert_eq!(lines, Vec::<String>::new());
    }
    assert_eq!(outcome(body(&format!("f({}x)", "(S<T), S < T, ".repeat(1000)))).0, Vec::<String>::new());
    assert_eq!(
        error(body(&format!("f<{}>(x)", nested(65)))),
        format!(
            "a.gau:1:{}: error[nesting-too-deep]: static arguments nest more than 64 deep; expected at most 64; \
             help: make a unit of an inner part; a `<` that compares stands between blanks",
            "unit U(x: Seq[D]) -> Seq[D] { f<".len() + "A<F = ".len() * 64 + "A<".len()
        )
    );
}

#[test]
fn the_longest_chains_allowed_are_read() {
    for link in [" + x", " ^ x", " as [A -> B]"] {
        let (lines, _) = outcome(body(&format!("x{}", link.repeat(MAX_EXPR_DEPTH - 1))));
        assert_eq!(lines, Vec::<String>::new(), "{link}");
        assert_code(body(&format!("x{}", link.repeat(MAX_EXPR_DEPTH))), "nesting-too-deep");
    }
    let (lines, _) = outcome(body(&format!("require D{} == 0 x", " + D".repeat(MAX_EXPR_DEPTH - 1))));
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn long_chains() {
    for link in [" + x", " * x", " ^ x", " - -x", " as [A -> B]", " ^ -x"] {
        assert_code(body(&format!("x{}", many(link))), "nesting-too-deep");
    }
    for sign in ["-", "- ", "-(-1)^-", "x ^ -"] {
        assert_code(body(&format!("{}x", many(sign))), "nesting-too-deep");
    }
    for link in [" + D", " * 2", " % 2"] {
        assert_code(body(&format!("require D{} == 0 x", many(link))), "nesting-too-deep");
    }
    assert_code(body(&format!("x{}", many(" < x"))), "syntax");
    assert_code(body(&many("each[H] ")), "reserved-word");
    assert_code(body(&format!("f({}x)", many("a: "))), "syntax");
    assert_code(body(&format!("f({}x)", many("a = "))), "syntax");
    assert_code(body(&many("scan S: [] = ")), "syntax");
    assert_code(body(&many("x<")), "syntax");
    assert_code(body(&many("let ")), "reserved-word");
}

#[test]
fn long_lists_are_no_trouble() {
    let list = |item: &str, n: usize| vec![item; n].join(", ");
    let texts = [
        body(&format!("f({})", list("x", MANY))),
        body(&(many("let y = x; ") + "x")),
        format!("design M {{ stack = [{}] }}", list("A*2", MANY)),
        format!("unit U(x: Seq[{}]) -> Seq[D] {{ x }}", list("D", MANY)),
        format!("use std::{{{}}}", list("A", MANY)),
        "use std::A\n".repeat(MANY / 2),
        format!("{}{}", body("x"), "// note\n".repeat(MANY)),
        body(&format!("f({})", "x // note\n, ".repeat(MANY / 2))),
        body("x").repeat(20_000),
    ];
    for text in texts {
        let (lines, printed) = outcome(text.clone());
        assert_eq!(lines, Vec::<String>::new(), "{}", &text[..60]);
        assert_eq!(printed.matches("note").count(), text.matches("note").count());
    }
}

#[test]
fn many_errors_end_in_one_that_says_so() {
    let (lines, _) = outcome("unit U\n".repeat(MANY));
    assert_eq!(lines.len(), 101);
    assert_eq!(
        lines[100],
        "a.gau:101:1: error[syntax]: found 100 errors before this place; the rest of the file was not read; \
         help: mend the first errors"
    );
    assert_eq!(outcome("x {} ".repeat(MANY)).0.len(), 101);
}

#[test]
fn a_file_over_the_limit_is_refused_before_it_is_read() {
    assert_eq!(
        error("(".repeat(10 << 20)),
        "a.gau:1:1: error[file-too-large]: expected at most 1048576 bytes, found 10485760; \
         help: split the design into smaller files"
    );
    assert!(error(" ".repeat(MAX_FILE_BYTES)).contains("error[file-empty]"));
    assert!(error(" ".repeat(MAX_FILE_BYTES + 1)).contains("error[file-too-large]"));
}

#[test]
fn texts_that_hold_nothing() {
    for text in ["", "\n", "\u{feff}", "// only\n", "//! only", "\r\n \t"] {
        assert!(error(text).contains("error[file-empty]"), "{text:?}");
    }
}

#[test]
fn odd_characters_are_named() {
    for (text, found) in
        [("\0", "U+0000"), ("\u{c}", "U+000C"), ("\u{2028}", "U+2028"), ("\u{200b}", "`\u{200b}`"), ("é", "`é`")]
    {
        assert!(error(body(&format!("x {text} y"))).contains(found), "{text:?}");
        assert!(error(text).contains(found), "{text:?}");
    }
    let (lines, printed) = outcome(format!("// é \0 \u{1f600}\n{}", body("x")));
    assert_eq!((lines.len(), printed.contains("// é \0 \u{1f600}\n")), (0, true));
}

/// Any prefix, and any text with one byte taken out, is read without a panic.
#[test]
fn mangled_texts() {
    let text = include_str!("cases/taste.gau");
    let mangled = move || {
        for at in 0..text.len() {
            for mangled in [text[..at].to_owned(), text[..at].to_owned() + &text[at + 1..], text[at..].to_owned()] {
                let mut sources = Sources::default();
                let file = sources.add("a.gau", mangled);
                let parsed = parse(&sources, file);
                for diagnostic in &parsed.diagnostics {
                    let span = diagnostic.primary.span;
                    assert!(span.start <= span.end && span.end as usize <= sources.get(file).text.len());
                    render_short(&sources, diagnostic);
                }
                print(&parsed.file);
            }
        }
    };
    std::thread::Builder::new().stack_size(STACK).spawn(mangled).unwrap().join().expect("no panic");
}

/// Texts that invite backtracking come to an end; one that took the square of its length would
/// hold the suite for minutes.
#[test]
fn backtracking_ends() {
    let texts: &[fn(usize) -> String] = &[
        |n| body(&format!("f({})", "X<(Y + ".repeat(3) + &"X<Y, ".repeat(n))),
        |n| body(&format!("{}x ", "X<".repeat(60)).repeat(n / 60)),
        |n| body(&format!("f({})", format!("{}x, ", "X<Y, ".repeat(60)).repeat(n / 60))),
        |n| body(&"let y = a<B + C * D - 4 > e ".repeat(n)),
        |n| body(&"x // note\n".repeat(n)),
        |n| body(&"let y = x // note\n".repeat(n)),
        |n| "} ".repeat(n),
        |n| "unit U(\n".repeat(n),
        |n| body(&"(x) ".repeat(n)),
    ];
    for (i, text) in texts.iter().enumerate() {
        let (lines, printed) = outcome(text(32_000));
        assert!(lines.len() <= 101 && (!lines.is_empty() || printed.contains("unit")), "text {i}: {lines:?}");
    }
}

#[test]
fn bytes_that_are_not_utf8_have_a_place() {
    assert_eq!(decode(b"unit".to_vec()).unwrap(), "unit");
    let error = decode(b"ab\xffc".to_vec()).unwrap_err();
    assert_eq!((error.offset, error.byte), (2, 0xff));
    let mut sources = Sources::default();
    let file = sources.add("a.gau", "");
    assert_eq!(
        render_short(&sources, &error.diagnostic(file)),
        "a.gau:1:1: error[not-utf8]: expected UTF-8 text, found byte 0xff at offset 2; help: save the file as UTF-8"
    );
}

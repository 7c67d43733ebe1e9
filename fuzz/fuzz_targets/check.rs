//! The checker says the same of a text and of its canonical form: the same codes, and the same hash.
#![no_main]

use genesys_compiler::{CheckedText, check_text};
use genesys_syntax::print;
use libfuzzer_sys::fuzz_target;

fn outcome(checked: &CheckedText) -> (Vec<String>, Option<String>) {
    let mut codes: Vec<String> = checked.diagnostics.iter().map(|d| d.code.to_string()).collect();
    codes.sort();
    (codes, checked.design.as_ref().map(|design| design.hash().to_string()))
}

fuzz_target!(|text: &str| {
    let mut sources = genesys_span::Sources::default();
    let file = sources.add("fuzz.gau", text);
    let parsed = genesys_syntax::parse(&sources, file);
    let checked = check_text("fuzz.gau", text);
    // The tree of a text with errors of syntax lacks what could not be read.
    if parsed.diagnostics.is_empty() {
        let printed = print(&parsed.file);
        assert_eq!(outcome(&checked), outcome(&check_text("fuzz.gau", &printed)), "{text}\nprints to\n{printed}");
    }
});

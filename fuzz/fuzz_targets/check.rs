//! The checker says the same of a text and of its canonical form: the same codes, and the same hash.
#![no_main]

mod tree;

use genesys_compiler::{CheckedText, check_text};
use genesys_syntax::print;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fn outcome(checked: &CheckedText) -> (Vec<String>, Option<String>) {
    let mut codes: Vec<String> = checked.diagnostics.iter().map(|d| d.code.to_string()).collect();
    codes.sort();
    (codes, checked.design.as_ref().map(|design| design.hash().to_string()))
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { tree::mutate(data, size, max_size, seed) });

fuzz_target!(|text: &str| {
    let checked = check_text("fuzz.gau", text);
    // The tree of a text with errors of syntax lacks what could not be read.
    if let Some(tree) = tree::read(text) {
        let printed = print(&tree);
        assert_eq!(outcome(&checked), outcome(&check_text("fuzz.gau", &printed)), "{text}\nprints to\n{printed}");
    }
});

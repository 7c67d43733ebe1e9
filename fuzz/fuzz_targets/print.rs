//! A text that parses prints to one that parses to the same tree and prints to itself.
#![no_main]

use genesys_span::Sources;
use genesys_syntax::ast::File;
use genesys_syntax::{print, same};
use libfuzzer_sys::fuzz_target;

/// The tree of a text without errors.
fn read(text: &str) -> Option<File> {
    let mut sources = Sources::default();
    let file = sources.add("fuzz.gau", text);
    let parsed = genesys_syntax::parse(&sources, file);
    parsed.diagnostics.is_empty().then_some(parsed.file)
}

fuzz_target!(|text: &str| {
    if let Some(tree) = read(text) {
        let printed = print(&tree);
        let again = read(&printed).expect("what is printed parses");
        assert!(same(&tree, &again), "{text}\nprints to\n{printed}");
        assert_eq!(print(&again), printed);
    }
});

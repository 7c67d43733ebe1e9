//! Any text gives a tree and diagnostics that can be shown: nothing panics, overflows a stack or takes long.
#![no_main]

use genesys_diag::render_short;
use genesys_span::Sources;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut sources = Sources::default();
    let file = sources.add("fuzz.gau", text);
    let parsed = genesys_syntax::parse(&sources, file);
    for diagnostic in &parsed.diagnostics {
        assert!(!render_short(&sources, diagnostic).is_empty());
    }
});

//! The normal form: a random program keeps its hash when it is laid out anew, when its values are renamed, and when a let
//! that nothing reads is put in; it does not when its input is doubled.
#![no_main]

#[allow(dead_code, reason = "what the programs are tallied by is for the tests")]
#[path = "../../tests/tests/soundness/grow.rs"]
mod grow;

use genesys_compiler::check_text;
use genesys_syntax::print;
use libfuzzer_sys::fuzz_target;

fn hash(text: &str) -> String {
    let checked = check_text("fuzz.gau", text);
    let design = checked.design.unwrap_or_else(|| panic!("{:?} in\n{text}", checked.diagnostics));
    design.hash().to_string()
}

fuzz_target!(|input: (u64, u8)| {
    let text = grow::grow(input.0, 2 + usize::from(input.1 % 12)).text;
    let known = hash(&text);
    let checked = check_text("fuzz.gau", &text);
    assert_eq!(hash(&print(&checked.syntax)), known, "laid out anew:\n{text}");
    let renamed = (0..40).rev().fold(text.clone(), |text, n| text.replace(&format!("v{n}"), &format!("other{n}")));
    assert_eq!(hash(&renamed), known, "renamed:\n{renamed}");
    let head = "(x: Seq[D]) -> Seq[D] {";
    let dead = text.replace(head, &format!("{head}\n    let unread = x * 3"));
    assert_eq!(hash(&dead), known, "with a dead let:\n{dead}");
    let other = text.replace(head, &format!("{head}\n    let x = x * 2"));
    assert_ne!(hash(&other), known, "of another input:\n{other}");
});

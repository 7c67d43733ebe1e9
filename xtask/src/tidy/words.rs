//! Rules about the words of all text files: American spelling, no path of one machine.
//!
//! In: a text file. Out: findings. It knows a few common words, and is no spelling checker.

use super::Finding;
use super::tree::TextFile;

/// Beginnings of British words, and the American ones.
const SPELLINGS: [(&str, &str); 22] = [
    ("behaviour", "behavior"),
    ("cancelled", "canceled"),
    ("catalogue", "catalog"),
    ("centre", "center"),
    ("colour", "color"),
    ("favour", "favor"),
    ("generalis", "generaliz"),
    ("initialis", "initializ"),
    ("labelled", "labeled"),
    ("maximis", "maximiz"),
    ("minimis", "minimiz"),
    ("modelling", "modeling"),
    ("neighbour", "neighbor"),
    ("normalis", "normaliz"),
    ("optimis", "optimiz"),
    ("organis", "organiz"),
    ("parallelis", "paralleliz"),
    ("recognis", "recogniz"),
    ("serialis", "serializ"),
    ("specialis", "specializ"),
    ("summaris", "summariz"),
    ("vectoris", "vectoriz"),
];

/// Beginnings of words that the list above would take for British ones: American ones, and a name in HTML.
const AMERICAN: [&str; 5] = ["labelledby", "optimism", "optimist", "organism", "parallelism"];

/// Folders at the root of a machine that a portable text does not name.
const MACHINE_FOLDERS: [&str; 6] = ["home", "mnt", "opt", "root", "Users", "work"];

/// The file that has to spell what it forbids.
const THIS_FILE: &str = "xtask/src/tidy/words.rs";

/// All findings of `file`.
pub(super) fn check(file: &TextFile) -> Vec<Finding> {
    if file.path == THIS_FILE || file.path.starts_with("LICENSE") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (line, text) in (1..).zip(file.text.lines()) {
        findings.extend(british(text).into_iter().map(|message| file.finding(line, message)));
        findings.extend(machine_path(text).map(|message| file.finding(line, message)));
    }
    findings
}

fn british(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphabetic());
    words
        .filter(|word| !AMERICAN.iter().any(|known| word.starts_with(known)))
        .flat_map(|word| SPELLINGS.iter().filter(move |(british, _)| word.contains(british)))
        .map(|(british, american)| format!("expected American spelling `{american}..`, found `{british}..`"))
        .collect()
}

/// A path that begins at one of the [`MACHINE_FOLDERS`]: the slash in front of it follows nothing of a path.
fn machine_path(text: &str) -> Option<String> {
    MACHINE_FOLDERS.iter().find_map(|folder| {
        let path = format!("/{folder}/");
        let begins = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || ".-_/}*".contains(c));
        let found = text.match_indices(&path).any(|(at, _)| begins(at));
        found.then(|| format!("expected no path of one machine, found `{path}..`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> usize {
        check(&TextFile { path: "docs/a.md".to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn british_words_are_found_wherever_they_stand() {
        assert_eq!(count("the Normalised colour"), 2);
        assert_eq!(count("fn denormalise_all() {}"), 1);
        assert_eq!(count("the normalized color of parallelism, a colon"), 0);
    }

    #[test]
    fn paths_of_one_machine_are_found_and_relative_ones_are_not() {
        assert_eq!(count("see /home/someone/genesys"), 1);
        assert_eq!(count("see ../work/genesys and https://example.org/work/x"), 0);
    }
}

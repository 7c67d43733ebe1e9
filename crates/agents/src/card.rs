//! The language on one page, for a model that is to write in it.
//!
//! The page is made of the reference, `docs/language.md`: of what stands there between `<!-- card -->` and `<!-- /card -->`, with the tables as
//! lines and no marks of code within them. So what it says is what the reference says, and a test checks every block of code on both. It has at most [`MOST_TOKENS`] tokens.

/// The most tokens of the page, as `o200k_base` counts them.
pub const MOST_TOKENS: usize = 2_500;

/// The reference.
const REFERENCE: &str = include_str!("../../../docs/language.md");

const OPEN: &str = "<!-- card -->";
const CLOSE: &str = "<!-- /card -->";

/// The page.
#[must_use]
pub fn card() -> String {
    let parts = REFERENCE.split(OPEN).skip(1).map(|rest| rest.split(CLOSE).next().unwrap_or(rest).trim());
    let text: Vec<String> = parts.map(condensed).collect();
    text.join("\n") + "\n"
}

/// A part without what only lays it out: ``| `a` | b |`` is `a: b`.
fn condensed(part: &str) -> String {
    let mut in_code = false;
    let lines = part.lines().filter_map(|line| {
        in_code ^= line.starts_with("```");
        match line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) {
            Some(row) if !in_code && row.split(" | ").all(|cell| cell == "---") => None,
            Some(row) if !in_code => Some(row.replacen(" | ", ": ", 1).replace('`', "")),
            None if !in_code && !line.starts_with("```") => Some(line.replace('`', "")),
            _ => Some(line.to_owned()),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use genesys_compiler::check_text;
    use genesys_diag::render_short;

    use super::*;

    #[test]
    fn every_part_is_closed_and_the_page_is_small() {
        let (opened, closed) = (REFERENCE.matches(OPEN).count(), REFERENCE.matches(CLOSE).count());
        assert!(opened >= 8 && opened == closed, "{opened} are opened, {closed} closed");
        let card = card();
        assert!(!card.contains("<!--") && !card.contains("| ---"), "{card}");
        let tokens = tiktoken_rs::o200k_base().unwrap().encode_ordinary(&card).len();
        assert!((1_500..=MOST_TOKENS).contains(&tokens), "{tokens} tokens");
    }

    #[test]
    fn it_has_the_words_that_are_no_names() {
        let words = genesys_syntax::KEYWORDS.join(" ");
        assert!(
            card().split_whitespace().collect::<Vec<_>>().join(" ").contains(&format!("is one of {words}.")),
            "{words}"
        );
    }

    #[test]
    fn every_block_of_code_is_a_design() {
        let card = card();
        let blocks: Vec<&str> = card.split("```gau\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(blocks.len() >= 2 && card.matches("```").count() == 2 * blocks.len(), "{card}");
        for block in blocks {
            let design = if block.contains("design ") { "" } else { "design Card { stack = [Block*] }\n" };
            let checked = check_text("card", &format!("{block}{design}"));
            let shown: Vec<String> = checked.diagnostics.iter().map(|d| render_short(&checked.sources, d)).collect();
            assert!(shown.is_empty(), "{shown:#?} in\n{block}");
        }
    }

    #[test]
    fn tables_become_lines_and_code_stays() {
        let part = "Of `a`:\n| form | meaning |\n| --- | --- |\n| `a` | one \\| two |\n```gau\n| x |\n```";
        assert_eq!(condensed(part), "Of a:\nform: meaning\na: one \\| two\n```gau\n| x |\n```");
    }
}

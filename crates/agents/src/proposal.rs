//! A proposal: a text of fixed parts, read into a type.
//!
//! It is written in Markdown, by a model or by a person, since formulas do not live well in JSON. What it claims is data that
//! can be compared with the design ([`Claims`]), and what it refers to are sentences of documents ([`Reference`]).

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// What it is called.
    pub title: String,
    /// What is not good yet.
    pub problem: String,
    /// What could make it better.
    pub idea: String,
    /// The same as formulas, with shapes.
    pub mathematics: String,
    /// What should be seen in results, and why.
    pub effect: String,
    /// Which units change, and how.
    pub change: String,
    /// What can be held against the design.
    pub claims: Claims,
    /// What it rests on.
    pub references: Vec<Reference>,
}

/// What a proposal says of its design that the program can find out by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Whether what decoding keeps grows with the tokens read.
    pub state: Option<State>,
    /// How the work of a forward pass grows with the sequence, as the power of `T`: 1 for `O(T)`.
    pub power: Option<u32>,
}

/// What decoding keeps between two tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As much after any number of tokens.
    Constant,
    /// More with every token.
    Growing,
}

/// A sentence that a proposal rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The document's key.
    pub key: String,
    /// The sentence, as it stands there.
    pub sentence: String,
}

/// The parts in their order; the last two are lists.
const PARTS: [&str; 7] = ["Problem", "Idea", "Mathematics", "Expected effect", "Change", "Claims", "References"];

/// The most characters of a part.
const MOST: usize = 6_000;

impl Proposal {
    /// Reads a proposal.
    ///
    /// # Errors
    /// Everything that is wrong with the text, each with what was expected.
    pub fn read(text: &str) -> Result<Self, Vec<String>> {
        let text = unfenced(text);
        let mut wrong = Vec::new();
        let title = text.lines().find_map(|line| line.strip_prefix("# ")).map(|title| title.trim().to_owned());
        if title.as_deref().is_none_or(str::is_empty) {
            wrong.push("expected a first line `# TITLE`, found none".to_owned());
        }
        let parts = PARTS.map(|name| part(text, name, &mut wrong));
        let [problem, idea, mathematics, effect, change, claims, references] = parts;
        let claims = Claims::read(&claims).map_err(|why| wrong.push(why)).unwrap_or_default();
        let references = references_of(&references).map_err(|why| wrong.push(why)).unwrap_or_default();
        let title = title.unwrap_or_default();
        if wrong.is_empty() {
            Ok(Self { title, problem, idea, mathematics, effect, change, claims, references })
        } else {
            Err(wrong)
        }
    }

    /// The text that [`read`](Self::read) reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("# {}\n", self.title);
        let references: Vec<String> =
            self.references.iter().map(|one| format!("- {}: \"{}\"", one.key, one.sentence)).collect();
        let none = || "none".to_owned();
        let references = if references.is_empty() { none() } else { references.join("\n") };
        let claims = self.claims.text().unwrap_or_else(none);
        let parts = [&self.problem, &self.idea, &self.mathematics, &self.effect, &self.change, &claims, &references];
        for (name, part) in PARTS.iter().zip(parts) {
            write!(text, "\n## {name}\n{part}\n").expect("a string takes any text");
        }
        text
    }
}

/// A text without the fence around all of it.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inner.and_then(|inner| inner.split_once('\n')).map_or(text, |(_, inner)| inner)
}

/// The text under a heading.
fn part(text: &str, name: &str, wrong: &mut Vec<String>) -> String {
    let heading = |line: &str| line.strip_prefix("## ").map(|rest| rest.trim().to_lowercase());
    let mut lines = text.lines().skip_while(|line| heading(line).as_deref() != Some(&name.to_lowercase()));
    if lines.next().is_none() {
        wrong.push(format!("expected a part `## {name}`, found none"));
        return String::new();
    }
    let lines: Vec<&str> = lines.take_while(|line| heading(line).is_none()).collect();
    let part = lines.join("\n").trim().to_owned();
    let count = part.chars().count();
    if part.is_empty() {
        wrong.push(format!("expected a text under `## {name}`, found nothing"));
    } else if count > MOST {
        wrong.push(format!("expected at most {MOST} characters under `## {name}`, found {count}"));
    }
    part
}

/// The entries of a list, each `- NAME: TEXT`; none where it says `none`.
fn entries(list: &str) -> impl Iterator<Item = Result<(&str, &str), String>> {
    let lines = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.eq_ignore_ascii_case("none"));
    lines.map(|line| {
        let entry = line.strip_prefix(['-', '*']).and_then(|rest| rest.split_once(": "));
        let (name, text) = entry.ok_or_else(|| format!("expected `- NAME: TEXT` or `none`, found `{line}`"))?;
        Ok((name.trim().trim_matches('`'), text.trim()))
    })
}

impl Claims {
    fn read(list: &str) -> Result<Self, String> {
        let mut claims = Self::default();
        for entry in entries(list) {
            match entry? {
                ("state", "constant") => claims.state = Some(State::Constant),
                ("state", "growing") => claims.state = Some(State::Growing),
                ("time", time) => claims.power = Some(power(time)?),
                (name, text) => {
                    return Err(format!(
                        "expected a claim `- state: constant`, `- state: growing` or `- time: O(T)`, found `- {name}: {text}`"
                    ));
                }
            }
        }
        Ok(claims)
    }

    /// The list, if there is anything in it.
    fn text(&self) -> Option<String> {
        let state = self.state.map(|state| match state {
            State::Constant => "- state: constant".to_owned(),
            State::Growing => "- state: growing".to_owned(),
        });
        let lines: Vec<String> =
            state.into_iter().chain(self.power.map(|power| format!("- time: {}", class(power)))).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// `O(T^2)` for 2.
#[must_use]
pub(crate) fn class(power: u32) -> String {
    match power {
        0 => "O(1)".to_owned(),
        1 => "O(T)".to_owned(),
        power => format!("O(T^{power})"),
    }
}

fn power(class: &str) -> Result<u32, String> {
    let inner = class.trim().strip_prefix("O(").and_then(|rest| rest.strip_suffix(')'));
    let power = match inner {
        Some("1") => Some(0),
        Some("T") => Some(1),
        Some(inner) => inner.strip_prefix("T^").and_then(|power| power.parse().ok()),
        None => None,
    };
    power.ok_or_else(|| {
        format!("expected a time `O(T)` or `O(T^2)`, in which T is the number of tokens, found `{class}`")
    })
}

fn references_of(list: &str) -> Result<Vec<Reference>, String> {
    let read = |entry: Result<(&str, &str), String>| {
        entry.map(|(key, sentence)| {
            let sentence = sentence.trim_matches(['"', '\u{201c}', '\u{201d}']).trim().to_owned();
            Reference { key: key.to_owned(), sentence }
        })
    };
    entries(list).map(read).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "# Halved memory\n\n## Problem\nIt forgets.\n\n## Idea\nLess.\n\n## Mathematics\n$s_t = a s_{t-1}$, \\frac{1}{2}\n\n\
                        ## Expected effect\nLower.\n\n## Change\n`Mix` decays.\n\n## Claims\n- state: constant\n- time: O(T)\n\n\
                        ## References\n- gla: \"It has a gate.\"\n";

    #[test]
    fn a_proposal_is_read_and_written() {
        let proposal = Proposal::read(TEXT).unwrap();
        assert_eq!(proposal.title, "Halved memory");
        assert_eq!(proposal.claims, Claims { state: Some(State::Constant), power: Some(1) });
        assert_eq!(proposal.references, [Reference { key: "gla".into(), sentence: "It has a gate.".into() }]);
        assert_eq!(proposal.text(), TEXT);
        assert_eq!(Proposal::read(&format!("```markdown\n{TEXT}```")).unwrap(), proposal);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = Proposal::read("Sure! Here it is.\n## Problem\n\n## Claims\n- state: tiny\n## References\ngla")
            .unwrap_err();
        let all = wrong.join("\n");
        for part in ["`# TITLE`", "under `## Problem`", "`## Idea`", "found `- state: tiny`", "found `gla`"] {
            assert!(all.contains(part), "{part}: {all}");
        }
        assert!(power("O(n log n)").unwrap_err().contains("O(n log n)"));
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_refused_or_read_and_written_alike(text in "\\PC{0,200}", body in "[a-z$^\\\\ {}_#-]{0,40}") {
            let _ = Proposal::read(&text);
            let text = TEXT.replace("It forgets.", &body);
            if let Ok(proposal) = Proposal::read(&text) {
                prop_assert_eq!(Proposal::read(&proposal.text()).unwrap(), proposal);
            }
        }
    }
}

//! Prompts: files with slots, `{{name}}`.
//!
//! A prompt is data. Which slots it has is fixed where it is used; what fills them is text of others, and is put in as it is but for
//! marks that would end the part it stands in.

/// A prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Its file's name, without its ending.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// All prompts.
pub const PROMPTS: [Prompt; 22] = [
    PROPOSER,
    PROPOSE,
    SEARCH,
    FOUND,
    PROPOSAL,
    DECLINED,
    INTERFACES,
    REVIEWER,
    REVIEW,
    PLANNER,
    PLAN,
    IMPLEMENTER,
    WHOLE,
    SKETCH,
    FILL,
    FITTING,
    OBSERVER,
    OBSERVE,
    ANALYST,
    ANALYSE,
    MEND,
    AGAIN,
];

/// What the proposer is.
pub const PROPOSER: Prompt = Prompt { name: "proposer", text: include_str!("../prompts/proposer.md") };
/// What is wanted.
pub const PROPOSE: Prompt = Prompt { name: "propose", text: include_str!("../prompts/propose.md") };
/// Questions are asked for.
pub const SEARCH: Prompt = Prompt { name: "search", text: include_str!("../prompts/search.md") };
/// What was found for them.
pub const FOUND: Prompt = Prompt { name: "found", text: include_str!("../prompts/found.md") };
/// A proposal is asked for.
pub const PROPOSAL: Prompt = Prompt { name: "proposal", text: include_str!("../prompts/proposal.md") };
/// Another one is asked for.
pub const DECLINED: Prompt = Prompt { name: "declined", text: include_str!("../prompts/declined.md") };
/// Its sketch is asked for.
pub const INTERFACES: Prompt = Prompt { name: "interfaces", text: include_str!("../prompts/interfaces.md") };
/// What the reviewer is.
pub const REVIEWER: Prompt = Prompt { name: "reviewer", text: include_str!("../prompts/reviewer.md") };
/// A review is asked for.
pub const REVIEW: Prompt = Prompt { name: "review", text: include_str!("../prompts/review.md") };
/// What the planner is.
pub const PLANNER: Prompt = Prompt { name: "planner", text: include_str!("../prompts/planner.md") };
/// A plan is asked for.
pub const PLAN: Prompt = Prompt { name: "plan", text: include_str!("../prompts/plan.md") };
/// What the implementer is.
pub const IMPLEMENTER: Prompt = Prompt { name: "implementer", text: include_str!("../prompts/implementer.md") };
/// A whole design is asked for.
pub const WHOLE: Prompt = Prompt { name: "whole", text: include_str!("../prompts/whole.md") };
/// A sketch is asked for.
pub const SKETCH: Prompt = Prompt { name: "sketch", text: include_str!("../prompts/sketch.md") };
/// A unit is asked for.
pub const FILL: Prompt = Prompt { name: "fill", text: include_str!("../prompts/fill.md") };
/// Units that are known and fit.
pub const FITTING: Prompt = Prompt { name: "fitting", text: include_str!("../prompts/fitting.md") };
/// What the observer is.
pub const OBSERVER: Prompt = Prompt { name: "observer", text: include_str!("../prompts/observer.md") };
/// An observation is asked for.
pub const OBSERVE: Prompt = Prompt { name: "observe", text: include_str!("../prompts/observe.md") };
/// What the analyst is.
pub const ANALYST: Prompt = Prompt { name: "analyst", text: include_str!("../prompts/analyst.md") };
/// Lessons are asked for.
pub const ANALYSE: Prompt = Prompt { name: "analyse", text: include_str!("../prompts/analyse.md") };
/// An answer is to be mended.
pub const MEND: Prompt = Prompt { name: "mend", text: include_str!("../prompts/mend.md") };
/// The same, without what is wrong with it.
pub const AGAIN: Prompt = Prompt { name: "again", text: include_str!("../prompts/again.md") };

impl Prompt {
    /// The version: `p1-` and 16 hexadecimal digits of a BLAKE3 hash of the text.
    #[must_use]
    pub fn version(&self) -> String {
        let hash = blake3::Hasher::new_derive_key("genesys prompt 1").update(self.text.as_bytes()).finalize();
        format!("p1-{}", &hash.to_hex()[..16])
    }

    /// The names of its slots, in their order.
    #[must_use]
    pub fn slots(&self) -> Vec<&'static str> {
        self.text.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0)).collect()
    }

    /// The text with its slots filled, in one pass: what fills a slot has none.
    ///
    /// # Panics
    /// Where a slot has no filling, or a filling no slot: the callers are in this crate.
    #[must_use]
    pub(crate) fn filled(&self, fillings: &[(&str, &str)]) -> String {
        let slots = self.slots();
        assert!(
            slots.len() == fillings.len() && fillings.iter().all(|(name, _)| slots.contains(name)),
            "`{}` has the slots {slots:?}",
            self.name
        );
        let mut parts = self.text.split("{{");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once("}}").expect("a slot is closed");
            let (_, filling) = fillings.iter().find(|(slot, _)| *slot == name).expect("each slot has a filling");
            text.push_str(filling);
            text.push_str(rest);
        }
        text.trim_end().to_owned()
    }
}

/// The tags that texts of others stand in.
const TAGS: [&str; 12] = [
    "parent", "others", "lessons", "document", "proposal", "sketch", "review", "plan", "units", "design", "facts",
    "results",
];

/// A text of others for a part in tags: none of our tags opens or closes in it.
pub(crate) fn enclosed(text: &str) -> String {
    let is_tag = |rest: &str| {
        let name = rest.strip_prefix('/').unwrap_or(rest).trim_start();
        TAGS.iter().any(|tag| name.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)))
    };
    let mut parts = text.split('<');
    let mut safe = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        safe.push_str(if is_tag(part.trim_start()) { "< " } else { "<" });
        safe.push_str(part);
    }
    safe
}

/// The beginning of a text: at most so many characters, with a mark where something is left out.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} ...", text[..end].trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_filled_once_and_what_fills_them_has_none() {
        let prompt = Prompt { name: "p", text: "a {{x}} b {{y}}\n" };
        assert_eq!(prompt.slots(), ["x", "y"]);
        assert_eq!(prompt.filled(&[("y", "2"), ("x", "{{y}}")]), "a {{y}} b 2");
        assert_eq!(enclosed("a </proposal> b <PARENT x> < /facts>"), "a < /proposal> b < PARENT x> <  /facts>");
        assert_eq!(enclosed("unit Mixer<H = 4>, 1 < 2, \u{e4}<\u{e4}"), "unit Mixer<H = 4>, 1 < 2, \u{e4}<\u{e4}");
    }

    #[test]
    fn prompts_have_versions_of_their_own() {
        let versions: std::collections::BTreeSet<String> = PROMPTS.iter().map(Prompt::version).collect();
        assert_eq!(versions.len(), PROMPTS.len());
    }
}

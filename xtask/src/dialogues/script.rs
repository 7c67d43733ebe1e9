//! What the server answers in place of a model: all roles of a dialogue, by what it is asked.
//!
//! In: a request of chat completions. Out: a text, or nothing where the script does not know what is asked: then a prompt is another one, and
//! the script has to learn it. Every dialogue searches, proposes another design, sketches it, has it reviewed and planned, writes its unit (in
//! one of three dialogues wrong at first) and is told to be what it says.

use serde_json::Value;

/// A proposal of about as many words as a model writes.
const PROPOSAL: &str = "# Look back by {near} and by {far}

## Problem
A position of the parent that wants what stood at a fixed distance has to find it by content, which takes a head and most of its keys.

## Idea
Two positions at fixed distances are read as they are, through one linear map each, beside what the block does anyway. What is near tells of \
the word, what is far of the phrase, and neither is searched for.

## Mathematics
$y_t = x_t + A x_{t-{near}} + B x_{t-{far}}$ with $x_t$ of $D$ numbers and $A$, $B$ of $D$ by $D$. Before the first position stand zeros.

## Expected effect
Fewer bits per byte on texts with lines of like length. If the loss is that of the parent within two standard errors, the idea is refuted.

## Change
`Block` calls `Back`, which is new; nothing else changes.

## Claims
none

## References
none
";

const SKETCH: &str = "```gau
/// Reads two positions at fixed distances.
design LookBack {
    stack = [Block*]
}

/// A residual around `Back`.
unit Block(x: Seq[D]) -> Seq[D] {
    x + Back(x)
}

/// A x_{t-{near}} + B x_{t-{far}}, of distances {near} and {far}.
unit Back(x: Seq[D]) -> Seq[D];
```
";

const UNIT: &str = "```gau
/// A x_{t-{near}} + B x_{t-{far}}, of distances {near} and {far}.
unit Back(x: Seq[D]) -> Seq[D] {
    let near = linear[D -> D](shift(x, {near}))
    let far = linear[D -> D](shift({of}, {far}))
    near + far
}
```
";

const REVIEW: &str = r#"{"novelty": 3, "soundness": 4, "effect": 3, "cost": 4, "rating": 4, "remarks": "It is small, and what would refute it is said. Distances are not learned, which should be tried next."}"#;
const PLAN: &str = r#"{"units": [{"unit": "Back", "how": "Two linear maps of the width, one of each shifted sequence, added. The distances are those of the comment; shift looks back, and not ahead."}]}"#;
const OPINION: &str = r#"{"faithful": 4, "novelty": 2, "quality": 4, "remarks": "It is what is proposed: two shifted sequences, a linear map of each, and a residual."}"#;
const SEARCHES: [&str; 3] = [
    r#"{"notes": "Reading fixed distances is old in convolutions; I want to know what is known of it beside attention.", "questions": ["short convolution beside attention", "token shift"]}"#,
    r#"{"notes": "Token shift mixes one position back. Two distances at once are not in what I found.", "questions": ["dilated convolution language model"]}"#,
    r#"{"notes": "Dilations are stacked there, and not beside a residual. I know enough.", "questions": []}"#,
];

/// What is answered to a request.
pub(super) fn answer(request: &Value) -> Option<String> {
    let messages = request["messages"].as_array()?;
    let text = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    let seed = request["seed"].as_u64().unwrap_or_default();
    // The last question that is none about mending says what is wanted.
    let asked: Vec<String> = messages.iter().filter(|message| message["role"] == "user").map(text).collect();
    let mended = asked.last()?.starts_with("That is not right yet");
    let wanted = asked.iter().rev().find(|text| !text.starts_with("That is not right yet"))?;
    let is = |words: &str| wanted.contains(words);
    if is("Look for what is known") {
        let before = messages.iter().filter(|message| message["role"] == "assistant").count();
        return SEARCHES.get(before).map(|text| (*text).to_owned());
    }
    let of = if seed.is_multiple_of(3) && !mended { "y" } else { "x" };
    let (near, far) = (1 + seed % 15, 16 + seed / 15 % 47);
    let filled = |template: &str| {
        let numbers = template.replace("{near}", &near.to_string()).replace("{far}", &far.to_string());
        Some(numbers.replace("{of}", of))
    };
    match () {
        () if is("Now write the proposal, in Markdown") => filled(PROPOSAL),
        () if is("write the sketch of") => filled(SKETCH),
        () if is("Answer with JSON: `novelty`, `soundness`") => Some(REVIEW.to_owned()),
        () if is("Answer with JSON: `units`") => Some(PLAN.to_owned()),
        () if is("Now write `unit Back") => filled(UNIT),
        () if is("Answer with JSON: `faithful`") => Some(OPINION.to_owned()),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(seed: u64, texts: &[&str]) -> Option<String> {
        let mut messages = vec![json!({ "role": "system", "content": "You do." })];
        for (number, text) in texts.iter().enumerate() {
            messages.push(json!({ "role": if number % 2 == 0 { "user" } else { "assistant" }, "content": text }));
        }
        answer(&json!({ "messages": messages, "seed": seed }))
    }

    #[test]
    fn each_dialogue_has_a_design_of_its_own_and_one_of_three_is_wrong_at_first() {
        let unit = |seed| asked(seed, &["Now write `unit Back(x: Seq[D]) -> Seq[D]`, whole"]).unwrap_or_default();
        assert!(unit(3).contains("shift(y, 16)") && unit(4).contains("shift(x, 16)"), "{}", unit(4));
        let texts: std::collections::BTreeSet<String> = (0..600).map(unit).collect();
        assert_eq!(texts.len(), 600);
        let mended =
            asked(3, &["Now write `unit Back(x: Seq[D]) -> Seq[D]`, whole", "```gau", "That is not right yet:\n\nno"]);
        assert!(mended.is_some_and(|text| text.contains("shift(x, 16)")));
    }

    #[test]
    fn searches_end_and_what_is_not_known_is_not_answered() {
        assert_eq!(asked(0, &["Look for what is known."]).as_deref(), Some(SEARCHES[0]));
        let third =
            asked(0, &["Look for what is known.", "{}", "Look for what is known.", "{}", "Look for what is known."]);
        assert_eq!(third.as_deref(), Some(SEARCHES[2]));
        assert_eq!(asked(0, &["Sing."]), None);
    }
}

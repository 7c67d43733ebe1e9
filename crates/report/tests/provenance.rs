//! Where a design of a dialogue came from: in the page and in the JSON value, with texts of others as data.
#![allow(clippy::unwrap_used)]

mod support;

use genesys_agents::proposal::{Claims, Proposal, Reference};
use genesys_agents::{Attempt, Role};
use genesys_evolve::Fact;
use genesys_evolve::fact::{Draw, Place, Rejected, Rejection};
use genesys_report::{json, page};
use support::{GPT, Made, dialogue};

const HOSTILE: &str = "<script>alert(1)</script> & \"so\"";

fn proposal() -> Proposal {
    let text = || HOSTILE.to_owned();
    Proposal {
        title: text(),
        problem: text(),
        idea: text(),
        mathematics: text(),
        effect: text(),
        change: text(),
        claims: Claims::default(),
        references: vec![Reference { key: "gla".to_owned(), sentence: text() }],
    }
}

fn talked(slot: u64, design: Option<&str>) -> Fact {
    let attempt = Attempt {
        role: Role::Proposer,
        piece: "proposal".into(),
        number: 1,
        answer: "no".into(),
        errors: vec![HOSTILE.into()],
    };
    let mut talked = dialogue(slot, proposal(), design);
    talked.dialogue.attempts.push(attempt);
    Fact::Talked(Box::new(talked))
}

/// The GPT with one unit more, proposed in a dialogue.
fn made() -> Made {
    let mut made = Made::start(2);
    made.propose("gpt", 0, &[], GPT);
    made.train(0, 0, 3.5);
    let changed = GPT.to_owned() + "\nunit Extra(x: Seq[D]) -> Seq[D] {\n    x + x\n}\n";
    let changed = changed.replacen("stack = [", "stack = [Extra, ", 1);
    made.tell(&talked(1, Some(&changed)));
    made.propose("gpt-1.2", 1, &[0], &changed);
    made.tell(&talked(2, None));
    let (place, draw) = (Place { generation: 1, slot: 2, attempt: 0 }, Draw { parent: 0.5, operator: 1, mate: None });
    let reason = Rejection::NoDesign("no design was written that checks".to_owned());
    made.tell(&Fact::Rejected(Rejected { place, parents: Vec::new(), operator: None, draw, hash: None, reason }));
    made.train(1, 0, 3.25);
    made
}

#[test]
fn the_chain_goes_from_a_sentence_to_the_effect() {
    let made = made();
    let report = json(made.run());
    let of = |name: &str| report.designs.iter().find(|design| design.name == name).unwrap().provenance.clone();
    assert_eq!(of("gpt"), None, "no dialogue proposed it");
    let provenance = of("gpt-1.2").unwrap();
    assert_eq!((provenance.title.as_str(), provenance.references[0].sentence.as_str()), (HOSTILE, HOSTILE));
    assert_eq!((provenance.added, provenance.changed, provenance.removed), (vec!["Extra".to_owned()], vec![], vec![]));
    let parent = made.state.designs[0].proposed.hash.clone();
    assert_eq!(provenance.effect.into_iter().collect::<Vec<_>>(), [(parent, Some(-0.25))]);
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(text.matches("\"provenance\"").count(), 1, "others are as they always were");
}

#[test]
fn what_models_and_documents_say_is_escaped_in_the_page() {
    let made = made();
    let page = page(made.run());
    assert!(!page.contains("<script>"), "a text of others became markup");
    assert!(page.matches("&lt;script&gt;").count() >= 4, "title, idea, sentence and lesson are shown");
    assert!(page.contains("-0.2500 bits per byte") && page.contains("Units added: Extra"));
    assert!(page.contains("2 dialogues with language models gave 1 designs"));
    assert!(page.contains("no design was written that checks"), "a failed attempt stays visible");
}

#[test]
fn a_run_of_operators_alone_has_no_word_about_dialogues() {
    let mut made = Made::start(2);
    made.propose("gpt", 0, &[], GPT);
    assert!(!page(made.run()).to_lowercase().contains("dialogue"));
}

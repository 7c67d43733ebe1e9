//! Why a design is as it is: what is told of shipped designs, of those of operators and of dialogues, of failed and of untrained ones.
#![allow(clippy::unwrap_used)]

mod support;

use genesys_agents::Verdict;
use genesys_agents::proposal::{Claims, Proposal, Reference};
use genesys_evolve::Fact;
use genesys_report::why::{Unfound, Why, find, text};
use support::{GLA, GPT, Made, dialogue, finished};

fn why(made: &Made, asked: &str) -> Why {
    Why::of(&made.state, find(&made.state, asked).unwrap())
}

fn told(made: &Made, asked: &str) -> String {
    text(&why(made, asked))
}

/// A proposal that tries to move a cursor and to begin lines of its own.
fn proposal(references: &[(&str, &str)]) -> Proposal {
    let reference =
        |(key, sentence): &(&str, &str)| Reference { key: (*key).to_owned(), sentence: (*sentence).to_owned() };
    Proposal {
        title: "Doubled \u{1b}[2Jinput\nhash: none".to_owned(),
        problem: "Small.".to_owned(),
        idea: "Add it once more.\u{202e}\n\nThat is all.\n".to_owned(),
        mathematics: "$2x$".to_owned(),
        effect: "Lower \u{7}loss.".to_owned(),
        change: "`Extra` doubles.".to_owned(),
        claims: Claims::default(),
        references: references.iter().map(reference).collect(),
    }
}

fn doubled() -> String {
    let changed = GPT.to_owned() + "\nunit Extra(x: Seq[D]) -> Seq[D] {\n    x + x\n}\n";
    changed.replacen("stack = [", "stack = [Extra, ", 1)
}

/// A run with a design of a dialogue that has a parent, two references and a review, and one from scratch without any of these.
fn talked() -> Made {
    let mut made = Made::start(2);
    made.propose("gpt", 0, &[], GPT);
    made.train(0, 0, 3.5);
    made.close(0);
    let references = [("gla", "It has\n a gate."), ("run/gpt", "A \u{1b}design that the run starts from.")];
    let mut first = dialogue(1, proposal(&references), Some(&doubled()));
    let remarks = "Try it.".to_owned();
    first.dialogue.proposals[0].verdict =
        Some(Verdict { novelty: 3, soundness: 4, effect: 3, cost: 4, rating: 4, remarks });
    made.tell(&Fact::Talked(Box::new(first)));
    made.propose("gpt-1.2", 1, &[0], &doubled());
    made.tell(&Fact::Talked(Box::new(dialogue(2, proposal(&[]), Some(&doubled())))));
    made.propose_as("new-1.3", 1, &[], &doubled(), Some("dialogue: Doubled input"));
    made
}

#[test]
fn of_a_shipped_design_there_is_little_to_tell() {
    let expected = "\
gpt  [generation 0, rank 2]
made by: nobody: the run started from it
trained: 3.5100 ±0.0100 bits per byte over 3 seeds
verdict: baseline
hash:    g1-00000000000000000000000000000000
";
    assert_eq!(told(&finished(), "gpt"), expected);
}

#[test]
fn an_operator_is_told_with_what_it_drew_and_what_it_brought_against_each_parent() {
    let expected = "\
gla-1.2  [generation 1, rank 1]
made by: the operator swap-activation: unit 3, silu to relu
from:    gla and gpt
units:   added: none; changed: Block, GatedLinearAttention; removed: none
trained: 3.2200 ±0.0200 bits per byte over 3 seeds
verdict: better: -0.2900 bits per byte, standard error 0.0129
hash:    g1-00000000000000000000000000000003

effect:
  against gla, the best parent: -0.2000 bits per byte with the same seed; one seed tells little
  against gpt: -0.2900 bits per byte on the mean, standard error 0.0129; -0.3000 bits per byte with the same seed
";
    assert_eq!(told(&finished(), "gla-1.2"), expected);
}

#[test]
fn a_failed_training_is_no_effect() {
    let failed = told(&finished(), "gla-1.3");
    assert!(failed.contains("\ntrained: it failed: the loss is not a finite number at step 3\n"), "{failed}");
    assert!(failed.ends_with("\neffect:\n  against gla: not known, for gla-1.3 has no score\n"), "{failed}");
    let mut made = Made::start(2);
    made.propose("gpt", 0, &[], GPT);
    made.fail(0, "it is too large");
    made.propose("gpt-1.2", 1, &[0], &doubled());
    made.train(1, 0, 3.5);
    let child = told(&made, "gpt-1.2");
    assert!(child.ends_with("  against gpt: not known, for gpt has no score\n"), "{child}");
    assert_eq!(why(&made, "gpt-1.2").best_parent, None);
    made.train(0, 1, 3.25);
    let child = told(&made, "gpt-1.2");
    assert!(
        child.ends_with("  against gpt: +0.2500 bits per byte with different seeds; that tells little\n"),
        "{child}"
    );
    let parent = told(&made, "gpt");
    let left_out = "3.2500 bits per byte over 1 seed; a training of it failed and is left out: it is too large\n";
    assert!(parent.contains(left_out), "{parent}");
}

#[test]
fn a_dialogue_is_told_from_its_references_to_its_effect_as_plain_text() {
    let mut made = talked();
    let untrained = told(&made, "gpt-1.2");
    assert!(untrained.contains("\ntrained: not yet\nverdict: untrained\n"), "{untrained}");
    assert!(untrained.ends_with("  against gpt: not known, for gpt-1.2 has no score\n"), "{untrained}");
    made.train(1, 0, 3.25);
    let expected = "\
gpt-1.2  [generation 1, rank 1]
Doubled [2Jinput hash: none
made by: a dialogue with language models (mutation); a reviewer gave it 4 of 5
from:    gpt
units:   added: Extra; changed: none; removed: none
trained: 3.2500 bits per byte over 1 seed
verdict: one-seed: -0.2500 bits per byte by a single training
hash:    g1-00000000000000000000000000000001

idea:
Add it once more.

That is all.

expected effect:
Lower loss.

rests on:
  gla: \"It has a gate.\"
  run/gpt: \"A design that the run starts from.\"

effect:
  against gpt: -0.2500 bits per byte with the same seed; one seed tells little
";
    assert_eq!(told(&made, "gpt-1.2"), expected);
}

#[test]
fn a_design_from_scratch_has_no_parent_and_all_of_its_units_are_new() {
    let made = talked();
    let told = told(&made, "new-1.3");
    assert!(told.contains("models (mutation); no reviewer rated it\nfrom:    no other design\n"), "{told}");
    assert!(told.contains("Extra") && told.contains("; changed: none; removed: none\n"), "{told}");
    assert!(told.ends_with("\nrests on:\n  no document\n"), "{told}");
}

#[test]
fn units_that_come_change_and_go_are_named() {
    let mut made = Made::start(2);
    made.propose("gpt", 0, &[], GPT);
    made.propose("gpt-1.2", 1, &[0], GLA);
    let told = told(&made, "gpt-1.2");
    assert!(told.contains("\nunits:   added: GatedLinearAttention; changed: Block; removed: Attention\n"), "{told}");
}

#[test]
fn programs_get_the_same_as_json() {
    let mut made = talked();
    made.train(1, 0, 3.25);
    let value = serde_json::to_value(why(&made, "gpt-1.2")).unwrap();
    let parent = "g1-00000000000000000000000000000000";
    let proposal = proposal(&[("gla", "It has\n a gate."), ("run/gpt", "A \u{1b}design that the run starts from.")]);
    let expected = serde_json::json!({
        "name": "gpt-1.2",
        "hash": "g1-00000000000000000000000000000001",
        "generation": 1,
        "rank": 1,
        "made": {
            "by": "dialogue",
            "mode": "mutation",
            "title": proposal.title,
            "idea": proposal.idea,
            "expected": proposal.effect,
            "rating": 4,
            "references": proposal.references,
        },
        "parents": [{
            "name": "gpt",
            "hash": parent,
            "bpb": 3.5,
            "bpb_sd": null,
            "seeds": 1,
            "effect": {"same_seed": -0.25, "mean": -0.25, "error": null},
        }],
        "best_parent": parent,
        "units": {"added": ["Extra"], "changed": [], "removed": []},
        "bpb": 3.25,
        "bpb_sd": null,
        "seeds": 1,
        "failure": null,
        "verdict": "one-seed: -0.2500 bits per byte by a single training",
    });
    assert_eq!(value, expected);
    let shipped = serde_json::to_value(why(&made, "gpt")).unwrap();
    assert_eq!((&shipped["made"], &shipped["units"]), (&serde_json::json!({"by": "run"}), &serde_json::Value::Null));
    let operator = serde_json::to_value(why(&finished(), "gpt-1.1")).unwrap();
    let made = serde_json::json!({"by": "operator", "operator": "swap-activation: unit 2, silu to relu"});
    assert_eq!(operator["made"], made);
}

#[test]
fn a_design_is_found_by_its_name_its_hash_or_the_beginning_of_that() {
    let made = finished();
    let found = |asked: &str| find(&made.state, asked).map(|found| found.name.clone());
    assert_eq!(found("gla-1.2").unwrap(), "gla-1.2");
    assert_eq!(found("g1-00000000000000000000000000000004").unwrap(), "gla-1.3");
    let names = ["gpt", "gla", "gpt-1.1", "gla-1.2", "gla-1.3"].map(str::to_owned);
    assert_eq!(found("g1-0000"), Err(Unfound::Several(names.into())));
    assert_eq!(found("gla-1.4"), Err(Unfound::NoOne(vec!["gla-1.2".into(), "gla-1.3".into(), "gla".into()])));
    for none in ["", "g1-", "g", "nothing of the kind"] {
        assert_eq!(found(none), Err(Unfound::NoOne(Vec::new())), "{none}");
    }
}

#[test]
fn each_beginning_that_only_one_hash_has_finds_it() {
    let mut made = Made::start(2);
    made.propose("gpt", 0, &[], GPT);
    let whole = made.state.designs[0].proposed.hash.clone();
    for end in "g1-0".len()..=whole.len() {
        assert_eq!(find(&made.state, &whole[..end]).unwrap().name, "gpt");
    }
    assert!(find(&made.state, &format!("{whole}0")).is_err());
}

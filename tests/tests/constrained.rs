//! What `cargo xtask llama` asks a server for, and how it counts: right answers are read, wrong ones are told, those that were cut off say
//! nothing.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use benches::constrained::{Tally, WAYS, Way};
use genesys_gbnf::Bounds;
use genesys_llm::{Form, Reply, Stop, Usage};

const UNIT: &str = "unit Mix(x: Seq[D]) -> Seq[D] {\n    x * 2\n}\n";

/// A right answer, and one that is not of the form.
fn answers(way: Way) -> (String, String) {
    let (right, wrong) = match way {
        Way::Unit => (UNIT.to_owned(), UNIT.replace("->", "=>")),
        Way::Design => {
            (format!("design A {{\n    stack = [Mix*]\n}}\n\n{UNIT}"), "design A {\n    stack = [Mix*\n}\n".into())
        }
        Way::Value => ("x + linear[D -> D](x)".into(), "x + linear[D -> D](x".into()),
        Way::Json => {
            let right = r#"{"novelty": 1, "rating": 5, "verdict": "passes", "units": ["Mix"]}"#;
            (right.to_owned(), right.replace('5', "6"))
        }
    };
    (right, wrong)
}

fn reply(text: &str, stop: Stop) -> Reply {
    let usage = Usage { output: 10, ..Usage::default() };
    Reply { text: text.to_owned(), calls: Vec::new(), stop, usage, model: "m".to_owned() }
}

#[test]
fn answers_are_counted_by_how_they_ended_and_held_to_their_form() {
    for way in WAYS {
        let ((right, wrong), mut tally) = (answers(way), Tally::default());
        let second = Duration::from_secs(1);
        tally.count(way, &reply(&right, Stop::End), second);
        assert_eq!(tally.wrong, [], "{}", way.name());
        tally.count(way, &reply(&wrong, Stop::Length), second);
        assert_eq!((tally.asked, tally.ended, tally.cut, tally.wrong.len()), (2, 1, 1, 0));
        tally.count(way, &reply(&wrong, Stop::End), second);
        assert_eq!((tally.asked, tally.ended, tally.cut, tally.wrong.len()), (3, 2, 1, 1));
        assert_eq!(tally.line(way.name()), format!("| {} | 3 | 2 | 1 | 1 | 30 | 3 | 10.0 |", way.name()));
        assert_eq!(tally.clone().plus(&tally).line("all"), "| all | 6 | 4 | 2 | 2 | 60 | 6 | 10.0 |");
    }
}

#[test]
fn each_way_is_held_by_a_form_of_its_own_and_asks_with_and_without_chance() {
    let forms: Vec<Form> = WAYS.map(|way| way.form(Bounds::Decoder)).into();
    for (i, form) in forms.iter().enumerate() {
        assert!(!forms[..i].contains(form) && *form != Form::Text, "{form:?}");
    }
    assert_ne!(Way::Unit.form(Bounds::Decoder), Way::Unit.form(Bounds::None));
    let asked = |number| Way::Unit.request("m", Bounds::Decoder, number);
    assert_eq!([0, 1, 2].map(|number| asked(number).temperature), [Some(0.0), Some(0.7), Some(1.0)]);
    assert!(WAYS.iter().map(|way| way.times()).sum::<u64>() >= 20);
}

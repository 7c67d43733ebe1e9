//! The JSON value: its fields, their order, their types.
#![allow(clippy::unwrap_used)]

mod support;

use genesys_report::json;
use genesys_report::json::Report;
use serde_json::Value;
use support::{GPT, Made, finished};

fn text(made: &Made) -> String {
    serde_json::to_string(&json(made.run())).unwrap()
}

#[test]
fn fields_stand_in_the_order_that_is_documented() {
    let mut made = Made::start(2);
    made.propose("gpt", 0, &[], GPT);
    made.propose("gpt-1.1", 1, &[0], GPT);
    made.train(0, 0, 3.5);
    made.train(0, 1, 3.7);
    made.finish();
    let expected = concat!(
        r#"{"run":"log1-5ca1ab1e","seed":7,"baseline":"g1-00000000000000000000000000000000","designs":["#,
        r#"{"design_hash":"g1-00000000000000000000000000000000","name":"gpt","parents":[],"operator":null,"#,
        r#""params":200000,"seeds":[18446744073709551615,18446744073709551614],"bpb":3.6,"bpb_sd":0.14142135623730964,"#,
        r#""tokens":1024,"verdict":"baseline"},"#,
        r#"{"design_hash":"g1-00000000000000000000000000000001","name":"gpt-1.1","#,
        r#""parents":["g1-00000000000000000000000000000000"],"operator":"swap-activation: unit 1, silu to relu","#,
        r#""params":200001,"seeds":[],"bpb":null,"bpb_sd":null,"tokens":1024,"verdict":"untrained"}]}"#
    );
    assert_eq!(text(&made), expected);
}

#[test]
fn every_design_is_there_in_the_order_of_the_leaderboard() {
    let made = finished();
    let value: Value = serde_json::from_str(&text(&made)).unwrap();
    let designs = value["designs"].as_array().unwrap();
    let column = |name: &str| designs.iter().map(|design| design[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("name"), ["gla-1.2", "gpt", "gla", "gpt-1.1", "gla-1.3"]);
    let verdicts: Vec<String> = column("verdict").iter().map(|v| v.as_str().unwrap().to_owned()).collect();
    let words: Vec<&str> = verdicts.iter().map(|verdict| verdict.split(':').next().unwrap()).collect();
    assert_eq!(words, ["better", "baseline", "one-seed", "one-seed", "failed"]);
    assert_eq!(designs[0]["parents"].as_array().unwrap().len(), 2);
    assert_eq!(
        column("seeds").iter().map(|seeds| seeds.as_array().unwrap().len()).collect::<Vec<_>>(),
        [3, 3, 1, 1, 0]
    );
    for design in designs {
        let scored = design["bpb"].is_number();
        assert_eq!(scored, !design["verdict"].as_str().unwrap().starts_with("failed"), "{design}");
        assert_eq!(design["bpb_sd"].is_number(), design["seeds"].as_array().unwrap().len() > 1, "{design}");
    }
}

#[test]
fn a_run_without_designs_has_no_baseline() {
    let made = Made::start(2);
    assert_eq!(text(&made), r#"{"run":"log1-5ca1ab1e","seed":7,"baseline":null,"designs":[]}"#);
}

#[test]
fn the_example_of_the_documentation_is_one() {
    let page = include_str!("../../../docs/report.md");
    let example = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let report: Report = serde_json::from_str(example).unwrap();
    assert_eq!(serde_json::to_string_pretty(&report).unwrap() + "\n", example);
}

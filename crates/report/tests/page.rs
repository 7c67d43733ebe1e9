//! The page: well formed, complete, self-contained, and safe whatever a design says.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use genesys_report::page;
use html5gum::{Token, Tokenizer};
use support::{GLA, GPT, Made, finished};

/// Elements that have no end.
const VOID: [&str; 2] = ["meta", "br"];

/// What a browser would see of a page.
#[derive(Default)]
struct Seen {
    ids: Vec<String>,
    links: Vec<String>,
    elements: BTreeSet<String>,
    attributes: BTreeSet<String>,
    text: String,
}

/// Reads a page as HTML; every element that begins has to end, in order.
fn seen(html: &str) -> Seen {
    let mut seen = Seen::default();
    let mut open: Vec<String> = Vec::new();
    for token in Tokenizer::new(html) {
        match token.unwrap() {
            Token::StartTag(tag) => {
                let name = String::from_utf8(tag.name.to_vec()).unwrap();
                for (attribute, value) in &tag.attributes {
                    let attribute = String::from_utf8(attribute.to_vec()).unwrap();
                    let value = String::from_utf8(value.value.to_vec()).unwrap();
                    match attribute.as_str() {
                        "id" => seen.ids.push(value),
                        "href" => seen.links.push(value),
                        _ => {}
                    }
                    seen.attributes.insert(attribute);
                }
                if !VOID.contains(&name.as_str()) && !tag.self_closing {
                    open.push(name.clone());
                }
                seen.elements.insert(name);
            }
            Token::EndTag(tag) => {
                let name = String::from_utf8(tag.name.to_vec()).unwrap();
                assert_eq!(open.pop(), Some(name), "elements end in order");
            }
            Token::String(text) => seen.text.push_str(std::str::from_utf8(&text.value).unwrap()),
            Token::Error(error) => panic!("not HTML: {error:?}"),
            Token::Comment(_) | Token::Doctype(_) => {}
        }
    }
    assert_eq!(open, [""; 0], "every element ends");
    seen
}

/// Holds a page to what is true of every page.
fn sound(html: &str) -> Seen {
    let seen = seen(html);
    let ids: BTreeSet<&str> = seen.ids.iter().map(String::as_str).collect();
    assert_eq!(ids.len(), seen.ids.len(), "identifiers are unique");
    for link in &seen.links {
        let target = link.strip_prefix('#').unwrap_or_else(|| panic!("{link} leaves the page"));
        assert!(ids.contains(target), "{link} leads nowhere");
    }
    for element in ["script", "img", "link", "iframe", "object", "embed", "form", "base", "foreignobject"] {
        assert!(!seen.elements.contains(element), "<{element}> has no place in a report");
    }
    let loads = |name: &&String| name.starts_with("on") || ["src", "srcset", "style", "data"].contains(&name.as_str());
    assert_eq!(seen.attributes.iter().find(loads), None);
    seen
}

#[test]
fn a_page_is_well_formed_and_needs_nothing_else() {
    let html = page(finished().run());
    sound(&html);
    assert!(html.contains("default-src 'none'"));
    for word in ["http:", "https:", "url(", "@import", "<script"] {
        assert!(!html.contains(word), "{word} in a page that loads nothing");
    }
}

#[test]
fn everything_of_a_run_stands_in_it() {
    let made = finished();
    let text = sound(&page(made.run())).text;
    for design in &made.state.designs {
        for part in [&design.proposed.name, &design.proposed.hash, &design.proposed.text] {
            assert!(text.contains(part.as_str()), "{part} is missing");
        }
        if let Some(operator) = &design.proposed.operator {
            assert!(text.contains(operator.as_str()), "{operator} is missing");
        }
    }
    let parts = [
        "gla-1.2 is the best of 5 designs: 3.2200 ±0.0200 bits per byte over 3 seeds, 0.2900 below the baseline gpt",
        "5 designs in 4 generations, 9 trainings done; 1 design failed; 1 proposal rejected",
        "-unit GatedLinearAttention<H = D / 64, K = 32, V = 64, R = 16>(x: Seq[D]) -> Seq[D] {",
        "+unit GatedLinearAttention<H = D / 64, K = 32, V = 64, R = 8>(x: Seq[D]) -> Seq[D] {",
        "Changes from gla, +1 −1 lines",
        "Changes from gpt, ",
        "failed: the loss is not a finite number at step 3",
        "18446744073709551615",
        "c0ffee",
        "decade",
        "log1-5ca1ab1e",
        "genesys 0.1.0",
    ];
    for part in parts {
        assert!(text.contains(part), "{part} is missing");
    }
    assert!(!text.contains("not finished"));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    assert_eq!(page(finished().run()), page(finished().run()));
}

#[test]
fn no_word_of_a_design_becomes_markup() {
    let hostile = "</script></style></pre><img src=x onerror=alert(1)>\"'><svg onload=alert(1)>&lt;\u{0}<!-- {{ ]]>";
    let mut made = Made::start(4);
    made.propose(hostile, 0, &[], &format!("// {hostile}\n{GPT}"));
    made.propose(&format!("{hostile}2"), 1, &[0], &format!("// {hostile} 2\n{GPT}"));
    made.train(0, 0, 3.0);
    made.fail(1, hostile);
    made.finish();
    let html = page(made.run());
    let shown = sound(&html).text;
    let expected = hostile.replace('\0', "\u{fffd}");
    assert!(shown.matches(&expected).count() >= 8, "it is shown as it is");
}

#[test]
fn a_run_that_is_not_finished_says_so() {
    let mut made = Made::start(4);
    assert!(sound(&page(made.run())).text.contains("This run is not finished"), "before its first design");
    made.propose("gpt", 0, &[], GPT);
    made.submit(0, 0);
    let text = sound(&page(made.run())).text;
    assert!(text.contains("This run is not finished") && text.contains("1 training not done"), "{text}");
    assert!(text.contains("No design has a score yet") && text.contains("not done yet"));
}

#[test]
fn a_single_seed_is_met_with_caution() {
    let mut made = Made::start(4);
    made.propose("gpt", 0, &[], GPT);
    made.propose("other", 1, &[0], GPT);
    made.train(0, 0, 3.0);
    made.train(1, 0, 2.9);
    made.finish();
    assert!(sound(&page(made.run())).text.contains("Caution: one seed tells little"));
}

#[test]
fn a_missing_curve_and_a_step_without_a_loss_do_no_harm() {
    let mut made = finished();
    let names: Vec<String> = made.curves.keys().cloned().collect();
    made.curves.insert(names[0].clone(), vec![f32::NAN, 3.0]);
    made.curves.insert(names[1].clone(), Vec::new());
    made.curves.remove(&names[2]);
    let html = page(made.run());
    sound(&html);
    assert!(!html.contains("NaN"));
}

#[test]
fn a_log_that_makes_no_sense_still_gives_a_page() {
    let mut made = Made::start(4);
    made.propose("gpt", 0, &[], GPT);
    made.propose("child", 3, &[0], GPT);
    // A parent that comes later, one that is not there, and oneself.
    made.state.designs[0].proposed.parents = vec![
        made.state.designs[1].proposed.hash.clone(),
        "g1-none".to_owned(),
        made.state.designs[0].proposed.hash.clone(),
    ];
    made.state.designs[0].proposed.baseline = false;
    sound(&page(made.run()));
}

#[test]
fn a_thousand_designs_fit_into_a_page_that_opens() {
    let mut made = Made::start(200);
    made.propose("gpt", 0, &[], GPT);
    made.propose("gla", 0, &[], GLA);
    for at in 2..1000_usize {
        let parent = at / 3;
        let text = made.state.designs[parent].proposed.text.replacen(
            "RmsNorm",
            if at % 2 == 0 { "LayerNorm" } else { "Norm" },
            1,
        );
        made.propose(&format!("gla-{}.{at}", at / 12), at as u64 / 12, &[parent], &text);
    }
    for at in 0..1000 {
        made.train(at, 0, 3.0 + at as f64 / 1000.0);
    }
    made.finish();
    let html = page(made.run());
    sound(&html);
    assert!(html.len() < 10_000_000, "{} bytes", html.len());
}

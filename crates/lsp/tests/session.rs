//! The server driven in memory: what a session is, from `initialize` to `exit`, and what each feature answers.
#![allow(clippy::unwrap_used)]

mod client;

use client::{Client, DESIGN, Started, URI, at, designs, place};
use genesys_lsp::{Ended, STD_URI};
use serde_json::{Value, json};

#[test]
fn a_session_begins_with_initialize_and_ends_as_it_was_asked_to() {
    let Started { mut client, result } = Client::bare();
    assert_eq!(client.request("textDocument/hover", json!({})).unwrap_err().0, -32002);
    client.notify("textDocument/didOpen", json!({}));
    assert!(result.is_null());
    let result = client.request("initialize", json!({ "capabilities": {} })).unwrap();
    assert_eq!(result["capabilities"]["positionEncoding"], "utf-16");
    assert_eq!(result["capabilities"]["textDocumentSync"]["change"], 2);
    assert_eq!(client.request("initialize", json!({ "capabilities": {} })).unwrap_err().0, -32600);
    client.notify("initialized", json!({}));
    assert_eq!(client.request("shutdown", Value::Null).unwrap(), Value::Null);
    assert_eq!(client.request("textDocument/hover", at(0, 0)).unwrap_err().0, -32600);
    client.notify("exit", Value::Null);
    assert_eq!(client.ended(), Ended::Asked);
}

#[test]
fn an_exit_without_a_shutdown_is_a_desertion_and_so_is_silence() {
    let mut client = Client::bare().client;
    client.notify("exit", Value::Null);
    assert_eq!(client.ended(), Ended::Deserted);
    assert_eq!(Client::open(DESIGN).ended(), Ended::Deserted);
    let mut client = Client::open(DESIGN);
    client.request("shutdown", Value::Null).unwrap();
    assert_eq!(client.ended(), Ended::Asked);
}

#[test]
fn what_is_not_known_or_makes_no_sense_is_refused_and_the_session_goes_on() {
    let mut client = Client::open(DESIGN);
    assert_eq!(client.request("textDocument/dance", json!({})).unwrap_err().0, -32601);
    for params in [Value::Null, json!([1]), json!({ "textDocument": 3 })] {
        assert_eq!(client.request("textDocument/hover", params).unwrap_err().0, -32602);
    }
    client.notify("textDocument/didChange", json!({ "textDocument": [] }));
    assert!(client.logged().contains("expected the parameters of `textDocument/didChange`"));
    client.notify("workspace/didChangeSomething", json!({}));
    let elsewhere =
        json!({ "textDocument": { "uri": "file:///other.gau" }, "position": { "line": 0, "character": 0 } });
    let (code, message) = client.request("textDocument/hover", elsewhere).unwrap_err();
    assert!(code == -32602 && message.contains("a text that is open"), "{message}");
    let far = json!({ "textDocument": { "uri": URI }, "position": { "line": 9999, "character": 9999 } });
    assert_eq!(client.request("textDocument/hover", far).unwrap(), Value::Null);
}

#[test]
fn a_text_that_is_closed_is_forgotten() {
    let mut client = Client::open("unit A(x: Seq[D]) -> Seq[D] {\n    y\n}\n");
    assert_ne!(client.diagnostics().len(), 0);
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": URI } }));
    assert_eq!(client.diagnostics().len(), 0);
    assert_eq!(client.request("textDocument/hover", at(0, 0)).unwrap_err().0, -32602);
}

#[test]
fn a_request_that_was_taken_back_while_it_waited_is_not_worked_on() {
    let mut client = Client::open(DESIGN);
    // All of it waits before the first is answered, or nothing does: either answer is one.
    for round in 0..50 {
        let id = client.send("textDocument/hover", place(DESIGN, "q = "));
        client.notify("$/cancelRequest", json!({ "id": id }));
        match client.response(id) {
            Ok(value) => assert!(value.is_object(), "round {round}"),
            Err((code, _)) => assert_eq!(code, -32800, "round {round}"),
        }
    }
    assert!(client.request("textDocument/hover", place(DESIGN, "q = ")).unwrap().is_object());
}

#[test]
fn diagnostics_are_the_checkers_with_page_places_and_edit() {
    let text = DESIGN.replace("silu", "silo");
    let mut client = Client::open(&text);
    let found = client.diagnostics();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["code"], "unknown-name");
    assert_eq!((&found[0]["severity"], &found[0]["source"]), (&json!(1), &json!("genesys")));
    assert!(found[0]["codeDescription"]["href"].as_str().unwrap().ends_with("/docs/errors/unknown-name.md"));
    let at = found[0]["range"].clone();
    assert_eq!(client::words(&text, &at), "silo");
    let asked = json!({ "textDocument": { "uri": URI }, "range": at, "context": { "diagnostics": [] } });
    let actions = client.request("textDocument/codeAction", asked).unwrap();
    assert_eq!((actions.as_array().unwrap().len(), &actions[0]["kind"]), (1, &json!("quickfix")));
    let edit = &actions[0]["edit"]["changes"][URI];
    assert_eq!(client::edited(&text, edit), DESIGN);
    let all = json!({ "textDocument": { "uri": URI }, "range": at,
        "context": { "diagnostics": [], "only": ["source.fixAll"] } });
    let all = client.request("textDocument/codeAction", all).unwrap();
    assert_eq!(client::edited(&text, &all[0]["edit"]["changes"][URI]), DESIGN);
    client.change(json!([{ "text": DESIGN }]));
    assert_eq!(client.diagnostics(), [] as [Value; 0]);
}

#[test]
fn related_places_are_told_and_dead_code_is_marked() {
    let text = "design T {\n    stack = [A*]\n}\n\nunit A(x: Seq[D], y: Seq[D]) -> Seq[D] {\n    let x: Seq[] = x\n    x\n}\n\
                unit A(x: Seq[D]) -> Seq[D] {\n    x\n}\n";
    let mut client = Client::open(text);
    let found = client.diagnostics();
    let related = found.iter().find(|one| one["code"] == "duplicate-name").unwrap()["relatedInformation"].clone();
    assert_eq!(
        (client::words(text, &related[0]["location"]["range"]), &related[0]["location"]["uri"]),
        ("A", &json!(URI))
    );
}

#[test]
fn columns_are_of_the_encoding_that_was_agreed_on() {
    let text = DESIGN.replace("    let gate", "    // 😀😀 é\n    let gate");
    for (offered, end) in [(json!(["utf-16"]), 13), (json!(["utf-8", "utf-16"]), 18)] {
        let mut client = Client::with(json!({ "general": { "positionEncodings": offered } })).client;
        client.opened(&text);
        assert_eq!(client.diagnostics(), [] as [Value; 0]);
        let line = text.lines().position(|line| line.contains('😀')).unwrap();
        // Behind the characters outside the basic plane: one place earlier, the rest of the comment would be a value.
        let end = json!({ "line": line, "character": end });
        client.change(json!([{ "range": { "start": end, "end": end }, "text": "\n    let wide = silo(x)" }]));
        let found = client.diagnostics();
        assert_eq!((found.len(), &found[0]["code"]), (1, &json!("unknown-name")), "{found:#?}");
        assert_eq!(found[0]["range"]["start"], json!({ "line": line + 1, "character": 15 }));
    }
    let wide = "unit A(x: Seq[D]) -> Seq[D] {\n    x + 😀 + y\n}\n";
    let character = |offered: Value| {
        let mut client = Client::with(json!({ "general": { "positionEncodings": offered } })).client;
        client.opened(wide);
        client.diagnostics()[0]["range"].clone()
    };
    let (utf16, utf8) = (character(json!(["utf-16"])), character(json!(["utf-8"])));
    assert_eq!(utf16["start"], json!({ "line": 1, "character": 8 }));
    assert_eq!((&utf16["end"]["character"], &utf8["end"]["character"]), (&json!(10), &json!(12)));
}

#[test]
fn hovering_tells_declaration_documentation_type_and_cost() {
    let mut client = Client::open(DESIGN);
    for (word, parts) in [
        ("q = linear", &["let q: Seq[H, K]"][..]),
        ("linear[D -> H, K](x) / sqrt", &["linear[X -> Y; per G]", "value `Seq[H, K]`", "operations", "q.weight"]),
        (
            "GatedLinearAttention(",
            &["unit GatedLinearAttention<", "S_t = diag(a_t)", "recurrent", "weights", "value `Seq[D]`"],
        ),
        ("RmsNorm[V]", &["unit RmsNorm<A..>", "Root mean square", "pointwise, A weights", "value `Seq[H, V]`"]),
        ("K](q, S)", &["K = 32"]),
        ("S)", &["S: [H, K, V] = 0"]),
        ("D -> R", &["the width"]),
        ("* S + outer", &["value `Seq[H, K, V] of a state`"]),
    ] {
        let hover = client.request("textDocument/hover", place(DESIGN, word)).unwrap();
        let said = hover["contents"]["value"].as_str().unwrap_or_else(|| panic!("{word}: {hover}"));
        for part in parts {
            assert!(said.contains(part), "{word}: `{part}` is missing in\n{said}");
        }
    }
}

#[test]
fn hovering_over_a_call_tells_the_values_of_a_tuple() {
    let text = "unit Pair(x: Seq[D]) -> (Seq[D], Seq[D]) {\n    (x, tanh(x))\n}\n\
                unit Block(x: Seq[D]) -> Seq[D] {\n\
                let (a, b) = Pair(x)\n    a * b\n}\n";
    let hover = Client::open(text).request("textDocument/hover", place(text, "Pair(x)\n")).unwrap();
    assert!(hover["contents"]["value"].as_str().unwrap().contains("value `(Seq[D], Seq[D])`"), "{hover}");
}

#[test]
fn definitions_are_found_in_the_text_and_in_the_standard_units_where_they_can_be_shown() {
    let mut client = Client::open(DESIGN);
    let found = client.request("textDocument/definition", place(DESIGN, "S, ")).unwrap();
    assert_eq!(found, Value::Null);
    let found = client.request("textDocument/definition", place(DESIGN, "S)")).unwrap();
    assert_eq!(client::words(DESIGN, &found["range"]), "S");
    assert_eq!(client.request("textDocument/definition", place(DESIGN, "RmsNorm[V]")).unwrap(), Value::Null);
    let content = json!({ "workspace": { "textDocumentContent": { "dynamicRegistration": false } } });
    let mut client = Client::with(content).client;
    client.opened(DESIGN);
    let found = client.request("textDocument/definition", place(DESIGN, "RmsNorm[V]")).unwrap();
    assert_eq!(found["uri"], STD_URI);
    let text = client.request("workspace/textDocumentContent", json!({ "uri": STD_URI })).unwrap();
    let text = text["text"].as_str().unwrap();
    assert_eq!(client::words(text, &found["range"]), "RmsNorm");
    let inside = json!({ "textDocument": { "uri": STD_URI }, "position": found["range"]["start"] });
    let hover = client.request("textDocument/hover", inside).unwrap();
    assert!(hover["contents"]["value"].as_str().unwrap().contains("Root mean square"));
    client.notify(
        "textDocument/didOpen",
        json!({ "textDocument": { "uri": STD_URI, "languageId": "gau", "version": 0, "text": text } }),
    );
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": STD_URI } }));
    let top = json!({ "textDocument": { "uri": STD_URI }, "position": { "line": 0, "character": 0 } });
    assert_eq!(client.request("textDocument/hover", top).unwrap(), Value::Null);
    assert!(!client.was_told_of(STD_URI), "the standard units are no file without a design");
    let refused = client.request("workspace/textDocumentContent", json!({ "uri": "file:///etc/passwd" }));
    assert_eq!(refused.unwrap_err().0, -32602);
}

#[test]
fn references_are_all_mentions_of_one_declaration() {
    let mut client = Client::open(DESIGN);
    let mut asked = place(DESIGN, "gate = ");
    asked["context"] = json!({ "includeDeclaration": true });
    let found = client.request("textDocument/references", asked.clone()).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    let mut asked = place(DESIGN, "RmsNorm[V]");
    asked["context"] = json!({ "includeDeclaration": true });
    let found = client.request("textDocument/references", asked).unwrap();
    assert!(found.as_array().unwrap().len() >= 3, "the import, the design's last unit and the calls: {found}");
}

#[test]
fn a_rename_keeps_the_design_or_is_refused() {
    let mut client = Client::open(DESIGN);
    let rename = |client: &mut Client, text: &str, word: &str, name: &str| {
        let mut asked = place(text, word);
        asked["newName"] = json!(name);
        client.request("textDocument/rename", asked)
    };
    for (word, name, count) in [("K = 32", "Key", 6), ("GatedLinearAttention<", "Gla", 2), ("q = ", "query", 2)] {
        let edits = rename(&mut client, DESIGN, word, name).unwrap();
        let edits = &edits["changes"][URI];
        assert!(edits.as_array().unwrap().len() >= count, "{word}: {edits}");
        let hash = |text: &str| genesys_compiler::check_text("t", text).design.unwrap().hash().to_string();
        assert_eq!(hash(&client::edited(DESIGN, edits)), hash(DESIGN));
    }
    for (word, name, why) in [
        ("K = 32", "V", "cannot be the name"),
        ("q = ", "k", "cannot be the name"),
        ("q = ", "let", "cannot be the name"),
        ("q = ", "a b", "cannot be the name"),
        ("q = ", "", "cannot be the name"),
        ("RmsNorm[V]", "Norm", "a standard unit's"),
        ("sqrt(K)", "root", "that this text declares"),
    ] {
        let (code, message) = rename(&mut client, DESIGN, word, name).unwrap_err();
        assert!(code == -32803 && message.contains(why), "{word} to {name}: {message}");
    }
    let prepared = client.request("textDocument/prepareRename", place(DESIGN, "K = 32")).unwrap();
    assert_eq!(client::words(DESIGN, &prepared), "K");
    let broken = DESIGN.replace("silu", "silo");
    client.change(json!([{ "text": broken }]));
    assert!(rename(&mut client, &broken, "q = ", "query").unwrap_err().1.contains("mend its errors first"));
}

#[test]
fn formatting_is_canonical_idempotent_and_leaves_a_broken_text() {
    let messy = DESIGN.replace("    let ", "  let   ");
    let mut client = Client::open(&messy);
    let edits = client.request("textDocument/formatting", client::formatting()).unwrap();
    assert_eq!(client::edited(&messy, &edits), DESIGN);
    client.change(json!([{ "text": DESIGN }]));
    assert_eq!(client.request("textDocument/formatting", client::formatting()).unwrap(), json!([]));
    client.change(json!([{ "text": "unit A(x: Seq[D] -> {" }]));
    let (code, message) = client.request("textDocument/formatting", client::formatting()).unwrap_err();
    assert!(code == -32803 && message.contains("read as a whole; line 1"), "{message}");
}

#[test]
fn completion_offers_what_the_place_asks_for() {
    let cases: [(&str, &[&str], &[&str]); 11] = [
        ("    sum[|", &["H", "K", "D", "Past"], &["x", "silu", "RmsNorm"]),
        ("    let y = G|", &["x", "silu", "Other", "RmsNorm", "scan", "pos", "linear"], &["let", "design"]),
        ("    |", &["let", "param", "axis", "require", "x"], &["yield", "unit"]),
        ("    linear[D -> H](x, |", &["bias", "init", "x"], &["let"]),
        ("    Other<|", &["K", "D"], &["x"]),
        ("    param g: [D] = 1 @|", &["gain", "decay"], &["x"]),
        ("    let y = scan S: [H] = 0 : |", &["diagonal", "low_rank"], &["x"]),
        ("    let y = scan S: [H] = 0 {\n        |", &["yield", "let", "S"], &["param"]),
        ("    let |", &[], &["x"]),
        ("    param g: [H] = |", &["normal", "uniform", "layer"], &["ceil_to"]),
        ("    axis Z = |", &["ceil_to", "min", "H", "D"], &["x", "normal"]),
    ];
    for (body, wanted, unwanted) in cases {
        let text = format!(
            "//! A header.\nuse std::{{SwiGlu}}\n\nunit Other<K = 4>(x: Seq[D]) -> Seq[D] {{\n    x\n}}\n\n\
             unit Block<H = 4, K = 2>(x: Seq[D]) -> Seq[D] {{\n{body}\n"
        );
        let mut client = Client::open(&text.replace('|', ""));
        let items = client.request("textDocument/completion", client::cursor(&text)).unwrap();
        let labels: Vec<&str> = items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect();
        for label in wanted {
            assert!(labels.contains(label), "{body}: `{label}` is missing in {labels:?}");
        }
        for label in unwanted {
            assert!(!labels.contains(label), "{body}: `{label}` does not belong there");
        }
        let norm = items.as_array().unwrap().iter().find(|item| item["label"] == "RmsNorm");
        if let Some(edits) = norm.and_then(|norm| norm.get("additionalTextEdits")) {
            assert!(client::edited(&text.replace('|', ""), edits).contains("use std::{SwiGlu, RmsNorm}"));
        }
    }
}

#[test]
fn symbols_hints_and_tokens_are_of_the_text() {
    let mut client = Client::open(DESIGN);
    let of = json!({ "textDocument": { "uri": URI } });
    let symbols = client.request("textDocument/documentSymbol", of.clone()).unwrap();
    let names: Vec<&str> = symbols.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Gla", "Block", "GatedLinearAttention"]);
    let unit = &symbols[2];
    assert!(client::words(DESIGN, &unit["range"]).starts_with("unit GatedLinearAttention"), "{unit}");
    assert!(client::words(DESIGN, &unit["range"]).ends_with('}'), "{unit}");
    assert!(unit["children"].as_array().unwrap().iter().any(|one| one["name"] == "S"));
    let whole = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 999, "character": 0 } });
    let asked = json!({ "textDocument": { "uri": URI }, "range": whole });
    let hints = client.request("textDocument/inlayHint", asked).unwrap();
    assert!(hints.as_array().unwrap().iter().any(|hint| hint["label"] == ": Seq[H, K]"), "{hints}");
    let tokens = client.request("textDocument/semanticTokens/full", of).unwrap();
    let mentions = genesys_names::Names::read(DESIGN, Default::default()).mentions.len();
    assert_eq!(tokens["data"].as_array().unwrap().len(), 5 * mentions);
    assert!(mentions > 60, "{mentions}");
}

#[test]
fn a_design_typed_letter_by_letter_is_answered_at_each() {
    let mut client = Client::open("");
    let (mut line, mut character) = (0, 0);
    for c in DESIGN.chars() {
        let end = json!({ "line": line, "character": character });
        client.change(json!([{ "range": { "start": end, "end": end }, "text": c.to_string() }]));
        (line, character) = if c == '\n' { (line + 1, 0) } else { (line, character + 1) };
        client.ask_all(at(line, character));
    }
    let version = client.version;
    let last = std::iter::repeat_with(|| client.published()).find(|one| one.0 == version).unwrap();
    assert_eq!(last.1, [] as [Value; 0]);
    assert_eq!(client.request("textDocument/formatting", client::formatting()).unwrap(), json!([]));
}

#[test]
fn every_design_is_answered_at_sampled_places_and_every_name_has_a_hover() {
    for (path, text) in designs() {
        let mut client = Client::open(&text);
        assert_eq!(client.diagnostics(), [] as [Value; 0], "{path}");
        for offset in (0..=text.len()).step_by(23).filter(|at| text.is_char_boundary(*at)) {
            client.ask_all(client::position(&text, offset));
        }
        let names = genesys_names::Names::read(&text, Default::default());
        let asks = |sort: &genesys_names::Sort| sort.asks_for_unit() || *sort == genesys_names::Sort::Declared;
        for mention in names.mentions.iter().filter(|mention| asks(&mention.sort)) {
            let asked = client::position(&text, mention.span.start as usize);
            let hover = client.request("textDocument/hover", asked).unwrap();
            assert!(hover.is_object(), "{path}: `{}` at {}", &text[mention.span.range()], mention.span.start);
        }
    }
}

#[test]
fn a_text_that_is_damaged_at_random_is_answered_all_the_same() {
    let pieces = ["", "}", "{", "(", "[", "😀", "\n", "unit ", "let ", "scan S: [", "<", "//", "\r", "é", "use std::{"];
    let mut drawn = 1u64;
    let mut below = |end: usize| {
        drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (drawn >> 33) as usize % end
    };
    for _ in 0..8 {
        let mut client = Client::open(DESIGN);
        for _ in 0..25 {
            // Places beyond the text and ranges that run backwards are among them.
            let mut place = || json!({ "line": below(45), "character": below(90) });
            let (start, end) = (place(), place());
            let end = if below(4) > 0 { start.clone() } else { end };
            client.change(json!([{ "range": { "start": start, "end": end }, "text": pieces[below(pieces.len())] }]));
            client.ask_all(json!({ "textDocument": { "uri": URI }, "position": start }));
        }
        client.request("shutdown", Value::Null).unwrap();
    }
}

//! The tokenizer's promises: exact round trips, the same bytes from the same text, and honest byte counts.
#![allow(clippy::unwrap_used)]

use genesys_tokenize::{EOS, TextStream, TokenizeError, Tokenizer};

/// Real prose and code: sources of this crate.
const TEXTS: [&str; 4] = [
    include_str!("../src/tokenizer.rs"),
    include_str!("../src/cache.rs"),
    include_str!("../src/pieces.rs"),
    include_str!("tokenizer.rs"),
];

fn trained(vocab_size: usize) -> Tokenizer {
    Tokenizer::train(TEXTS.into_iter(), vocab_size).unwrap()
}

/// Strings of every kind: by hand, then pseudo-random ones over all planes and over a small, merge-happy alphabet.
fn samples() -> Vec<String> {
    let by_hand = [
        "",
        " ",
        "\n",
        "\r\n",
        "\0",
        "a",
        "<eos>",
        "<eos><eos>",
        "a <eos> b",
        "\u{feff}bom",
        "e\u{301}",
        "é",
        "ﬁ",
        "İı",
        "日本語のテキスト",
        "👩‍👩‍👧‍👦",
        "\u{10ffff}",
        "\u{85}\u{2028}\u{a0}",
        "   x   ",
        "\t\n \n\n x\n",
        "it's we'll 's",
        "Ġthe Ċ",
        "fn main() { println!(\"{}\", 1_000); }",
    ];
    let mut state = 1_u64;
    let mut draw = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut all: Vec<String> = by_hand.iter().map(|text| (*text).to_owned()).collect();
    for _ in 0..300 {
        let length = draw(60);
        all.push((0..length).filter_map(|_| char::from_u32(draw(0x11_0000) as u32)).collect());
        let alphabet: Vec<char> = "the  \n\n<eos>aé日'".chars().collect();
        let length = draw(200);
        all.push((0..length).map(|_| alphabet[draw(alphabet.len() as u64) as usize]).collect());
    }
    all
}

#[test]
fn every_text_comes_back_and_its_bytes_are_counted() {
    for tokenizer in [Tokenizer::bytes(), trained(600)] {
        for text in samples() {
            let ids = tokenizer.encode(&text);
            assert_eq!(tokenizer.decode(&ids), text);
            let bytes: u64 = ids.iter().map(|id| u64::from(tokenizer.byte_lengths()[*id as usize])).sum();
            assert_eq!(bytes, text.len() as u64, "{text:?}");
            assert!(!ids.contains(&tokenizer.eos()), "{text:?}");
        }
    }
}

#[test]
fn byte_lengths_are_those_of_decode() {
    let tokenizer = trained(600);
    for (id, length) in tokenizer.byte_lengths().iter().enumerate() {
        let text = tokenizer.decode(&[id as u32]);
        // A token that is no whole character decodes to U+FFFD, three bytes long; all others exactly.
        if !text.contains('\u{fffd}') {
            assert_eq!(text.len(), *length as usize, "token {id} {text:?}");
        }
    }
    assert_eq!(tokenizer.byte_lengths()[tokenizer.eos() as usize], 0);
}

#[test]
fn the_byte_tokenizer_numbers_bytes_by_value() {
    let tokenizer = Tokenizer::bytes();
    assert_eq!((tokenizer.vocab_size(), tokenizer.eos()), (257, 256));
    let text = "Az\0é日 \n";
    assert_eq!(tokenizer.encode(text), text.bytes().map(u32::from).collect::<Vec<_>>());
    assert!(tokenizer.byte_lengths()[..256].iter().all(|length| *length == 1));
}

#[test]
fn training_reaches_the_size_it_was_asked_for() {
    assert_eq!(trained(600).vocab_size(), 600);
    assert_eq!(trained(257).vocab_size(), 257);
    assert!(trained(600).encode(TEXTS[0]).len() < TEXTS[0].len() * 2 / 3);
    let few_pairs = Tokenizer::train(["ab ab"].into_iter(), 5000).unwrap();
    assert!(few_pairs.vocab_size() < 265, "{}", few_pairs.vocab_size());
}

#[test]
fn the_same_text_gives_the_same_bytes_of_json() {
    // Every map of the trainer has its own random hash seed, and the rayon pool its own schedule, at each training.
    let first = trained(1500);
    for _ in 0..5 {
        assert_eq!(trained(1500).to_json(), first.to_json());
    }
    let reversed = Tokenizer::train(TEXTS.into_iter().rev(), 1500).unwrap();
    assert_eq!(reversed.hash(), first.hash());
    let other = Tokenizer::train(TEXTS[..2].iter().copied(), 1500).unwrap();
    assert_ne!(other.hash(), first.hash());
}

#[test]
fn json_reads_back_as_the_same_tokenizer() {
    for tokenizer in [Tokenizer::bytes(), trained(600)] {
        let again = Tokenizer::from_json(&tokenizer.to_json()).unwrap();
        assert_eq!(again.hash(), tokenizer.hash());
        assert_eq!(again.eos(), tokenizer.eos());
        assert_eq!(again.encode(TEXTS[1]), tokenizer.encode(TEXTS[1]));
        assert_eq!(again.encode(EOS).len(), tokenizer.encode(EOS).len());
    }
}

#[test]
fn long_texts_are_encoded_in_pieces_without_a_trace() {
    let tokenizer = trained(600);
    let long = TEXTS.concat().repeat(12);
    assert!(long.len() > 4 * 65_536, "the text must be cut several times");
    let batch = tokenizer.encode_batch(&[&long, "", "short", &long]);
    let whole = tokenizer.encode(&long);
    assert_eq!(batch, [whole.clone(), vec![], tokenizer.encode("short"), whole.clone()]);
    assert_eq!(tokenizer.decode(&whole), long);
    // The parts are short enough to be encoded whole; a part ends in a lone line feed, where words end.
    let parts: Vec<u32> = TEXTS.iter().flat_map(|text| tokenizer.encode(text)).collect();
    assert_eq!(parts.repeat(12), whole);
}

#[test]
fn one_line_without_an_end_is_no_trouble() {
    let tokenizer = trained(600);
    for text in ["a".repeat(1 << 20), " ".repeat(1 << 20), "\n".repeat(1 << 18)] {
        assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text);
    }
}

#[test]
fn bad_requests_say_what_was_expected() {
    let small = Tokenizer::train(TEXTS.into_iter(), 256).unwrap_err();
    assert!(small.to_string().contains("at least 257"), "{small}");
    assert!(matches!(Tokenizer::train(["", ""].into_iter(), 300), Err(TokenizeError::NoText)));
    assert!(matches!(Tokenizer::from_json("{"), Err(TokenizeError::Malformed(_))));
    assert!(matches!(Tokenizer::from_json(""), Err(TokenizeError::Malformed(_))));
}

#[test]
fn tokenizers_that_lose_text_are_refused() {
    let json = Tokenizer::bytes().to_json();
    let refused = |from: &str, to: &str| {
        assert!(json.contains(from), "{from} is not in the JSON");
        match Tokenizer::from_json(&json.replace(from, to)) {
            Err(TokenizeError::Unsuitable(why)) => why,
            other => panic!("expected it to be refused, found {other:?}"),
        }
    };
    assert!(refused("\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}").contains("unchanged"));
    assert!(refused("\"add_prefix_space\":false", "\"add_prefix_space\":true").contains("unchanged"));
    assert!(refused("\"dropout\":null", "\"dropout\":0.5").contains("dropout"));
    assert!(refused("<eos>", "<stop>").contains("end-of-document"));
    assert!(refused("\"A\":65", "\"AA\":65").contains("byte 65"));
    let truncating = json.replace(
        "\"truncation\":null",
        "\"truncation\":{\"direction\":\"Right\",\"max_length\":2,\"strategy\":\"LongestFirst\",\"stride\":0}",
    );
    assert_ne!(truncating, json);
    assert_eq!(Tokenizer::from_json(&truncating).unwrap().hash(), Tokenizer::bytes().hash());
}

/// What comes out for each id, and at the end.
fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    let mut stream = TextStream::new(tokenizer);
    let mut pieces: Vec<String> = ids.iter().map(|id| stream.push(*id)).collect();
    pieces.push(stream.finish());
    pieces
}

#[test]
fn text_that_comes_in_pieces_is_the_text_of_all_ids() {
    for tokenizer in [Tokenizer::bytes(), trained(400)] {
        for text in samples() {
            let ids = tokenizer.encode(&text);
            assert_eq!(streamed(&tokenizer, &ids).concat(), text);
        }
        // Ids of no text: bytes in any order, special ones, and some outside the vocabulary.
        let mut state = 5_u64;
        for _ in 0..300 {
            let mut draw = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u32 % 405
            };
            let ids: Vec<u32> = (0..40).map(|_| draw()).collect();
            assert_eq!(streamed(&tokenizer, &ids).concat(), tokenizer.decode(&ids), "{ids:?}");
        }
    }
}

#[test]
fn a_character_is_held_back_until_it_is_whole() {
    let tokenizer = Tokenizer::bytes();
    let ids: Vec<u32> = "aé日".bytes().map(u32::from).collect();
    assert_eq!(streamed(&tokenizer, &ids), ["a", "", "é", "", "", "日", ""]);
    assert_eq!(streamed(&tokenizer, &ids[..5]), ["a", "", "é", "", "", "\u{fffd}"]);
    assert_eq!(streamed(&tokenizer, &[0xe6, u32::from(b'x')]), ["", "\u{fffd}x", ""]);
    assert_eq!(tokenizer.bytes_of(tokenizer.eos()), b"");
}

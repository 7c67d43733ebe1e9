//! Every text of the page stands out from what is behind it, in light and dark: 4.5 to 1 as WCAG 2.2 asks for, and 3 to
//! 1 for lines.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../src/style.css");

/// The colors of a scheme by name: those of light, and what dark puts in their place.
fn colors(dark: bool) -> BTreeMap<&'static str, [f64; 3]> {
    let (light_block, dark_block) = STYLE.split_once("prefers-color-scheme: dark").unwrap();
    let dark_block = dark_block.split_once("\n}").unwrap().0;
    let declared = |block: &'static str| {
        let names = block.split("--").skip(1).filter_map(|part| part.split_once(": #"));
        names.map(|(name, rest)| (name, rgb(&rest[..6]))).collect::<BTreeMap<_, _>>()
    };
    let mut colors = declared(light_block);
    if dark {
        let count = colors.len();
        colors.extend(declared(dark_block));
        assert_eq!(colors.len(), count, "dark names no color that light has not");
    }
    colors
}

fn rgb(hex: &str) -> [f64; 3] {
    [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0)
}

/// Relative luminance as WCAG defines it.
fn luminance(color: [f64; 3]) -> f64 {
    let linear = color.map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn words_and_lines_stand_out_in_both_schemes() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
    for dark in [false, true] {
        let colors = colors(dark);
        let held = |front: &str, behind: &str, least: f64| {
            let found = contrast(colors[front], colors[behind]);
            assert!(found >= least, "{front} on {behind}, dark {dark}: {found:.2}, expected at least {least}");
        };
        for behind in ["page", "panel"] {
            let words = ["text", "muted", "link", "best", "baseline", "comment", "keyword", "number", "type"];
            words.iter().for_each(|front| held(front, behind, 4.5));
        }
        held("text", "warn", 4.5);
        held("add-text", "add", 4.5);
        held("cut-text", "cut", 4.5);
        ["back", "best", "baseline"].iter().for_each(|front| held(front, "page", 3.0));
    }
}

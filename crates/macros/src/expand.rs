//! From what `design!` was asked for to the module, or to the errors of the design.
//!
//! In: tokens, and the folder that paths are relative to. Out: tokens. Every diagnostic is an error of its own: of a design
//! in the Rust text at the tokens it speaks of, of one in a file at the literal of the path, drawn as on the command line,
//! for the compiler knows no places in other files.

use std::io::Read;
use std::path::Path;

use genesys_compiler::{CheckedText, check_text, compile, emit_rust};
use genesys_diag::{Diagnostic, render_text};
use genesys_syntax::{MAX_FILE_BYTES, decode};
use proc_macro2::{Group, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::LitStr;

use crate::ask::{Ask, Text};
use crate::here::Here;
use crate::words;

/// The tokens that stand for `design!(input)` in a crate whose manifest lies in `root`.
pub(crate) fn expand(input: TokenStream, root: &Path) -> TokenStream {
    let told = syn::parse2::<Ask>(input).map_err(|error| error.into_compile_error());
    told.and_then(|ask| match &ask.text {
        Text::File(path) => from_file(&ask, path, root),
        Text::Here(braces) => from_here(&ask, braces),
    })
    .unwrap_or_else(|errors| errors)
}

/// The module of a design in a file, or its errors.
fn from_file(ask: &Ask, path: &LitStr, root: &Path) -> Result<TokenStream, TokenStream> {
    let (name, file) = (path.value(), root.join(path.value()));
    let at = |messages: &[String]| messages.iter().map(|message| error((path.span(), path.span()), message)).collect();
    let text = read(&file).map_err(|message| at(&[format!("{name}: {message}")]))?;
    let checked = check_text(&name, &text);
    let drawn = |found: &Diagnostic| render_text(&checked.sources, found, false);
    let file = file.display().to_string();
    module(ask, &checked, &quote!(include_str!(#file))).map_err(|refused| match refused {
        Refused::Design => at(&told(&checked).map(drawn).collect::<Vec<_>>()),
        Refused::Scale(message) => at(&[format!("{name} {message}")]),
    })
}

/// The module of a design that stands between these braces, or its errors.
fn from_here(ask: &Ask, braces: &Group) -> Result<TokenStream, TokenStream> {
    let around = (braces.span_open(), braces.span_close());
    let unseen = "expected a design that is written here, found tokens without a text, as another macro writes them: \
                  name a file, `= \"designs/name.gau\"`";
    let here = Here::read(braces.clone()).ok_or_else(|| error(around, unseen))?;
    let text = &here.text;
    let checked = check_text("design!", text);
    let at = |found: &Diagnostic| {
        let span = here.tokens(found.primary.span.range()).unwrap_or(around);
        error(span, &words::of(found, &here, &checked.sources))
    };
    module(ask, &checked, &quote!(#text)).map_err(|refused| match refused {
        Refused::Design => told(&checked).map(at).collect(),
        Refused::Scale(message) => error((ask.name.span(), ask.name.span()), &format!("{} {message}", ask.name)),
    })
}

/// Why a text is no module.
enum Refused {
    /// What checking it found.
    Design,
    /// It does not run at the scale.
    Scale(String),
}

/// The module; `source` stands for the design's text.
fn module(ask: &Ask, checked: &CheckedText, source: &TokenStream) -> Result<TokenStream, Refused> {
    let Some(design) = checked.design.as_ref().filter(|_| !has_errors(checked)) else { return Err(Refused::Design) };
    let failed = |error: &dyn std::fmt::Display| Refused::Scale(format!("at {}: {error}", ask.scale.name));
    let lowered = compile(design, &ask.scale, ask.vocabulary).map_err(|error| failed(&error))?;
    let code = emit_rust(checked, design, &ask.scale, ask.vocabulary).map_err(|error| failed(&error))?;
    let parameters = genesys_ir::parameters(&lowered).map_err(|error| failed(&error))?;
    let parameters: usize = parameters.iter().map(|weight| weight.shape.iter().product::<usize>()).sum();
    let code: TokenStream = code.parse().map_err(|error| failed(&error))?;
    let (visibility, name) = (&ask.visibility, &ask.name);
    let (title, hash, scale) = (design.name(), design.hash().as_str(), &ask.scale.name);
    Ok(quote! {
        #[allow(dead_code, unreachable_pub, clippy::all)]
        #visibility mod #name {
            #code

            /// The design's name.
            pub const NAME: &str = #title;
            /// The design's identity: names, comments and layout are no part of it.
            pub const HASH: &str = #hash;
            /// The scale that the sizes are of.
            pub const SCALE: &str = #scale;
            /// The number of weights.
            pub const PARAMETERS: usize = #parameters;
            /// The design's text.
            pub const SOURCE: &str = #source;
        }
    })
}

/// A file within the limits of a design.
fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| format!("expected a file that can be read: {error}"))?;
    let limit = MAX_FILE_BYTES as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| format!("expected a file that can be read: {error}"))?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(format!("expected at most {MAX_FILE_BYTES} bytes, found more"));
    }
    decode(bytes).map_err(|_| "expected a text in UTF-8".to_owned())
}

fn has_errors(checked: &CheckedText) -> bool {
    checked.diagnostics.iter().any(Diagnostic::is_error)
}

/// What is wrong with a text; of a sketch its holes.
fn told(checked: &CheckedText) -> impl Iterator<Item = &Diagnostic> {
    let only_errors = has_errors(checked);
    checked.diagnostics.iter().filter(move |found| found.is_error() || !only_errors)
}

/// An error that rustc draws from one token to another.
fn error((from, to): (Span, Span), message: &str) -> TokenStream {
    let head = quote_spanned!(from=> ::core::compile_error!);
    let tail = quote_spanned!(to=> { #message });
    quote!(#head #tail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const DESIGN: &str =
        "design Tiny { stack = [Block*] }\nunit Block(x: Seq[D]) -> Seq[D] { x + linear[D -> D](x) }\n";

    fn expanded(text: &str, input: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tiny.gau"), text).unwrap();
        expand(input.parse().unwrap(), folder.path()).to_string()
    }

    /// The messages of the errors in what was expanded.
    fn told(expanded: &str) -> Vec<String> {
        let literals = expanded.split("compile_error ! ").skip(1).filter_map(|rest| rest[1..].rsplit_once([')', '}']));
        let first = |text: &str| text.parse::<TokenStream>().ok()?.into_iter().next();
        let value = |token: proc_macro2::TokenTree| syn::parse2::<syn::LitStr>(token.into()).ok();
        literals.filter_map(|(text, _)| Some(value(first(text)?)?.value())).collect()
    }

    #[test]
    fn a_design_is_a_module_with_its_structs_and_constants() {
        let found = expanded(DESIGN, "pub(crate) mod tiny = \"tiny.gau\", vocabulary = 11");
        for part in ["pub (crate) mod tiny {", "pub struct Tiny {", "pub struct Block {", "NAME : & str = \"Tiny\""] {
            assert!(found.contains(part), "{part} in {found}");
        }
        // Embedding, tied, of 11 tokens, and two blocks of a square.
        assert!(found.contains(&format!("PARAMETERS : usize = {}usize", 11 * 64 + 2 * 64 * 64)), "{found}");
    }

    #[test]
    fn every_diagnostic_is_an_error_with_its_place_and_a_way_out() {
        let text = "design Tiny { stack = [Block*] }\nunit Block(x: Seq[D]) -> Seq[D] { shift(x, -1) + silo(x) }\n";
        let told = told(&expanded(text, "mod tiny = \"tiny.gau\""));
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("tiny.gau:2:") && told[1].contains("tiny.gau:2:"), "{told:?}");
        assert!(told[1].contains("silu"), "{told:?}");
    }

    #[test]
    fn a_sketch_is_told_its_holes() {
        let text = "design Tiny { stack = [Block*] }\nunit Block(x: Seq[D]) -> Seq[D];\n";
        let told = told(&expanded(text, "mod tiny = \"tiny.gau\""));
        assert!(told.len() == 1 && told[0].contains("tiny.gau:2:"), "{told:?}");
    }

    #[test]
    fn what_is_asked_for_wrongly_is_told_where_it_stands() {
        for (input, expected) in [
            ("mod tiny = \"none.gau\"", "none.gau: expected a file that can be read"),
            ("mod tiny = \"tiny.gau\", scale = \"15M\"", "expected one of `nano`, `14M`"),
            ("mod tiny = \"tiny.gau\", size = 3", "expected `scale` or `vocabulary`, found `size`"),
            ("mod tiny = \"tiny.gau\", vocabulary = 0", "expected at least one token"),
        ] {
            let told = told(&expanded(DESIGN, input));
            assert!(told.len() == 1 && told[0].contains(expected), "{input}: {told:?}");
        }
    }
}

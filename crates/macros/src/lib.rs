//! A design, checked while Rust is compiled, as a candle module.
//!
//! - [`design!`]: a design, or the path of one, in; a Rust module out: the source that `genesys emit --to rust` writes.
//!
//! It reads one file at most, the one that it is given, and runs nothing. Not here: training, decoding, and any part of Genesys in the
//! program that is compiled: what comes out depends on `candle_core` and `candle_nn` alone.

mod ask;
mod expand;
mod here;
mod words;

/// A design as a module of candle code.
///
/// ```text
/// genesys_macros::design!(pub mod gla = "designs/gla.gau", scale = "14M", vocabulary = 256);
/// let model = gla::Gla::new(vb)?;
/// let logits = model.forward(&tokens)?;
/// ```
///
/// The path is relative to the manifest of the crate that is compiled; a change of the file compiles it anew. `scale` is a
/// rung of the ladder (without it the smallest), `vocabulary` the number of tokens (without it the scale's). The module has
/// the model and its units as structs, the sizes of axes as constants, and of the design `NAME`, `HASH`, `SCALE`,
/// `PARAMETERS` and `SOURCE`.
///
/// An error in the design is an error of the compiler at the path, and says the place in the design and a way out.
///
/// A design may stand in the Rust text itself, between braces:
///
/// ```text
/// genesys_macros::design! {
///     mod tiny {
///         design Tiny { stack = [Block*] }
///         unit Block(x: Seq[D]) -> Seq[D] { x + linear[D -> D](x) }
///     },
///     vocabulary = 256
/// }
/// ```
///
/// Then an error is drawn where it was made. The text is what the file of the program holds, lines and comments included,
/// for lines count in the language; so a macro cannot write it.
#[proc_macro]
pub fn design(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map(std::path::PathBuf::from).unwrap_or_default();
    expand::expand(input.into(), &root).into()
}

//! How near texts are by a model of sentences: `cargo run -p genesys-literature --features embeddings --example meaning -- DIR TEXT ..`
//!
//! In: the folder of a model, and texts. Out: for each text after the first, the cosine of its vector and the first one's. It
//! tells whether a folder can be used, and what its model takes for alike.
#![allow(clippy::print_stdout)] // a program that prints

use std::error::Error;
use std::path::Path;

use genesys_literature::Embed;
use genesys_literature::bert::Bert;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, texts @ ..] = arguments.as_slice() else {
        return Err(
            "expected the folder of a model and texts, as in: meaning path/to/model \"one text\" \"another\"".into()
        );
    };
    let model = Bert::open(Path::new(folder))?;
    println!("{}, {} numbers", model.model(), model.width());
    let vectors = model.embed(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let cosine = |a: &[f32], b: &[f32]| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    for (text, vector) in texts.iter().zip(&vectors).skip(1) {
        println!("{:.4}  {text}", cosine(&vectors[0], vector));
    }
    Ok(())
}

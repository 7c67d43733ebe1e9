//! Meaning as vectors: what a model of sentences has to give, and how near two vectors are.
//!
//! In: texts. Out: vectors of length one, whose inner product is the cosine of their angle. The models themselves are
//! elsewhere: `bert` has one behind the feature `embeddings`. Nothing here is approximate: every vector is looked at.

use crate::error::LiteratureError;

/// Turns texts into vectors, so that texts of like meaning lie near each other.
pub trait Embed: Send {
    /// What the model is called; vectors of another one are not compared with its own.
    fn model(&self) -> &str;

    /// How many numbers a vector has.
    fn width(&self) -> usize;

    /// A vector for each text, in order.
    ///
    /// # Errors
    /// [`LiteratureError::Embedding`] where the model cannot.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, LiteratureError>;
}

/// The vectors of `texts`, held to what [`Embed`] promises, and of length one.
///
/// # Errors
/// [`LiteratureError::Embedding`] of the model, or where it gives too few vectors, other widths, or numbers that are not
/// finite or all 0.
pub(crate) fn unit_vectors(embed: &dyn Embed, texts: &[&str]) -> Result<Vec<Vec<f32>>, LiteratureError> {
    let refuse = |message| Err(LiteratureError::embedding(embed.model(), message));
    let mut vectors = embed.embed(texts)?;
    if vectors.len() != texts.len() {
        return refuse(format!("expected {} vectors, found {}", texts.len(), vectors.len()));
    }
    for vector in &mut vectors {
        if vector.len() != embed.width() {
            return refuse(format!("expected vectors of {} numbers, found one of {}", embed.width(), vector.len()));
        }
        let length = dot(vector, vector).sqrt();
        if !length.is_finite() || length == 0.0 {
            return refuse(format!("expected a vector with a direction, found one of length {length}"));
        }
        vector.iter_mut().for_each(|value| *value /= length);
    }
    Ok(vectors)
}

/// The inner product: `sum_i a[i] b[i]`, in 16 sums side by side that vector units add at once.
#[must_use]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_whole.iter().zip(b_whole) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A model that gives what it was made with.
    struct Given(Vec<Vec<f32>>);

    impl Embed for Given {
        fn model(&self) -> &str {
            "given"
        }

        fn width(&self) -> usize {
            2
        }

        fn embed(&self, _: &[&str]) -> Result<Vec<Vec<f32>>, LiteratureError> {
            Ok(self.0.clone())
        }
    }

    #[test]
    fn the_inner_product_counts_every_number() {
        let a: Vec<f32> = (0..37).map(|i| i as f32).collect();
        let b: Vec<f32> = (0..37).map(|i| (i % 5) as f32 - 2.0).collect();
        let expected: f64 = a.iter().zip(&b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
        assert_eq!(f64::from(dot(&a, &b)), expected);
    }

    #[test]
    fn vectors_are_made_of_length_one() {
        assert_eq!(unit_vectors(&Given(vec![vec![3.0, 4.0]]), &["x"]).unwrap(), [[0.6, 0.8]]);
    }

    #[test]
    fn a_model_that_breaks_its_promise_is_refused() {
        for (vectors, said) in [
            (vec![], "expected 1 vectors, found 0"),
            (vec![vec![1.0]], "expected vectors of 2 numbers, found one of 1"),
            (vec![vec![0.0, 0.0]], "of length 0"),
            (vec![vec![f32::NAN, 1.0]], "of length NaN"),
        ] {
            let error = unit_vectors(&Given(vectors), &["x"]).unwrap_err();
            assert!(error.is_input() && error.to_string().contains(said), "{error}");
        }
    }
}

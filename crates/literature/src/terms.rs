//! A question as terms: words, "phrases in quotes" and beginnings* of words.
//!
//! In: text of a user or a model, which may hold anything. Out: terms, and from them an expression of SQLite's full-text
//! search in which every term is quoted: no sign in a question is an operator there. It does not stem; the index does.
//!
//! Phrases must occur; words and beginnings rank what is found, the more the better.

/// Words that say nothing about what is searched, unless they are all there is.
const SILENT: [&str; 34] = [
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "does", "for", "from", "how", "in", "into", "is", "it",
    "its", "of", "on", "or", "that", "the", "their", "this", "to", "use", "using", "via", "what", "when", "which",
    "with", "without",
];

/// How many terms of a question count; further ones are left out.
const MOST_TERMS: usize = 64;

/// How many words of the index are looked up for a beginning. It finds the stems that begin so by itself; what is looked up
/// are words whose stem is shorter than the beginning, and they have few stems.
pub(crate) const MOST_EXPANSIONS: usize = 6;

/// A part of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// A word; one with a hyphen counts more where its parts stand together.
    Word(String),
    /// Words that stand together.
    Phrase(String),
    /// The beginning of a word.
    Beginning(String),
}

/// The terms of a question, without those that say nothing.
#[must_use]
pub fn terms(question: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    for (at, part) in question.split(['"', '“', '”']).enumerate() {
        if at % 2 == 1 {
            terms.extend(words(part).next().map(|_| Term::Phrase(words(part).collect::<Vec<_>>().join(" "))));
        } else {
            terms.extend(part.split_whitespace().flat_map(loose));
        }
    }
    let tells = |term: &Term| !matches!(term, Term::Word(word) if SILENT.contains(&word.as_str()));
    if terms.iter().any(tells) {
        terms.retain(tells);
    }
    let mut once: Vec<Term> = Vec::new();
    for term in terms {
        if once.len() < MOST_TERMS && !once.contains(&term) {
            once.push(term);
        }
    }
    once
}

/// The terms of a word outside quotes.
fn loose(word: &str) -> Vec<Term> {
    let parts: Vec<String> = words(word).collect();
    let is_beginning = word.ends_with('*');
    match parts.as_slice() {
        [] => Vec::new(),
        // One letter begins a good part of all words: it is taken for a word.
        [one] if is_beginning && one.chars().count() > 1 => vec![Term::Beginning(one.clone())],
        [one] => vec![Term::Word(one.clone())],
        parts => std::iter::once(parts.join(" ")).chain(parts.iter().cloned()).map(Term::Word).collect(),
    }
}

/// The words of a text, in lower case: runs of letters and digits.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The expression of SQLite's full-text search; `expand` gives words of the index that begin
/// so. Nothing if no term is left.
pub(crate) fn expression<E>(
    terms: &[Term],
    mut expand: impl FnMut(&str) -> Result<Vec<String>, E>,
) -> Result<Option<String>, E> {
    let (mut musts, mut ranks) = (Vec::new(), Vec::new());
    for term in terms {
        match term {
            Term::Phrase(phrase) => musts.push(quoted(phrase)),
            Term::Word(word) => ranks.extend(forms(word).iter().map(|form| quoted(form))),
            Term::Beginning(start) => {
                ranks.push(format!("{} *", quoted(start)));
                ranks.extend(expand(start)?.iter().map(|word| quoted(word)));
            }
        }
    }
    let ranked = ranks.join(" OR ");
    Ok(match (musts.first(), ranks.is_empty()) {
        (None, true) => None,
        (None, false) => Some(ranked),
        (Some(_), true) => Some(musts.join(" AND ")),
        (Some(first), false) => Some(format!("{} AND ({first} OR {ranked})", musts.join(" AND "))),
    })
}

/// A word, and the other number of one such as `bias`, whose last letter the index's stemmer takes for that of a plural.
fn forms(word: &str) -> Vec<String> {
    let other = match word {
        _ if word.ends_with("as") || word.ends_with("us") => Some(format!("{word}es")),
        _ => word.strip_suffix("es").filter(|one| one.ends_with("as") || one.ends_with("us")).map(str::to_owned),
    };
    std::iter::once(word.to_owned()).chain(other).collect()
}

/// A string of SQLite's full-text search: within quotes only a quote means something, and `words` leaves none.
fn quoted(words: &str) -> String {
    format!("\"{}\"", words.replace('"', ""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn expressed(question: &str) -> Option<String> {
        let expand = |start: &str| Ok::<_, ()>(vec![format!("{start}ence"), format!("{start}ent")]);
        expression(&terms(question), expand).unwrap()
    }

    #[test]
    fn words_rank_and_phrases_must_occur() {
        assert_eq!(expressed("linear attention").unwrap(), r#""linear" OR "attention""#);
        assert_eq!(expressed(r#""delta rule""#).unwrap(), r#""delta rule""#);
        assert_eq!(expressed(r#"fast "delta rule""#).unwrap(), r#""delta rule" AND ("delta rule" OR "fast")"#);
    }

    #[test]
    fn a_beginning_stands_for_words_of_the_index() {
        assert_eq!(expressed("recurr*").unwrap(), r#""recurr" * OR "recurrence" OR "recurrent""#);
        assert_eq!(expressed("x*").unwrap(), r#""x""#);
    }

    #[test]
    fn parts_joined_by_hyphens_count_together_and_alone() {
        assert_eq!(expressed("state-space").unwrap(), r#""state space" OR "state" OR "space""#);
    }

    #[test]
    fn bias_and_biases_are_one_word() {
        assert_eq!(expressed("bias").unwrap(), r#""bias" OR "biases""#);
        assert_eq!(expressed("biases").unwrap(), r#""biases" OR "bias""#);
        assert_eq!(expressed("gates").unwrap(), r#""gates""#);
    }

    #[test]
    fn silent_words_are_left_out_unless_there_are_no_others() {
        assert_eq!(expressed("the use of gates").unwrap(), r#""gates""#);
        assert_eq!(expressed("what is it").unwrap(), r#""what" OR "is" OR "it""#);
    }

    #[test]
    fn operators_of_the_search_are_words() {
        assert_eq!(
            expressed("a NEAR(b, 2) AND title:c ^d").unwrap(),
            r#""near b" OR "near" OR "b" OR "2" OR "title c" OR "title" OR "c" OR "d""#
        );
        assert_eq!(expressed("\" ) OR (").unwrap(), r#""or""#);
        assert_eq!(expressed("?!"), None);
    }

    #[test]
    fn a_quote_that_is_not_closed_goes_to_the_end() {
        assert_eq!(terms("x \"delta rule"), [Term::Word("x".into()), Term::Phrase("delta rule".into())]);
    }

    #[test]
    fn a_term_counts_once_and_only_so_many_do() {
        assert_eq!(terms("gate gate gate").len(), 1);
        let many: Vec<String> = (0..1000).map(|n| format!("w{n}")).collect();
        assert_eq!(terms(&many.join(" ")).len(), MOST_TERMS);
    }
}

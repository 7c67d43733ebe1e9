//! Text as it comes, up to where it stops.
//!
//! In: pieces of text, and texts at which it stops. Out: what is certain by now: a piece that may be the beginning of a stop is held back
//! until it is known to be none.

/// A text under way.
pub(crate) struct Said<'a> {
    stops: &'a [String],
    text: String,
    /// How much of it was told.
    told: usize,
    flow: Flow,
}

/// Whether a text goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It does.
    On,
    /// It is at a stop, which is no part of it.
    Stopped,
}

impl<'a> Said<'a> {
    /// A text that stops at one of these, or does not.
    pub(crate) fn new(stops: &'a [String]) -> Self {
        Self { stops, text: String::new(), told: 0, flow: Flow::On }
    }

    /// Adds a piece, and tells what of the text is certain.
    pub(crate) fn push(&mut self, piece: &str, hear: &mut dyn FnMut(&str)) -> Flow {
        self.text.push_str(piece);
        let rest = &self.text[self.told..];
        if let Some(at) = self.stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| rest.find(stop)).min() {
            self.text.truncate(self.told + at);
            self.tell(0, hear);
            self.flow = Flow::Stopped;
            return self.flow;
        }
        let held = self.stops.iter().map(|stop| overlap(rest, stop)).max().unwrap_or(0);
        self.tell(held, hear);
        Flow::On
    }

    /// The whole text, with what is left of it at its end.
    pub(crate) fn finish(mut self, rest: &str, hear: &mut dyn FnMut(&str)) -> String {
        if self.flow == Flow::On {
            self.push(rest, hear);
        }
        self.tell(0, hear);
        self.text
    }

    fn tell(&mut self, held: usize, hear: &mut dyn FnMut(&str)) {
        let until = self.text.len() - held;
        if until > self.told {
            hear(&self.text[self.told..until]);
            self.told = until;
        }
    }
}

/// The length of the longest end of a text that is a beginning of another, shorter than it.
fn overlap(text: &str, stop: &str) -> usize {
    let begins = stop.char_indices().map(|(at, _)| at);
    begins.filter(|at| text.ends_with(&stop[..*at])).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(pieces: &[String], stops: &[String]) -> (String, String, Flow) {
        let (mut text, mut heard, mut flow) = (Said::new(stops), String::new(), Flow::On);
        for piece in pieces {
            flow = text.push(piece, &mut |piece| heard.push_str(piece));
            if flow == Flow::Stopped {
                break;
            }
        }
        (text.finish("", &mut |piece| heard.push_str(piece)), heard, flow)
    }

    #[test]
    fn what_may_be_a_stop_is_held_back_until_it_is_none() {
        let stops = ["\n\n".to_owned(), "END".to_owned()];
        let mut text = Said::new(&stops);
        let mut heard = Vec::new();
        for piece in ["a E", "N", "T b\n", "\nc"] {
            text.push(piece, &mut |piece| heard.push(piece.to_owned()));
        }
        assert_eq!(heard, ["a ", "ENT b"]);
        assert_eq!(text.finish("", &mut |_| {}), "a ENT b");
    }

    proptest! {
        #[test]
        fn a_text_stops_at_the_first_stop_however_it_comes(
            pieces in proptest::collection::vec("[ab\u{e9}]{0,3}", 0..8),
            stops in proptest::collection::vec("[ab\u{e9}]{1,4}", 0..3),
        ) {
            let whole = pieces.concat();
            // The stop that is whole first ends it, at its beginning.
            let ends = |end: usize| whole.is_char_boundary(end) && stops.iter().any(|stop| whole[..end].ends_with(stop.as_str()));
            let (text, heard, flow) = said(&pieces, &stops);
            prop_assert_eq!(&text, &heard);
            match (0..=whole.len()).find(|end| ends(*end)) {
                None => prop_assert_eq!((text, flow), (whole, Flow::On)),
                Some(_) => {
                    prop_assert_eq!(flow, Flow::Stopped);
                    prop_assert!(whole.starts_with(&text));
                    prop_assert!(stops.iter().all(|stop| !text.contains(stop.as_str())));
                    prop_assert!(stops.iter().any(|stop| whole[text.len()..].starts_with(stop.as_str())));
                }
            }
        }
    }
}

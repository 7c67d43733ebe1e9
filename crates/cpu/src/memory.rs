//! Memory planning: values that are never alive together share memory.
//!
//! In go the first and the last use of each value and its size, out come offsets and the size of the whole. First fit, the
//! largest first: what is large is placed while there is room.

/// Elements are placed at multiples of this many: a line of the cache.
const LINE: usize = 16;

/// When a value is alive (both ends included), and how many elements it has.
pub(crate) type Span = ((usize, usize), usize);

/// An offset for each value, 0 for those that are never alive, and the elements of the whole.
pub(crate) fn place(spans: &[Option<Span>]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..spans.len()).filter(|i| spans[*i].is_some()).collect();
    order.sort_by_key(|i| (std::cmp::Reverse(spans[*i].map_or(0, |(_, size)| size)), *i));
    let mut offsets = vec![0; spans.len()];
    // Placed so far: life, offset, end.
    let mut placed: Vec<((usize, usize), usize, usize)> = Vec::new();
    let mut whole = 0;
    for i in order {
        let Some((life, size)) = spans[i] else { continue };
        let size = size.next_multiple_of(LINE).max(LINE);
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|((first, last), ..)| *first <= life.1 && life.0 <= *last)
            .map(|(_, start, end)| (*start, *end))
            .collect();
        taken.sort_unstable();
        let mut at = 0;
        for (start, end) in taken {
            if start >= at + size {
                break;
            }
            at = at.max(end);
        }
        offsets[i] = at;
        whole = whole.max(at + size);
        placed.push((life, at, at + size));
    }
    (offsets, whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lives_together_lies_apart() {
        let spans = [Some(((0, 2), 16)), Some(((1, 1), 40)), Some(((3, 5), 30)), None, Some(((2, 3), 1))];
        let (offsets, whole) = place(&spans);
        for (i, a) in spans.iter().enumerate() {
            for (j, b) in spans.iter().enumerate().skip(i + 1) {
                let (Some((a, m)), Some((b, n))) = (a, b) else { continue };
                let together = a.0 <= b.1 && b.0 <= a.1;
                let apart = offsets[i] + m <= offsets[j] || offsets[j] + n <= offsets[i];
                assert!(!together || apart, "{i} and {j} overlap");
            }
        }
        assert_eq!(whole, 64, "{offsets:?}");
    }
}

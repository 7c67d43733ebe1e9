//! Counterexamples are true and smallest: random texts that break a rule about time, each held to what its parts read.
//!
//! What a value reads is computed forwards here, for every position of every length, by the tables of the language page and
//! not by the checker's graph. The checker's case has to be one of these, and no shorter text may have one.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use genesys_check::{Library, check};
use genesys_diag::{Code, Counterexample, Diagnostic, Flaw};
use genesys_random::at;
use genesys_span::Sources;

/// Longest text that is looked at where the checker has found nothing.
const LONGEST: usize = 9;

/// A value of type `Seq[D]`.
enum Value {
    X,
    Add(Box<[Value; 2]>),
    Shift(Box<Value>, usize),
    /// Element `.2` of a window of `.1`.
    Element(Box<Value>, usize, usize),
    /// The sum of `2` elements of a window of 4, from `.1` on.
    Part(Box<Value>, usize),
    /// A window of 4 as two by two: the sum of one row.
    Row(Box<Value>, usize),
    Pool(Box<Value>, usize),
    Past(Box<Value>, Past),
    /// The sum of what stands behind each position of the past: all but the oldest.
    After(Box<Value>),
    /// Element `.2` of the blocks of `.1`, summed over blocks.
    Blocks(Box<Value>, usize, usize),
    Scan(Box<Value>),
    /// What the sum was when the chunk began, beside a sum that begins anew with each chunk.
    Chunks(Box<Value>, usize),
    /// One of two values that were stacked.
    Stacked(Box<[Value; 2]>, usize),
}

/// `past[P](x, window = w, skip = k)`.
#[derive(Clone, Copy)]
struct Past {
    window: Option<usize>,
    skip: i64,
}

impl Past {
    fn name(self) -> String {
        format!("P{}s{}", self.window.map_or("a".into(), |w| w.to_string()), self.skip.unsigned_abs())
    }

    fn text(self, x: &str, name: &str) -> String {
        let window = self.window.map_or(String::new(), |w| format!(", window = {w}"));
        format!("past[{name}]({x}{window}, skip = {})", self.skip)
    }

    /// The positions `s < length` with `t - k - w < s <= t - k`.
    fn holds(self, t: usize, length: usize) -> Vec<usize> {
        let last = t as i64 - self.skip;
        let first = self.window.map_or(0, |window| last - window as i64 + 1);
        (0..length).filter(|&s| (first..=last).contains(&(s as i64))).collect()
    }
}

type Reads = Vec<BTreeSet<usize>>;

/// The positions at which a view reads: at a position, in a text of a length.
type Look = Box<dyn Fn(usize, usize) -> Vec<usize>>;

impl Value {
    fn text(&self) -> String {
        match self {
            Value::X => "x".into(),
            Value::Add(both) => format!("({} + {})", both[0].text(), both[1].text()),
            Value::Shift(x, n) => format!("shift({}, {n})", x.text()),
            Value::Element(x, size, i) => format!("take[W{size}](window[W{size}]({}), {i})", x.text()),
            Value::Part(x, from) => format!("sum[W2](cut[W4 -> W2](window[W4]({}), from = {from}))", x.text()),
            Value::Row(x, i) => format!("sum[W2](take[V2]([W4 -> V2, W2](window[W4]({})), {i}))", x.text()),
            Value::Pool(x, n) => format!("pool({}, {n})", x.text()),
            Value::Past(x, past) => format!("sum[{}]({})", past.name(), past.text(&x.text(), &past.name())),
            Value::After(x) => format!("sum[All](after[All](past[All]({})))", x.text()),
            Value::Blocks(x, size, i) => {
                format!("take[W{size}](sum[B{size}](blocks[B{size}, W{size}]({})), {i})", x.text())
            }
            Value::Scan(x) => format!("(scan S: [D] = 0 {{ S <- S + {}  yield S }})", x.text()),
            Value::Chunks(x, size) => {
                let step = "S <- S + value  R <- R + value  yield start(S) + R";
                let step = step.replace("value", &x.text());
                format!("(scan S: [D] = 0, R: [D] = 0 reset every {size} {{ {step} }})")
            }
            Value::Stacked(both, i) => format!("take[W2](stack[W2]({}, {}), {i})", both[0].text(), both[1].text()),
        }
    }

    fn parts(&self) -> Vec<&Value> {
        match self {
            Value::X => Vec::new(),
            Value::Add(both) | Value::Stacked(both, _) => both.iter().collect(),
            Value::Shift(x, _)
            | Value::Element(x, _, _)
            | Value::Part(x, _)
            | Value::Row(x, _)
            | Value::Pool(x, _)
            | Value::Past(x, _)
            | Value::After(x)
            | Value::Blocks(x, _, _)
            | Value::Scan(x)
            | Value::Chunks(x, _) => vec![x],
        }
    }

    /// The positions of `x` that the value reads, at each position of a text.
    fn reads(&self, length: usize) -> Reads {
        let parts: Vec<Reads> = self.parts().iter().map(|part| part.reads(length)).collect();
        let of = |at: &dyn Fn(usize) -> Vec<usize>| -> Reads {
            (0..length).map(|t| at(t).into_iter().flat_map(|s| parts[0][s].clone()).collect()).collect()
        };
        let window = |t: usize, size: usize, elements: Range<usize>| -> Vec<usize> {
            elements.filter_map(|i| (t + i + 1).checked_sub(size)).collect()
        };
        match self {
            Value::X => (0..length).map(|t| BTreeSet::from([t])).collect(),
            Value::Add(_) => (0..length).map(|t| &parts[0][t] | &parts[1][t]).collect(),
            Value::Shift(_, n) => of(&|t| t.checked_sub(*n).into_iter().collect()),
            Value::Element(_, size, i) => of(&|t| window(t, *size, *i..i + 1)),
            Value::Part(_, from) => of(&|t| window(t, 4, *from..from + 2)),
            Value::Row(_, i) => of(&|t| window(t, 4, 2 * i..2 * i + 2)),
            Value::Pool(_, n) => of(&|t| match (t + 1) / n {
                0 => Vec::new(),
                blocks => ((blocks - 1) * n..blocks * n).collect(),
            }),
            Value::Past(_, past) => of(&|t| past.holds(t, length)),
            Value::After(_) => of(&|t| (1..=t).collect()),
            Value::Blocks(_, size, i) => of(&|t| (0..(t + 1) / size).map(|block| block * size + i).collect()),
            Value::Scan(_) => of(&|t| (0..=t).collect()),
            Value::Chunks(_, _) => of(&|t| (0..=t).collect()),
            Value::Stacked(_, i) => parts[*i].clone(),
        }
    }

    /// All values in it that are written so.
    fn written(&self, text: &str) -> Vec<&Value> {
        let inner = self.parts().into_iter().flat_map(|part| part.written(text));
        inner.chain((self.text() == text).then_some(self)).collect()
    }
}

/// A number below `n`, the next of a stream.
struct Dice(u64, u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.1 += 1;
        (at(self.0, self.1) % n as u64) as usize
    }

    fn value(&mut self, depth: usize, scans: bool) -> Value {
        let kind = if depth == 0 { 0 } else { self.below(if scans { 14 } else { 12 }) };
        let inner = |dice: &mut Self, scans| Box::new(dice.value(depth - 1, scans));
        match kind {
            0 => Value::X,
            1 => Value::Add(Box::new([*inner(self, scans), *inner(self, scans)])),
            2 | 3 => Value::Shift(inner(self, scans), self.below(4)),
            4 => Value::Element(inner(self, scans), 3, self.below(3)),
            5 => Value::Part(inner(self, scans), self.below(3)),
            6 => Value::Row(inner(self, scans), self.below(2)),
            7 => Value::Pool(inner(self, scans), 1 + self.below(3)),
            8 => {
                let window = [None, Some(1), Some(2)][self.below(3)];
                Value::Past(inner(self, scans), Past { window, skip: self.below(3) as i64 })
            }
            9 => Value::After(inner(self, scans)),
            10 => {
                let size = 2 + self.below(2);
                Value::Blocks(inner(self, scans), size, self.below(size))
            }
            11 => Value::Stacked(Box::new([*inner(self, scans), *inner(self, scans)]), self.below(2)),
            // A scan within a scan would be another rule's business.
            12 => Value::Scan(inner(self, false)),
            _ => Value::Chunks(inner(self, false), 2 + self.below(2)),
        }
    }
}

/// The one error of a unit whose value is `body`, and the texts that its places stand for.
fn refused(body: &str, code: Code) -> (Diagnostic, Sources) {
    let mut sources = Sources::default();
    let std = sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
    let library = Library::new(genesys_syntax::parse(&sources, std).file);
    let text = format!(
        "design T {{ stack = [Block*] }}\n\
         unit Block<W2 = 2, W3 = 3, W4 = 4, V2 = 2>(x: Seq[D]) -> Seq[D] {{\n    param w: [D] = 1\n    {body}\n}}\n"
    );
    let file = sources.add("t.gau", text.as_str());
    let parsed = genesys_syntax::parse(&sources, file);
    assert!(parsed.diagnostics.is_empty(), "{:?} in\n{text}", parsed.diagnostics);
    let mut errors = check(&Arc::new(parsed.file), &library).diagnostics;
    errors.retain(Diagnostic::is_error);
    assert!(matches!(errors.as_slice(), [only] if only.code == code), "{errors:?} in\n{text}");
    (errors.remove(0), sources)
}

#[test]
fn a_case_has_no_more_positions_than_the_limit() {
    let longest = |body: &str| refused(body, Code::NEGATIVE_OFFSET).0.counterexample.map(|case| case.length);
    assert_eq!(longest("shift(x, -2047)"), Some(2048));
    assert_eq!(longest("shift(x, -2048)"), None);
    assert_eq!(longest("shift(shift(x, 5), -3)"), None, "nothing of the future is read");
}

/// The positions `(t, s)` of a text of some length where what a rule guards against happens: `t` reads `s`.
type Faults<'a> = &'a dyn Fn(usize) -> Vec<(usize, usize)>;

/// Holds a case to the faults of all lengths up to its own.
fn is_smallest(case: Option<&Counterexample>, faults: Faults<'_>, told: &str) {
    let Some(case) = case else {
        let missed = (1..=LONGEST).find_map(|length| Some((length, *faults(length).first()?)));
        return assert_eq!(missed, None, "{told}");
    };
    let length = case.length as usize;
    let smaller = (1..length).find_map(|length| Some((length, *faults(length).first()?)));
    assert_eq!(smaller, None, "a shorter text does, too: {told}");
    let (t, s) = (case.path[0].position as usize, case.path.last().unwrap().position as usize);
    assert!(faults(length).contains(&(t, s)), "position {t} does not read {s}: {told}");
}

/// Every value on the way reads what stands at its end.
fn way_is_one(case: Option<&Counterexample>, value: &Value, sources: &Sources, told: &str) {
    let Some(case) = case else { return };
    let last = case.path.last().unwrap();
    assert_eq!(sources.text(last.span), "x", "{told}");
    for step in &case.path[1..] {
        for found in value.written(sources.text(step.span)) {
            let reads = found.reads(case.length as usize);
            assert!(reads[step.position as usize].contains(&(last.position as usize)), "{step:?} of {told}");
        }
    }
}

/// Where position `t` reads a later one, of the texts of a length.
fn ahead(reads: &Reads) -> Vec<(usize, usize)> {
    let at = reads.iter().enumerate();
    at.flat_map(|(t, read)| read.iter().filter(move |&&s| s > t).map(move |&s| (t, s))).collect()
}

#[test]
fn what_reads_ahead_is_shown_the_first_position_that_does() {
    let mut found = 0;
    for seed in 0..600 {
        let mut dice = Dice(seed, 0);
        let value = dice.value(3, true);
        let past = Past { window: [None, Some(1), Some(3)][dice.below(3)], skip: -1 - dice.below(3) as i64 };
        let (body, look): (_, Look) = if dice.below(2) == 0 {
            let by = past.skip.unsigned_abs() as usize;
            let look = move |t, length| (t + by < length).then_some(t + by).into_iter().collect();
            (format!("shift({}, -{by})", value.text()), Box::new(look))
        } else {
            let view = past.text(&value.text(), "Ahead");
            (format!("sum[Ahead]({view})"), Box::new(move |t, length| past.holds(t, length)))
        };
        let faults = |length: usize| {
            let reads = value.reads(length);
            let looked = |t| look(t, length).into_iter().flat_map(|s| reads[s].clone()).collect();
            ahead(&(0..length).map(looked).collect())
        };
        let (diagnostic, sources) = refused(&body, Code::NEGATIVE_OFFSET);
        let case = diagnostic.counterexample.as_ref();
        found += usize::from(case.is_some());
        is_smallest(case, &faults, &body);
        way_is_one(case, &value, &sources, &body);
        assert!(case.is_none_or(|case| case.flaw == Flaw::Future), "{body}");
    }
    assert!(found > 300, "{found} have a counterexample");
}

#[test]
fn what_is_held_for_all_positions_is_shown_what_the_first_would_read() {
    let mut found = 0;
    for seed in 1000..1400 {
        let value = Dice(seed, 0).value(3, seed % 2 == 0);
        let e = value.text();
        let (body, code, flaw) = if seed % 2 == 0 {
            (format!("scan Q: [D] = {e} {{ Q <- Q + x  yield Q }}"), Code::NOT_CONSTANT, Flaw::Constant)
        } else {
            let step = format!("Q <- start(Q) + grad(w * {e} * start(Q), w)  yield Q");
            (format!("scan Q: [D] = w every 2 {{ {step} }}"), Code::DERIVATIVE, Flaw::Summed)
        };
        let faults = |length: usize| {
            let later = value.reads(length).into_iter().flatten().filter(|&s| s > 0);
            later.map(|s| (0, s)).collect()
        };
        let (diagnostic, sources) = refused(&body, code);
        let case = diagnostic.counterexample.as_ref();
        found += usize::from(case.is_some());
        is_smallest(case, &faults, &body);
        way_is_one(case, &value, &sources, &body);
        assert!(case.is_none_or(|case| case.flaw == flaw), "{body}");
    }
    assert!(found > 300, "{found} have a counterexample");
}

#[test]
fn a_past_that_weights_meet_is_shown_what_the_first_position_would_read() {
    let mut found = 0;
    for seed in 2000..2300 {
        let mut dice = Dice(seed, 0);
        let value = dice.value(3, true);
        let (over, size) = (dice.below(4), 2 + dice.below(2));
        let past = Past { window: [None, Some(1), Some(2)][dice.below(3)], skip: dice.below(3) as i64 };
        let (view, axis) = match over {
            0 => (format!("sum[W{size}](blocks[Far, W{size}]({}))", value.text()), "Far".to_owned()),
            _ => (past.text(&value.text(), "Far"), "Far".to_owned()),
        };
        // The elements of the axis at a position, each as the positions that it reads the value at.
        let elements = |t: usize, length: usize| -> Vec<Vec<usize>> {
            match over {
                0 => (0..(t + 1) / size).map(|block| (block * size..(block + 1) * size).collect()).collect(),
                _ => past.holds(t, length).into_iter().map(|s| vec![s]).collect(),
            }
        };
        let body = format!("linear[{axis} -> D](mean[D]({view}))");
        let faults = |length: usize| {
            let (reads, first) = (value.reads(length), elements(0, length));
            let later = (1..length).flat_map(|t| elements(t, length)).filter(|element| !first.contains(element));
            let read: BTreeSet<usize> = later.flatten().flat_map(|s| reads[s].clone()).collect();
            read.into_iter().filter(|&s| s > 0).map(|s| (0, s)).collect()
        };
        let (diagnostic, _) = refused(&body, Code::DEPENDENT_AXIS);
        let case = diagnostic.counterexample.as_ref();
        found += usize::from(case.is_some());
        is_smallest(case, &faults, &body);
        assert!(case.is_none_or(|case| case.flaw == Flaw::Static { axis: axis.clone() }), "{body}");
    }
    assert!(found > 200, "{found} have a counterexample");
}

/// The elements of a past, or of blocks, at a position.
fn held(past: Past, block: Option<usize>, t: usize, length: usize) -> Vec<usize> {
    match block {
        Some(size) => (0..(t + 1) / size).collect(),
        None => past.holds(t, length),
    }
}

#[test]
fn a_view_of_a_past_is_shown_the_first_element_without_a_value() {
    let mut found = 0;
    for seed in 3000..3300 {
        let mut dice = Dice(seed, 0);
        let past = Past { window: [None, Some(1), Some(2)][dice.below(3)], skip: dice.below(3) as i64 };
        let block = (dice.below(3) == 0).then(|| 2 + dice.below(2));
        let inner = match block {
            Some(size) => format!("sum[W{size}](blocks[Own, W{size}](x))"),
            None => past.text("x", "Own"),
        };
        let n = 1 + dice.below(3);
        let over = Past { window: Some(n), skip: dice.below(2) as i64 };
        let (view, read): (_, Box<dyn Fn(usize) -> Vec<usize>>) = match dice.below(5) {
            0 => (format!("shift({inner}, {n})"), Box::new(move |t| t.checked_sub(n).into_iter().collect())),
            1 => (format!("sum[W3](window[W3]({inner}))"), Box::new(|t| (t.saturating_sub(2)..=t).collect())),
            2 => (format!("pool({inner}, {n})"), {
                Box::new(move |t| match (t + 1) / n {
                    0 => Vec::new(),
                    blocks => ((blocks - 1) * n..blocks * n).collect(),
                })
            }),
            3 => (format!("sum[Over]({})", over.text(&inner, "Over")), Box::new(move |t| over.holds(t, t + 1))),
            _ => {
                (format!("sum[Over, W2](blocks[Over, W2]({inner}))"), Box::new(|t| (0..t + 1 - (t + 1) % 2).collect()))
            }
        };
        let faults = |length: usize| {
            let t = length - 1;
            let wanted = held(past, block, t, length);
            let lacks = |s: usize| wanted.iter().any(|element| !held(past, block, s, length).contains(element));
            read(t).into_iter().filter(|&s| lacks(s)).map(|s| (t, s)).collect()
        };
        let (diagnostic, _) = refused(&format!("sum[Own]({view})"), Code::VIEW_OF_PAST);
        let case = diagnostic.counterexample.as_ref();
        found += usize::from(case.is_some());
        is_smallest(case, &faults, &view);
        if let Some(Counterexample { flaw: Flaw::Lacks { element, .. }, path, length }) = case {
            let (t, s) = (path[0].position as usize, path[1].position as usize);
            let at = |t| held(past, block, t, *length as usize).contains(&(*element as usize));
            assert!(at(t) && !at(s), "{element} of {view}");
        } else {
            assert!(case.is_none(), "{view}");
        }
    }
    assert!(found > 150, "{found} have a counterexample");
}

#[test]
fn two_reaches_of_one_past_are_shown_where_they_part() {
    let mut found = 0;
    for seed in 4000..4200 {
        let mut dice = Dice(seed, 0);
        let mut past = || {
            let window = [None, Some(1), Some(2), Some(4)][dice.below(4)];
            Past { window, skip: dice.below(3) as i64 }
        };
        let (a, b) = (past(), past());
        if a.name() == b.name() {
            continue;
        }
        let [one, other] = [a, b].map(|past| past.text("x", "Same"));
        let faults = |length: usize| {
            let t = length - 1;
            let differ = a.holds(t, length) != b.holds(t, length);
            differ.then_some((t, t)).into_iter().collect()
        };
        let (diagnostic, _) = refused(&format!("sum[Same]({one} * {other})"), Code::PAST_DOMAIN);
        let case = diagnostic.counterexample.as_ref();
        found += usize::from(case.is_some());
        is_smallest(case, &faults, &format!("{one} and {other}"));
        let Some(Counterexample { flaw: Flaw::Differs { element, .. }, .. }) = case else {
            panic!("{one} and {other} differ somewhere")
        };
        let t = case.unwrap().length as usize - 1;
        let holds = [a, b].map(|past| past.holds(t, t + 1).contains(&(*element as usize)));
        assert_ne!(holds[0], holds[1], "{element} of {one} and {other}");
    }
    assert!(found > 100, "{found} have a counterexample");
}

//! From works to rows.
//!
//! In: a work. Out: its rows, one for each of our sides. Every work has processes of its own, so that none pays for the memory of
//! the one before.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::Place;
use super::row::Row;
use super::samples::{PAIRS, Samples, alternate, quantile, step};
use super::side::{Answer, Side};
use super::works::{COMPILE, EXPRESSIONS, GROWTH, LONG, MEMORY, SLOW_EXPRESSIONS, TRAININGS, Training};

/// Our sides: the one that counts, and what it took the place of, of which trainings are measured beside it.
const OURS: [&str; 2] = ["cpu", "runtime"];

/// Steps before it counts.
const WARM_UP: u32 = 2;

/// The time that a sample of an expression takes at least, in milliseconds, by repeating it.
const SAMPLE: f64 = 20.0;

/// A side of ours.
fn ours(place: &Place, name: &'static str) -> Result<Side, String> {
    Side::start(name, Command::new(&place.step).arg(name), place.threads)
}

/// The peer, under the name of a form.
fn peer(place: &Place, form: &'static str) -> Result<Side, String> {
    let mut command = Command::new(&place.python);
    command.arg("-B").arg(place.root.join("benches/peers/torch/run.py"));
    command.env("TORCHINDUCTOR_CACHE_DIR", place.scratch.join("inductor"));
    // Of the messages of its libraries only errors are of use here.
    command.env("PYTHONWARNINGS", "ignore");
    Side::start(form, &mut command, place.threads)
}

/// Times and memory of a training, for each of our sides.
pub(super) fn training(place: &Place, training: &Training) -> Result<Vec<Row>, String> {
    let name = training.name;
    let weights = place.scratch.join(format!("{name}.safetensors"));
    let mut rows = Vec::new();
    let mut sides = Vec::new();
    let mut remarks = Vec::new();
    let mut first = Value::Null;
    for ours in OURS {
        eprintln!("versus: {name}: {ours}");
        match begin(place, ours, training, &weights)? {
            Ok((side, loss, remark)) => {
                first = loss;
                sides.push(side);
                remarks.push(remark);
            }
            Err(why) => rows.push(Row::refused(name, training.bounds, ours, &why)),
        }
    }
    let count = sides.len();
    if count == 0 {
        return Ok(rows);
    }
    let mut told = training.told(&place.root, Some(&weights));
    told["plain"] = first["plain"].take();
    for form in training.forms {
        eprintln!("versus: {name}: {form}");
        let mut side = peer(place, form)?;
        let loss = done(side.load(&told, Some(form))?, &side)?;
        let tolerance = if training.dtype == "f32" { 1e-3 } else { 2e-2 };
        agree(name, &first["value"], &loss["value"], tolerance)?;
        sides.push(side);
    }
    eprintln!("versus: {name}: {PAIRS} steps of each in turn");
    let samples = warm(&mut sides, PAIRS)?;
    let best = fastest(&samples, count);
    for (i, remark) in remarks.iter().enumerate() {
        let pair = [(sides[i].name, &samples[i]), (sides[best].name, &samples[best])];
        let mut row = Row::of_times(name, training.bounds, pair[0], pair[1]);
        row.note.push_str(remark);
        rows.push(row);
        rows.push(memory(name, &sides[i], &sides[best]));
    }
    rows.iter().for_each(|row| eprintln!("{}", row.line()));
    Ok(rows)
}

/// A side of ours with a training that is ready, its answer, and a remark; or why it does not do it. Of one that has no
/// bf16 the steps in f32 are measured, and the remark says so.
type Begun = Result<(Side, Value, String), String>;

fn begin(place: &Place, name: &'static str, training: &Training, weights: &Path) -> Result<Begun, String> {
    let mut side = ours(place, name)?;
    let why = match side.load(&training.told(&place.root, Some(weights)), None)? {
        Answer::Done(line) => return Ok(Ok((side, line, String::new()))),
        Answer::Refused(why) => why,
    };
    if training.dtype == "f32" {
        return Ok(Err(why));
    }
    let wide = Training { dtype: "f32", ..*training };
    Ok(match side.load(&wide.told(&place.root, Some(weights)), None)? {
        Answer::Done(line) => Ok((side, line, format!("; ours in f32: {why}"))),
        Answer::Refused(why) => Err(why),
    })
}

/// Warms the sides up, forgets what that took of memory, and lets them take turns.
fn warm(sides: &mut [Side], pairs: usize) -> Result<Vec<Samples>, String> {
    for side in sides.iter_mut() {
        step(side, WARM_UP)?;
        side.forget_peak();
    }
    alternate(sides, pairs, 1)
}

/// Of the sides from number `from` the one with the least middle.
fn fastest(samples: &[Samples], from: usize) -> usize {
    let middles = |i: &usize, j: &usize| samples[*i].median().total_cmp(&samples[*j].median());
    (from..samples.len()).min_by(middles).expect("a training has a form of the peer")
}

/// The row of what steps need beyond what a side held when it had done nothing.
fn memory(name: &str, ours: &Side, peer: &Side) -> Row {
    let (mine, theirs) = (ours.peak(), peer.peak());
    let name = format!("{name}, memory");
    let mut row = Row::of(&name, MEMORY, "MiB", (ours.name, mine - ours.base), (peer.name, theirs - peer.base));
    row.note = format!("whole processes {mine:.0} and {theirs:.0} MiB, ratio {:.2}", mine / theirs);
    row
}

/// Ratios of random expressions: their geometric mean and 95th percentile.
pub(super) fn expressions(place: &Place, count: u64) -> Result<Vec<Row>, String> {
    let name = OURS[0];
    let mut sides = [ours(place, name)?, peer(place, "compiled")?];
    let mut ratios = Vec::new();
    let mut refused = Vec::new();
    for seed in 0..count {
        match ratio(place, &mut sides, seed)? {
            Ok(ratio) => ratios.push(ratio),
            Err(why) => refused.push(format!("{seed}: {why}")),
        }
    }
    Ok(match (ratios.is_empty(), refused.first()) {
        (true, why) => vec![Row::refused("expressions", EXPRESSIONS, name, why.map_or("there are none", |why| why))],
        (false, _) => summary(name, ratios, &refused).into(),
    })
}

/// What one expression takes, by what it takes the peer; or why our side does not do it.
fn ratio(place: &Place, sides: &mut [Side; 2], seed: u64) -> Result<Result<f64, String>, String> {
    let drawn = sides[0].ask(&json!({ "draw": seed }))?;
    let mut table = done(drawn, &sides[0])?;
    table["weights_file"] = json!(place.scratch.join("expression.safetensors"));
    let mine = match sides[0].load(&table, None)? {
        Answer::Done(line) => line,
        Answer::Refused(why) => return Ok(Err(why)),
    };
    table["plain"] = mine["plain"].clone();
    let theirs = done(sides[1].load(&table, Some("compiled"))?, &sides[1])?;
    agree(&format!("expression {seed}"), &mine["value"], &theirs["value"], 1e-4)?;
    let slowest = step(&mut sides[0], WARM_UP)?.max(step(&mut sides[1], WARM_UP)?);
    let steps = (SAMPLE / slowest).clamp(1.0, 500.0) as u32;
    let samples = alternate(sides, PAIRS, steps)?;
    let ratio = samples[0].median() / samples[1].median();
    eprintln!("versus: expression {seed}: {:.3} and {:.3} ms, {ratio:.2}", samples[0].median(), samples[1].median());
    Ok(Ok(ratio))
}

fn summary(name: &str, mut ratios: Vec<f64>, refused: &[String]) -> [Row; 2] {
    ratios.sort_by(f64::total_cmp);
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let slow = quantile(&ratios, 0.95);
    let note = match refused.first() {
        None => format!("{} expressions", ratios.len()),
        Some(first) => format!("{} expressions, {} refused, the first {first}", ratios.len(), refused.len()),
    };
    let row = |what: &str, bounds, value| {
        let row = Row::of(what, bounds, "x", (name, value), ("compiled", 1.0));
        Row { note: note.clone(), ..row }
    };
    [row("expressions, geometric mean", EXPRESSIONS, mean), row("expressions, 95th percentile", SLOW_EXPRESSIONS, slow)]
}

/// From text to what can run, at `14M`: the slowest of the designs, by the middle of its samples. The bounds are of milliseconds.
pub(super) fn compile(place: &Place) -> Result<Vec<Row>, String> {
    let name = OURS[0];
    let mut side = ours(place, name)?;
    let mut middles = Vec::new();
    for training in TRAININGS.iter().filter(|training| training.name == training.model) {
        let request = json!({ "compile": training.small().told(&place.root, None) });
        let mut times = Vec::new();
        for _ in 0..PAIRS {
            times.push(done(side.ask(&request)?, &side)?["milliseconds"].as_f64().unwrap_or(f64::NAN));
        }
        times.sort_by(f64::total_cmp);
        middles.push((quantile(&times, 0.5), training.name));
    }
    let (slowest, design) = middles.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).expect("there are designs");
    let note = format!("the slowest of the designs, {design}; the bounds are of milliseconds");
    let row = Row::of("compile at 14M", COMPILE, "ms", (name, slowest), ("no peer", 1.0));
    Ok(vec![Row { peer: None, note, ..row }])
}

/// What a step over one row of [`LONG`] costs, by what it costs over as many tokens in short rows.
pub(super) fn growth(place: &Place) -> Result<Vec<Row>, String> {
    let designs = TRAININGS.iter().filter(|training| training.name == training.model);
    designs.map(|training| grown(place, training, OURS[0])).collect()
}

fn grown(place: &Place, training: &Training, name: &'static str) -> Result<Row, String> {
    let work = format!("{}, {LONG} positions a row", training.name);
    eprintln!("versus: {work}: {name}");
    let mut sides = Vec::new();
    // The long row first: a side that does not do it has not to do the other.
    for context in [LONG, training.context] {
        let mut side = ours(place, name)?;
        match side.load(&training.long(context).told(&place.root, None), None)? {
            Answer::Done(_) => sides.push(side),
            Answer::Refused(why) => return Ok(Row::refused(&work, GROWTH, name, &why)),
        }
    }
    let samples = warm(&mut sides, PAIRS / 2)?;
    let grown = samples[0].median() / samples[1].median();
    let row = Row::of(&work, GROWTH, "x", (name, grown), ("products", training.growth()));
    let note = format!("{:.0} ms, and {:.0} in rows of {}", samples[0].median(), samples[1].median(), training.context);
    let row = Row { note, ..row };
    eprintln!("{}", row.line());
    Ok(row)
}

/// The answer of a side that does everything.
fn done(answer: Answer, side: &Side) -> Result<Value, String> {
    match answer {
        Answer::Done(line) => Ok(line),
        Answer::Refused(why) => Err(format!("versus: the side `{}` ({}) refuses: {why}", side.name, side.library)),
    }
}

/// Holds two values to each other.
fn agree(work: &str, ours: &Value, peer: &Value, tolerance: f64) -> Result<(), String> {
    let (a, b) = (ours.as_f64().unwrap_or(f64::NAN), peer.as_f64().unwrap_or(f64::NAN));
    if (a - b).abs() <= tolerance * b.abs().max(1.0) {
        return Ok(());
    }
    Err(format!("versus: {work}: ours gives {a} and the peer {b}: they do not compute the same"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_that_compute_something_else_are_told_apart() {
        assert_eq!(agree("gpt", &json!(8.36931), &json!(8.36932), 1e-3), Ok(()));
        let told = agree("gpt", &json!(8.3), &json!(8.4), 1e-3).err().unwrap_or_default();
        assert_eq!(told, "versus: gpt: ours gives 8.3 and the peer 8.4: they do not compute the same");
        assert!(agree("gpt", &Value::Null, &json!(1.0), 1e-3).is_err());
    }

    #[test]
    fn the_fastest_form_of_the_peer_counts() {
        let of = |time: f64| Samples { wall: vec![time], processor: 0.0 };
        assert_eq!(fastest(&[of(1.0), of(5.0), of(3.0)], 1), 2);
    }

    #[test]
    fn ratios_are_summed_up_by_their_geometric_mean() {
        let [mean, slow] = summary("cpu", vec![4.0, 1.0], &["3: no".to_owned()]);
        assert!((mean.ratio.unwrap_or_default() - 2.0).abs() < 1e-12);
        assert!((slow.ratio.unwrap_or_default() - 3.85).abs() < 1e-12);
        assert_eq!(mean.note, "2 expressions, 1 refused, the first 3: no");
    }
}

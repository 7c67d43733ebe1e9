//! A profile as text: the machine, then tables, names to the left, figures to the right.

use std::fmt::Write;

use crate::profile::{Figures, Memory, Profile};

/// Kernels and buffers that are listed; JSON has all.
const LISTED: usize = 10;

/// What is named in a line of a table, before its figures.
type Row = (Vec<String>, Figures);

/// The text; it ends with a line break.
pub fn to_text(profile: &Profile) -> String {
    let mut text = head(profile);
    push(&mut text, "");
    table(&mut text, &["unit", "pass"], &by_unit(profile));
    push(&mut text, "");
    let kinds = profile.kinds.iter().map(|kind| (vec![kind.kind.to_owned(), kind.runs.to_string()], kind.figures));
    table(&mut text, &["kind of kernel", "runs"], &kinds.collect::<Vec<_>>());
    push(&mut text, "");
    let kernels = profile.kernels.iter().take(LISTED).map(|kernel| {
        let more = if kernel.units > 1 { format!(" and {} more", kernel.units - 1) } else { String::new() };
        let name = format!("{} {} {}", kernel.function, kernel.kernel, kernel.kind);
        (vec![name, kernel.runs.to_string(), format!("{}{more}", kernel.unit.join(" > "))], kernel.figures)
    });
    table(&mut text, &["slowest kernels", "runs", "of"], &kernels.collect::<Vec<_>>());
    push(&mut text, "");
    memory(&mut text, &profile.memory);
    text
}

fn head(profile: &Profile) -> String {
    let subject = &profile.subject;
    let mut text = String::new();
    push(&mut text, &format!("{}  {}", subject.design, profile.hash));
    let parts = if profile.parts > 1 { format!(" in {} parts", profile.parts) } else { String::new() };
    push(
        &mut text,
        &format!(
            "at {}: {} rows of {} positions a step{parts}, {} parameters, {}; medians of {} steps",
            subject.scale,
            subject.rows,
            subject.context,
            grouped(profile.parameters),
            counted(profile.threads, "thread"),
            profile.steps
        ),
    );
    push(
        &mut text,
        &format!(
            "this machine: {:.0} GFLOP/s in a cache, {:.1} GB/s from memory, {}, measured",
            profile.machine.operations_per_second / 1e9,
            profile.machine.bytes_per_second / 1e9,
            counted(profile.threads, "thread")
        ),
    );
    push(
        &mut text,
        &format!(
            "kernels are timed; {:.0} % of the step is in kernels of several units, whose time timers around their operations \
             share out",
            100.0 * profile.shared_seconds / profile.step.seconds.max(f64::MIN_POSITIVE)
        ),
    );
    text
}

/// Units, then what no unit does, then the whole.
fn by_unit(profile: &Profile) -> Vec<Row> {
    let unit = |unit: &crate::UnitFigures| (vec![unit.unit.join(" > "), unit.pass.to_owned()], unit.figures);
    let mut rows: Vec<Row> = profile.units.iter().map(unit).collect();
    let rest = |name: &str, figures| (vec![name.to_owned(), String::new()], figures);
    let share = profile.batch_seconds / profile.step.seconds.max(f64::MIN_POSITIVE);
    let batch = Figures { seconds: profile.batch_seconds, share, ..NOTHING };
    rows.extend([rest("optimizer", profile.optimizer), rest("batch", batch), rest("step", profile.step)]);
    rows
}

const NOTHING: Figures = Figures {
    seconds: 0.0,
    share: 0.0,
    products: 0.0,
    elementwise: 0.0,
    read: 0.0,
    written: 0.0,
    operations_per_second: 0.0,
    bytes_per_second: 0.0,
    roofline: 0.0,
};

/// Names to the left under `names`, figures to the right.
fn table(text: &mut String, names: &[&str], rows: &[Row]) {
    let heads = ["ms", "share", "MFLOP", "MB read", "MB written", "GFLOP/s", "GB/s", "roofline"];
    let mut lines: Vec<Vec<String>> = vec![names.iter().chain(&heads).map(|&head| head.to_owned()).collect()];
    lines.extend(rows.iter().map(|(names, figures)| names.iter().cloned().chain(cells(figures)).collect()));
    let widths: Vec<usize> = (0..names.len() + heads.len())
        .map(|i| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0))
        .collect();
    for line in &lines {
        let mut told = String::new();
        for (i, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let gap = if i == 0 { "" } else { "  " };
            let right = i >= names.len() || names[i] == "runs";
            let _ = if right { write!(told, "{gap}{cell:>width$}") } else { write!(told, "{gap}{cell:width$}") };
        }
        push(text, &told);
    }
}

fn cells(figures: &Figures) -> [String; 8] {
    let million = |x: f64| decimals(x / 1e6);
    [
        format!("{:.3}", 1e3 * figures.seconds),
        format!("{:.1} %", 100.0 * figures.share),
        million(figures.products + figures.elementwise),
        million(figures.read),
        million(figures.written),
        format!("{:.1}", figures.operations_per_second / 1e9),
        format!("{:.1}", figures.bytes_per_second / 1e9),
        format!("{:.0} %", 100.0 * figures.roofline),
    ]
}

/// Fewer decimals the larger a number is.
fn decimals(x: f64) -> String {
    match x {
        x if x >= 100.0 => format!("{x:.0}"),
        x if x >= 1.0 => format!("{x:.1}"),
        x => format!("{x:.2}"),
    }
}

fn memory(text: &mut String, memory: &Memory) {
    push(
        text,
        &format!(
            "memory: weights {}, gradients {}, moments {}, arena {}, workers {}; the tape takes {} of the arena",
            bytes(memory.weights),
            bytes(memory.gradients),
            bytes(memory.moments),
            bytes(memory.arena),
            bytes(memory.workers),
            bytes(memory.tape)
        ),
    );
    let row = |large: &crate::Large| {
        let of = if large.tape { "tape" } else { "" };
        [bytes(large.bytes), of.to_owned(), large.function.clone(), large.unit.join(" > ")]
    };
    let heads = ["largest buffers", "", "function", "of"].map(str::to_owned);
    let lines: Vec<[String; 4]> = std::iter::once(heads).chain(memory.buffers.iter().take(LISTED).map(row)).collect();
    let width = |i: usize| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0);
    let [size, tape, function] = [0, 1, 2].map(width);
    for [first, second, third, last] in &lines {
        push(text, &format!("{first:>size$}  {second:tape$}  {third:function$}  {last}"));
    }
}

/// Adds a line without blanks at its end.
fn push(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// `1,234,567`
fn grouped(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `51.5 KiB`
fn bytes(value: usize) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (value as f64, 0);
    while size >= 1024.0 && unit + 1 < units.len() {
        (size, unit) = (size / 1024.0, unit + 1);
    }
    if unit == 0 { format!("{value} B") } else { format!("{size:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_they_matter() {
        assert_eq!([0.004, 0.5, 12.34, 1234.5].map(decimals), ["0.00", "0.50", "12.3", "1234"]);
        assert_eq!([999, 1_234_567].map(grouped), ["999", "1,234,567"]);
        assert_eq!([12, 52_736].map(bytes), ["12 B", "51.5 KiB"]);
    }
}

//! An explanation as text: a paragraph a unit, formulas in columns, figures to the right where a scale is given.

use std::fmt::Write;

use crate::{Explanation, Figure, Model, ModelPart, Unit};

/// The text; it ends with a line break.
pub fn to_text(explanation: &Explanation) -> String {
    let mut text = format!("{}  {}\n", explanation.name, explanation.hash);
    for line in &explanation.requirements {
        push(&mut text, &format!("  needs  {line}"));
    }
    for unit in &explanation.units {
        text.push('\n');
        of_unit(&mut text, unit);
    }
    notes(&mut text, explanation);
    if let Some(model) = &explanation.model {
        text.push('\n');
        of_model(&mut text, model);
    }
    text
}

fn of_unit(text: &mut String, unit: &Unit) {
    let reach = match unit.label {
        "pointwise" => "pointwise: each position by itself".to_owned(),
        "local" => format!("local: looks {} positions back", unit.reach),
        "recurrent" => "recurrent: all that was, through states".to_owned(),
        _ => "global: each position that was".to_owned(),
    };
    push(text, &format!("{}  {reach}", unit.name));
    let sizes = Sizes::of(unit);
    sizes.legend(text, unit);
    let mut rows = vec![Row::new("  parameters", &unit.parameters, "")];
    rows.extend(unit.weights.iter().map(|weight| {
        let name = format!("    {} [{}]", weight.path, sizes.axes(&weight.axes));
        let note =
            if weight.loss_only { format!("{}, moves a loss alone", weight.role) } else { weight.role.to_owned() };
        Row { name, figure: weight.parameters.clone(), note }
    }));
    rows.push(Row::new("  forward", &unit.forward, &unit.class));
    rows.extend(unit.contractions.iter().map(|work| {
        let note = work.line.map_or_else(String::new, |line| format!("line {line}"));
        Row { name: format!("    {}", shortened(&work.what)), figure: work.forward.clone(), note }
    }));
    if unit.scans.formula != "0" {
        rows.push(Row::new("    updates of states", &unit.scans, ""));
    }
    rows.push(Row::new("  backward", &unit.backward, ""));
    rows.push(Row::new("  elementwise", &unit.elementwise, "forward, apart"));
    rows.push(Row::new("  values", &unit.values, "numbers"));
    rows.push(Row::new("  decoding keeps", &unit.decode, "bytes of a row, after T tokens"));
    rows.extend(unit.kept.iter().map(|kept| {
        let note = match kept.kind {
            "state" => "state".to_owned(),
            "growing" => "each token".to_owned(),
            "pooled" => "a mean and a sum".to_owned(),
            _ => format!("the last {}", sizes.named(&kept.values)),
        };
        Row { name: format!("    {}", kept.name), figure: kept.bytes.clone(), note }
    }));
    rows.extend(unit.states.iter().map(|state| {
        let name = format!("  state {} [{}]", state.name, sizes.axes(&state.axes));
        Row {
            name,
            figure: state.numbers.clone(),
            note: format!("{}, {}, values in {}", state.class, state.growth, state.interval),
        }
    }));
    for row in &mut rows {
        row.figure.formula = sizes.named(&row.figure.formula);
    }
    table(text, &rows);
    for loss in &unit.losses {
        let line = loss.line.map_or_else(String::new, |line| format!(", line {line}"));
        push(text, &format!("  loss         `{}`{line}", shortened(&loss.what)));
    }
    for jump in &unit.jumps {
        let line = jump.line.map_or_else(String::new, |line| format!(", line {line}"));
        push(text, &format!("  jumps        `{}`{line}", shortened(&jump.what)));
    }
    if unit.finite {
        push(text, "  finite       proven");
    }
    for (i, doubt) in unit.doubts.iter().enumerate() {
        let head = if i == 0 { "  finite       not proven:" } else { "                          " };
        let line = doubt.line.map_or_else(String::new, |line| format!(", line {line}"));
        let what = shortened(&doubt.what);
        push(
            text,
            &format!(
                "{head} the {} of `{}` needs its operand {}, found {}, in `{what}`{line}",
                doubt.fails, doubt.function, doubt.needs, doubt.operand
            ),
        );
    }
}

/// Sizes that are long to write, under the names of their axes.
struct Sizes {
    /// Formula and name.
    names: Vec<(String, String)>,
}

impl Sizes {
    fn of(unit: &Unit) -> Sizes {
        let mut names: Vec<(String, String)> = Vec::new();
        let axes = unit.weights.iter().flat_map(|weight| &weight.axes).chain(unit.states.iter().flat_map(|s| &s.axes));
        for (name, formula) in axes.filter_map(|axis| axis.split_once(" = ")) {
            let clashes = names.iter().any(|(f, n)| f == formula || n == name);
            if formula.contains('(') && !clashes {
                names.push((formula.to_owned(), name.to_owned()));
            }
        }
        Sizes { names }
    }

    fn named(&self, formula: &str) -> String {
        self.names.iter().fold(formula.to_owned(), |text, (formula, name)| text.replace(formula, name))
    }

    /// Axes with their sizes, but for those that the legend has.
    fn axes(&self, axes: &[String]) -> String {
        let shown = axes.iter().map(|axis| match axis.split_once(" = ") {
            Some((name, formula)) if self.names.iter().any(|(f, n)| f == formula && n == name) => name,
            _ => axis.as_str(),
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    fn legend(&self, text: &mut String, unit: &Unit) {
        for (formula, name) in &self.names {
            push(text, &format!("  with         {name} = {formula}"));
        }
        let formulas = [&unit.forward, &unit.elementwise, &unit.values];
        if formulas.iter().any(|figure| figure.formula.contains("seen(")) {
            push(text, "  with         seen(T; w) = the positions of a window of w seen from t, summed over t < T");
        }
    }
}

fn notes(text: &mut String, explanation: &Explanation) {
    let mut lines: Vec<String> = explanation
        .unreached
        .iter()
        .map(|unit| format!("the unit `{unit}` is never reached from the design"))
        .collect();
    lines.extend(explanation.probe.suspects.iter().map(|suspect| match suspect.kind {
        "weight" => format!(
            "the weight `{}` of `{}` is suspected inert: no draw of it moved the output",
            suspect.at.name, suspect.at.unit
        ),
        _ => format!("the input of `{}` is suspected inert: no draw of it moved the output", suspect.at.unit),
    }));
    lines.extend(
        explanation.probe.skipped.iter().map(|skipped| format!("`{}` was not probed: {}", skipped.unit, skipped.name)),
    );
    if !lines.is_empty() {
        text.push('\n');
    }
    for line in lines {
        push(text, &format!("warning: {line}"));
    }
}

/// A line of a table: name, formula, figure, note.
struct Row {
    name: String,
    figure: Figure,
    note: String,
}

impl Row {
    fn new(name: &str, figure: &Figure, note: &str) -> Row {
        Row { name: name.to_owned(), figure: figure.clone(), note: note.to_owned() }
    }
}

/// Names, formulas and notes to the left, figures to the right.
fn table(text: &mut String, rows: &[Row]) {
    let wide = |cell: fn(&Row) -> usize| rows.iter().map(cell).max().unwrap_or(0);
    let names = wide(|row| row.name.chars().count());
    let formulas = wide(|row| row.figure.formula.chars().count());
    let figures = wide(|row| row.figure.value.map_or(0, |value| grouped(value).len()));
    for Row { name, figure, note } in rows {
        let mut line = format!("{name:names$}  {:formulas$}", figure.formula);
        if let Some(value) = figure.value {
            let _ = write!(line, "  {:>figures$}", grouped(value));
        }
        if !note.is_empty() {
            let _ = write!(line, "  {note}");
        }
        push(text, &line);
    }
}

fn of_model(text: &mut String, model: &Model) {
    push(
        text,
        &format!(
            "At {}: D = {}, {} blocks, rows of T = {}, {} rows a step, vocabulary {}. Operations are of one row.",
            model.scale,
            model.width,
            model.blocks,
            grouped(i128::from(model.context)),
            model.rows,
            grouped(i128::from(model.vocabulary))
        ),
    );
    let head = ["part", "times", "parameters", "forward", "backward", "elementwise"].map(str::to_owned);
    let cells = |part: &ModelPart| {
        let numbers = [part.parameters, part.forward, part.backward, part.elementwise].map(grouped);
        let [parameters, forward, backward, elementwise] = numbers;
        [part.name.clone(), part.times.to_string(), parameters, forward, backward, elementwise]
    };
    let rows: Vec<[String; 6]> =
        [head].into_iter().chain(model.parts.iter().chain([&model.total]).map(cells)).collect();
    let widths: Vec<usize> = (0..6).map(|i| rows.iter().map(|row| row[i].len()).max().unwrap_or(0)).collect();
    for row in &rows {
        let mut line = format!("  {:1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            let _ = write!(line, "  {cell:>width$}");
        }
        push(text, &line);
    }
    let total = model.activation_bytes + model.parameter_bytes + model.largest_bytes;
    push(
        text,
        &format!(
            "  a training step keeps at most {}: {} values, {} parameters with gradients and moments, {} gradients of values",
            bytes(total),
            bytes(model.activation_bytes),
            bytes(model.parameter_bytes),
            bytes(model.largest_bytes)
        ),
    );
    if let Some(kept) = model.decode_bytes {
        push(text, &format!("  decoding keeps {} after {} tokens of a row", bytes(i128::from(kept)), model.context));
    }
}

/// Adds a line without blanks at its end.
fn push(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// `1,234,567`
fn grouped(value: i128) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

/// `51.5 KiB`
fn bytes(value: i128) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (value as f64, 0);
    while size >= 1024.0 && unit + 1 < units.len() {
        (size, unit) = (size / 1024.0, unit + 1);
    }
    if unit == 0 { format!("{value} B") } else { format!("{size:.1} {}", units[unit]) }
}

/// At most 48 characters.
fn shortened(text: &str) -> String {
    const MOST: usize = 48;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_bytes_have_units() {
        assert_eq!([0, 999, 1000, -1_234_567].map(grouped), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!([12, 1024, 52_736].map(bytes), ["12 B", "1.0 KiB", "51.5 KiB"]);
    }
}

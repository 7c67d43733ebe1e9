//! Grows random programs, with the checker as the only judge of what may stand.

use std::collections::BTreeMap;

use genesys_compiler::check_text;
use genesys_diag::Code;

/// A program, and how often each construct was accepted and each rule refused one.
pub(crate) struct Program {
    pub(crate) text: String,
    pub(crate) tally: BTreeMap<String, usize>,
}

/// A counter-based source of small numbers (SplitMix64).
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn unit(&mut self) -> f64 {
        genesys_random::unit(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(genesys_random::GAMMA);
        genesys_random::finalize(self.0)
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }
}

const STATIC_AXES: [&str; 5] = ["D", "E", "H", "K", "G"];
const AXES: [&str; 9] = ["D", "E", "H", "K", "G", "Past", "Near", "Before", "Pairs"];

/// The statements accepted so far, and the values they bind.
struct Growing {
    draws: Draws,
    stmts: Vec<String>,
    values: Vec<String>,
    tally: BTreeMap<String, usize>,
}

/// A program of about `size` statements.
pub(crate) fn grow(seed: u64, size: usize) -> Program {
    let mut growing =
        Growing { draws: Draws(seed), stmts: Vec::new(), values: vec!["x".into()], tally: BTreeMap::new() };
    let mut tries = 0;
    while growing.values.len() <= size && tries < size * 12 {
        tries += 1;
        growing.propose();
    }
    let observed = growing.observe();
    let text = growing.text(&observed);
    Program { text, tally: growing.tally }
}

impl Growing {
    /// Draws one statement; it stays if the program still checks.
    fn propose(&mut self) {
        let name = format!("v{}", self.values.len());
        let (what, value) = self.candidate();
        let stmt = match value.strip_prefix("param ") {
            Some(rest) => format!("param {name}{rest}"),
            None if what == "loss" => value,
            None if matches!(what, "tuple" | "top" | "tuple of a scan" | "tuple of a loop") => {
                format!("let {} = {value}", self.draws.pick(&["(NAME, _)", "(_, NAME)", "(NAME, NAME_2)"]))
            }
            None => format!("let {name} = {value}"),
        };
        let stmt = stmt.replace("NAME", &name);
        self.stmts.push(stmt);
        match refusal(&self.text("x")) {
            None => {
                let second = format!("{name}_2");
                let both = self.stmts.last().is_some_and(|stmt| stmt.contains(&second));
                if what != "loss" {
                    self.values.push(name);
                }
                self.values.extend(Some(second).filter(|_| both));
                *self.tally.entry(format!("accepted {what}")).or_insert(0) += 1;
            }
            Some(code) => {
                self.stmts.pop();
                *self.tally.entry(format!("refused {code}")).or_insert(0) += 1;
            }
        }
    }

    fn value(&mut self) -> String {
        // Later values are the more interesting ones.
        let n = self.values.len();
        let at = self.draws.below(n).max(self.draws.below(n));
        self.values[at].clone()
    }

    fn candidate(&mut self) -> (&'static str, String) {
        let (a, b) = (self.value(), self.value());
        let axis = self.draws.pick(&AXES);
        let (from, to) = (self.draws.pick(&AXES), self.draws.pick(&STATIC_AXES));
        match self.draws.below(47) {
            0 => ("map", format!("{}({a})", self.draws.pick(&["tanh", "relu", "sigmoid", "-", "expm1", "erf"]))),
            1 | 2 => ("map", format!("{a} {} {b}", self.draws.pick(&["+", "-", "*"]))),
            3 => {
                let form = self.draws.pick(&["max(A, B)", "clamp(A, B, 1)", "A - stop(B)"]);
                ("map", form.replace('A', &a).replace('B', &b))
            }
            4 => ("outer", format!("outer({a}, tanh({b}))")),
            5 => ("sum", format!("{}[{axis}]({a})", self.draws.pick(&["sum", "mean"]))),
            6 => ("max", format!("max[{axis}]({a}, else = -1)")),
            7 => ("softmax", format!("softmax[{axis}]({a})")),
            8 => ("dot", format!("dot[{axis}]({a}, {b})")),
            9 | 10 => ("linear", format!("linear[{from} -> {to}]({a})")),
            11 => ("shift", format!("shift({a}, {})", self.draws.pick(&["1", "2", "K - 1", "-1", "K - 4"]))),
            12 | 13 => self.past(&a),
            14 => ("age", format!("tanh({a} - 0.3 * age[{axis}])")),
            15 => ("pos", format!("{a} / (1 + pos)")),
            16 => ("rename", format!("{a} as [{from} -> {to}]")),
            17 => ("regroup", format!("[{from} -> H, E]({a})")),
            18 => ("param", format!("param : [{to}] = uniform(-1, 1)")),
            19 => {
                ("unit", format!("{}({a})", self.draws.pick(&["RmsNorm[D]", "RmsNorm[E]", "TokenShift", "L2Norm[H]"])))
            }
            20 => ("window", format!("sum[{to}](outer(index[{to}] - 0.5, window[{to}]({a})))")),
            21 => ("cumsum", format!("tanh(cumsum[{axis}]({a}))")),
            22 => ("after", format!("after[{axis}](tanh({a}))")),
            24 => ("shared", format!("f({a})")),
            23 => ("tuple", self.draws.pick(&["Two(A)", "(A, B)", "Two(tanh(A))"]).replace('A', &a).replace('B', &b)),
            25 => ("repeat", self.repeat(&a, &b)),
            45 => ("tuple of a loop", self.pairs(&a, &b)),
            46 => ("tuple of a scan", self.scanned_pair(&a, &b)),
            26 => {
                let unit = self.draws.pick(&[
                    "Wrap<F = Mix>",
                    "Wrap<F = Wrap<F = Mix>>",
                    "Fold<F = Mix>",
                    "Fold<F = Two>",
                    "Fold<F = Squash>",
                ]);
                ("unit parameter", format!("{unit}({a})"))
            }
            27..34 => self.blocks(&a, &b, axis, to),
            34..38 => ("chunked scan", self.chunks(&a, &b)),
            38..41 => self.loss(&a, &b, axis),
            _ => self.scan(&a, &b),
        }
    }

    /// A term of the training loss, or a value that reads one.
    fn loss(&mut self, a: &str, b: &str, axis: &str) -> (&'static str, String) {
        match self.draws.below(6) {
            0 => ("loss", format!("loss {a} - tanh({b})")),
            1 => ("loss", format!("loss 0.3 * tanh(sum[{axis}]({a}))")),
            2 => ("loss", format!("loss mean[{axis}](mean_tokens(tanh({a})) * mean_tokens(tanh({b})))")),
            3 => ("loss", format!("loss logsumexp[{axis}](mean_tokens({a})) ^ 2")),
            4 => ("mean over tokens", format!("pos + mean_tokens({b})")),
            _ => ("unit with a loss", format!("Judged({a})")),
        }
    }

    /// Blocks of positions, and what is picked of them and of others.
    fn blocks(&mut self, a: &str, b: &str, axis: &str, to: &str) -> (&'static str, String) {
        match self.draws.below(6) {
            0 => ("remainder", format!("(pos - 3) % {} - {a}", self.draws.pick(&["2", "3", "K", "(0 - 2)"]))),
            1 => ("pool", format!("pool({a}, {})", self.draws.pick(&["1", "2", "3", "K", "K - 3"]))),
            2 | 3 => ("blocks", format!("tanh(blocks[Pairs, {to}]({a}))")),
            _ => {
                // Of `G` there are fewer than `K` at the smallest width.
                let few = self.draws.pick(&["H", "E", if axis == "G" { "H" } else { "K" }]);
                // Rounded, so that scores are equal or far from it in both forms.
                ("top", format!("top[{few} of {axis}](round(7 * {a} + 0.3), {b})"))
            }
        }
    }

    fn past(&mut self, a: &str) -> (&'static str, String) {
        match self.draws.below(5) {
            0 => ("past window", format!("past[Near]({a}, window = 3)")),
            1 => ("past skip", format!("past[Before]({a}, skip = 1)")),
            2 => ("past", format!("past({a}, window = {})", self.draws.pick(&["2", "K - 3"]))),
            _ => ("past", format!("past({a})")),
        }
    }

    fn repeat(&mut self, a: &str, b: &str) -> String {
        let axes = self.draws.pick(&["D", "E", "H", "H, E", ""]);
        let init = if self.draws.below(2) == 0 { a } else { "0.5" };
        let round = self.draws.pick(&["tanh(R + B)", "R * tanh(B) + I", "linear[D -> D](R) + B", "shift(R, 1) + B"]);
        let round = round.replace('B', b);
        format!("repeat I < {} R: [{axes}] = {init} {{ R <- {round} yield R }}", self.draws.pick(&["1", "2", "K"]))
    }

    fn scan(&mut self, a: &str, b: &str) -> (&'static str, String) {
        let axes = self.draws.pick(&["D", "E", "H", "H, E", "", "K"]);
        let init = if self.draws.below(8) == 0 { a } else { "0.5" };
        let (what, body) = match self.draws.below(7) {
            0 => ("scan", format!("S <- tanh({a}) * S + {b} yield S")),
            1 => ("scan", format!("S <- sigmoid({a}) * S + {b} yield {a} * S")),
            2 => ("nonlinear scan", format!("yield S S <- tanh(S * {a} + {b})")),
            3 => ("nonlinear scan", format!("S <- 0.5 * S + {b} S <- tanh(S - {a}) yield S + 1")),
            4 => (
                "scan with a loop",
                format!("S <- repeat 2 R: [{axes}] = S {{ R <- tanh(R + {a}) yield 0.5 * R }} yield S * {b}"),
            ),
            5 => (
                "view scan",
                format!(
                    "S <- 0.5 * S + {b} yield {}",
                    self.draws.pick(&["shift(S, 1)", "sum[Past](past(S))", "sum[K](window[K](S))"])
                ),
            ),
            _ => {
                let read = format!("sum[Past](softmax[Past](dot[D](S, past({a}))) * past({a}))");
                return ("cache scan", format!("scan S: [D] = 0 {{ S <- tanh(0.5 * S + {read}) yield S }}"));
            }
        };
        (what, format!("scan S: [{axes}] = {init} {{ {body} }}"))
    }

    /// A loop that yields two values.
    fn pairs(&mut self, a: &str, b: &str) -> String {
        let axes = self.draws.pick(&["D", "E", "H", "H, E", ""]);
        let round = self.draws.pick(&[
            "let C = R R <- tanh(R + B) yield (C, R)",
            "R <- R * tanh(B) yield (R + I, tanh(B))",
            "R <- tanh(R) yield (R, past(B))",
            "R <- 0.5 * R + B yield Two(R)",
        ]);
        let round = round.replace('B', b);
        format!("repeat I < {} R: [{axes}] = {a} {{ {round} }}", self.draws.pick(&["1", "2", "K"]))
    }

    /// A scan that yields two values.
    fn scanned_pair(&mut self, a: &str, b: &str) -> String {
        let axes = self.draws.pick(&["D", "E", "H", "H, E", "", "K"]);
        let step = self.draws.pick(&[
            "let C = S S <- 0.5 * S + A yield (C, S * B)",
            "S <- tanh(S * A + B) yield (S, tanh(A))",
            "S <- tanh(A) * S + B yield (A * S, shift(B, 1))",
            "S <- tanh(S + B) yield (S, sum[Past](past(A)))",
            "S <- 0.5 * S + A yield repeat 2 R: [D] = S { R <- tanh(R) yield (R, R * B) }",
            "S <- 0.5 * S + A yield (S, shift(S, 1))",
        ]);
        let step = step.replace('A', a).replace('B', b);
        format!("scan S: [{axes}] = 0.5 {{ {step} }}")
    }

    fn chunks(&mut self, a: &str, b: &str) -> String {
        let axes = self.draws.pick(&["D", "E", "H", "H, E", "", "K"]);
        let chunk = self.draws.pick(&["1", "2", "K", "K - 3"]);
        let step = self.draws.pick(&[
            "R <- R + A * tanh(start(S)) S <- start(S) - 0.3 * R yield S + B",
            "S <- tanh(S + start(R) * A) R <- R + S yield start(S) * B",
            "R <- A / (1 + phase) + R S <- 0.5 * S + R yield S + B",
            "R <- R + 0.3 * grad(tanh(A * start(S)) ^ 2, start(S)) S <- start(S) - R yield S * B",
            "R <- grad(start(S) / (1 + max(A, start(S)) ^ 2), start(S)) S <- tanh(S + R) yield S + B",
            "R <- grad(past(A) * start(S), start(S)) S <- S + R yield S",
            "R <- R + shift(start(S), 1) S <- S + A + B yield R",
        ]);
        let step = step.replace('A', a).replace('B', b);
        format!("scan S: [{axes}] = 0.5, R: [{axes}] = 0 reset every {chunk} {{ {step} }}")
    }

    /// An expression that every value enters: each is summed over what axes it has.
    fn observe(&mut self) -> String {
        let mut sum = "x".to_string();
        for value in self.values.clone().into_iter().skip(1) {
            let mut reduced = value;
            for axis in AXES {
                let candidate = format!("sum[{axis}]({reduced})");
                if refusal(&self.text(&format!("x + tanh({reduced})"))).is_none() {
                    break;
                }
                self.stmts.push(format!("let r = {candidate}"));
                let stands = refusal(&self.text("x")).is_none();
                self.stmts.pop();
                if stands {
                    reduced = candidate;
                }
            }
            sum = format!("{sum} + tanh({reduced})");
        }
        sum
    }

    fn text(&self, result: &str) -> String {
        format!(
            "use std::{{RmsNorm, TokenShift, L2Norm}}\n\
             design Random {{ stack = [Block*] }}\n\
             unit Two(x: Seq[..]) -> (Seq[..], tanh: Seq[..]) {{ (shift(x, 1), tanh(x)) }}\n\
             unit Block<E = 2, H = 2, K = 3, G = D / 2>(x: Seq[D]) -> Seq[D] {{\n    share f = Mix\n    {}\n    {result}\n}}\n\
             unit Wrap<F: unit>(x: Seq[D]) -> Seq[D] {{ x + F(x) }}\n\
             unit Squash(x: Seq[D]) -> Seq[D] {{ tanh(x) }}\n\
             unit Judged(x: Seq[D]) -> Seq[D] {{ let y = linear[D -> D](shift(x, 1)) loss sum[D](mean_tokens(y) ^ 2) tanh(y) }}\n\
             unit Fold<F: pointwise unit>(x: Seq[D]) -> Seq[D] {{ scan S: [D] = 0 {{ S <- F(0.5 * S + x) yield S }} }}\n\
             unit Mix(x: Seq[D]) -> Seq[D] {{ scan S: [D] = 0 {{ S <- 0.5 * S + linear[D -> D](x) yield S }} }}\n",
            self.stmts.join("\n    ")
        )
    }
}

/// The code of the first error, if there is one; that a weight has no effect yet is none.
fn refusal(text: &str) -> Option<Code> {
    let checked = check_text("random", text);
    checked.diagnostics.iter().find(|d| d.is_error() && d.code != Code::DEAD_CODE).map(|d| d.code)
}

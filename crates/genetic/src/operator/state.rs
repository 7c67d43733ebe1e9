//! Changes the states of a scan: a normalizer beside a matrix state, where a state starts, whether it
//! is read before or after its update.
//!
//! Beside `S <- a * S + outer(k, v)` the normalizer `Z <- a * Z + k` sums what `S` was written with,
//! and has the axes of `k`; `dot[R](q, Z)` then holds no axis that `dot[R](q, S)` lacks. A state may
//! start from weights of its axes, and may be read at any point of a step.

use genesys_span::Span;
use genesys_syntax::ast::{AxisRef, BinaryOp, Expr, ExprId, ExprKind, Scan, State, Stmt, StmtKind};

use super::recurrence::{Recurrence, axes_of, recurrences};
use crate::candidate::Candidate;
use crate::edit::{binary, call_of, fresh_name, insert_before, number, param, slot, stmt};
use crate::pool::Pool;
use crate::tree;
use crate::types::Types;

/// Adds a normalizer (Katharopoulos et al., 2020), or takes one away.
pub(super) fn toggle_normalizer(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let types = pool.types(unit);
        for recurrence in recurrences(unit) {
            let id = recurrence.id;
            if let Some((whole, plain)) = recurrence.normalized() {
                let (whole, plain, state) = (whole.id, plain.clone(), recurrence.state.name.text.clone());
                all.push(Candidate::in_unit("toggle-normalizer", unit, "normalizer removed", move |unit| {
                    tree::edit(unit, whole, &mut |e| *e = plain.clone());
                    tree::edit(unit, id, &mut |e| edit_scan(e, &mut |scan| drop_state(scan, &state)));
                }));
            } else if let Some(normalizer) = Normalizer::of(&recurrence, types) {
                all.push(Candidate::in_unit("toggle-normalizer", unit, "normalizer added", move |unit| {
                    let name = fresh_name(unit, "Z");
                    tree::edit(unit, normalizer.read, &mut |e| tree::replace_with(e, |e| normalizer.divided(e, &name)));
                    tree::edit(unit, id, &mut |e| edit_scan(e, &mut |scan| normalizer.write(scan, &name)));
                }));
            }
        }
    }
    all
}

/// What is known of a normalizer before it is written.
struct Normalizer {
    state: String,
    axes: Vec<String>,
    decay: Option<Expr>,
    key: Expr,
    query: Expr,
    axis: String,
    read: ExprId,
}

impl Normalizer {
    fn of(recurrence: &Recurrence<'_>, types: &Types) -> Option<Normalizer> {
        let (key, _) = recurrence.outer().filter(|_| recurrence.scan.states.len() == 1)?;
        let (read, query, axis) = recurrence.read()?;
        let (decay, keys) = (recurrence.decay_again()?, axes_of(types, key)?);
        let within = |e: &Expr| axes_of(types, e).is_some_and(|axes| axes.is_subset(&keys));
        let axes: Vec<String> = recurrence.axes.iter().filter(|name| keys.contains(*name)).cloned().collect();
        let of_read = axes_of(types, read)?;
        let left = |name: &String| *name == axis || of_read.contains(name);
        let fits = axes.len() == keys.len() && keys.contains(&axis) && keys.iter().all(left);
        if !fits || !decay.is_none_or(within) {
            return None;
        }
        let state = recurrence.state.name.text.clone();
        let (decay, key, query) = (decay.cloned(), key.clone(), query.clone());
        Some(Normalizer { state, axes, decay, key, query, axis, read: read.id })
    }

    /// `value / max(abs(dot[R](q, Z)), 1)`
    fn divided(&self, value: Expr, name: &str) -> Expr {
        let sum = tree::call("dot", Some(slot(&[&self.axis])), vec![self.query.clone(), tree::name(name)]);
        let size = tree::call("max", None, vec![tree::call("abs", None, vec![sum]), number(1.0)]);
        binary(BinaryOp::Div, value, size)
    }

    fn write(&self, scan: &mut Scan, name: &str) {
        let axes = self.axes.iter().map(|axis| AxisRef::Named(tree::ident(axis))).collect();
        scan.states.push(State { name: tree::ident(name), axes, init: number(0.0), reset: false });
        let kept = match &self.decay {
            Some(decay) => binary(BinaryOp::Mul, decay.clone(), tree::name(name)),
            None => tree::name(name),
        };
        let value = binary(BinaryOp::Add, kept, self.key.clone());
        let is_update = |stmt: &Stmt| matches!(&stmt.kind, StmtKind::Update { state, .. } if state.text == self.state);
        let at = scan.body.stmts.iter().position(is_update).map_or(0, |at| at + 1);
        scan.body.stmts.insert(at, stmt(StmtKind::Update { state: tree::ident(name), value }));
    }
}

impl<'a> Recurrence<'a> {
    /// `a / max(abs(dot[R](q, Z)), 1)` and `a`, where this state is `Z` and nothing else reads it.
    fn normalized(&self) -> Option<(&'a Expr, &'a Expr)> {
        let name = &self.state.name.text;
        let mut found = None;
        let mut reads = 0;
        for value in self.scan.body.stmts.iter().filter_map(tree::stmt_expr) {
            tree::visit_expr(value, &mut |e| match &e.kind {
                ExprKind::Binary(BinaryOp::Div, plain, size) => {
                    let bound = call_of(size, "max").and_then(|max| max.args.first());
                    let is_size = bound.is_some_and(|arg| call_of(tree::arg_expr(arg), "abs").is_some());
                    if is_size && tree::reads(size).contains(name) && !tree::reads(plain).contains(name) {
                        found = Some((e, &**plain));
                    }
                }
                ExprKind::Name(read) if read.text == *name => reads += 1,
                _ => {}
            });
        }
        // Once in its own update, once in the size.
        found.filter(|_| reads == 2 && self.scan.states.len() > 1)
    }
}

fn edit_scan(expr: &mut Expr, change: &mut dyn FnMut(&mut Scan)) {
    if let ExprKind::Scan(scan) = &mut expr.kind {
        change(scan);
    }
}

fn drop_state(scan: &mut Scan, name: &str) {
    scan.states.retain(|state| state.name.text != name);
    let updates = |stmt: &Stmt| matches!(&stmt.kind, StmtKind::Update { state, .. } if state.text == name);
    scan.body.stmts.retain(|stmt| !updates(stmt));
}

/// Starts a state from weights, or from 0 again.
pub(super) fn change_start(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for Recurrence { id, state, axes, .. } in recurrences(unit) {
            let name = state.name.text.clone();
            let learned = !matches!(state.init.kind, ExprKind::Number { .. });
            let detail = format!("{name} starts {}", if learned { "from 0" } else { "learned" });
            all.push(Candidate::in_unit("change-start", unit, &detail, move |unit| {
                let init = if learned {
                    number(0.0)
                } else {
                    let start = fresh_name(unit, "start");
                    insert_before(unit, id, vec![param(&start, &axes, number(0.0), "bias")]);
                    tree::name(&start)
                };
                tree::edit(unit, id, &mut |e| {
                    edit_scan(e, &mut |scan| {
                        let state = scan.states.iter_mut().find(|state| state.name.text == name);
                        state.into_iter().for_each(|state| state.init = init.clone());
                    });
                });
            }));
        }
    }
    all
}

/// Reads the states before they are updated, or after.
pub(super) fn change_read(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let mut seen = Vec::new();
        for Recurrence { id, scan, .. } in recurrences(unit) {
            let plain = |stmt: &Stmt| matches!(stmt.kind, StmtKind::Update { .. } | StmtKind::Yield(_));
            let yields = scan.body.stmts.iter().position(|stmt| matches!(stmt.kind, StmtKind::Yield(_)));
            let (Some(at), false, true) = (yields, seen.contains(&id), scan.body.stmts.iter().all(plain)) else {
                continue;
            };
            seen.push(id);
            let detail = if at == 0 { "read after the update" } else { "read before the update" };
            all.push(Candidate::in_unit("change-read", unit, detail, move |unit| {
                tree::edit(unit, id, &mut |e| {
                    edit_scan(e, &mut |scan| {
                        let read = scan.body.stmts.remove(at);
                        let to = if at == 0 { scan.body.stmts.len() } else { 0 };
                        scan.body.stmts.insert(to, Stmt { span: Span::default(), ..read });
                    });
                });
            }));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    fn text() -> String {
        let unit = "unit F<H = 2, K = 8, V = 4>(x: Seq[D]) -> Seq[D] {\nlet k = linear[D -> H, K](x)\n\
                    let v = linear[D -> H, V](x)\nlet a = sigmoid(linear[D -> H, K](x))\n\
                    let y = scan S: [H, K, V] = 0 { S <- a * S + outer(k, v)\nyield dot[K](k, S) }\n\
                    linear[H, V -> D](y) }";
        design("x + F(x)", unit)
    }

    #[test]
    fn a_normalizer_sums_the_keys() {
        let out = change(toggle_normalizer, &text(), "F: normalizer added");
        assert!(out.contains("scan S: [H, K, V] = 0, Z: [H, K] = 0 {"), "{out}");
        assert!(out.contains("Z <- a * Z + k\n"), "{out}");
        assert!(out.contains("yield dot[K](k, S) / max(abs(dot[K](k, Z)), 1)"), "{out}");
        let back = change(toggle_normalizer, &out, "F: normalizer removed");
        assert!(back.contains("yield dot[K](k, S)\n") && !back.contains('Z'), "{back}");
    }

    #[test]
    fn a_decay_of_an_axis_that_keys_lack_admits_no_normalizer() {
        let text = text().replace("a = sigmoid(linear[D -> H, K](x))", "a = sigmoid(linear[D -> H, V](x))");
        assert!(changes(toggle_normalizer, &text).is_empty());
    }

    #[test]
    fn states_start_learned_and_are_read_early() {
        let out = change(change_start, &text(), "F: S starts learned");
        assert!(out.contains("param start: [H, K, V] = 0 @bias") && out.contains("S: [H, K, V] = start"), "{out}");
        let back = change(change_start, &out, "F: S starts from 0");
        assert!(back.contains("S: [H, K, V] = 0") && !back.contains("start"), "{back}");
        let early = change(change_read, &text(), "F: read before the update");
        assert!(early.find("yield").unwrap_or(0) < early.find("S <-").unwrap_or(0), "{early}");
        let late = change(change_read, &early, "F: read after the update");
        assert!(late.find("yield").unwrap_or(0) > late.find("S <-").unwrap_or(0), "{late}");
    }
}

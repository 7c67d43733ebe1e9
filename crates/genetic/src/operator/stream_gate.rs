//! Gates what a sublayer adds to the residual stream by the stream itself, or takes that gate away.
//!
//! Both the sublayer's term and the gate `sigmoid(linear[D -> D](h))` are of type `Seq[D]`.

use genesys_syntax::ast::{BinaryOp, Expr, ExprKind};

use super::sublayer::{chains, rewrite};
use super::{is_width, projection};
use crate::candidate::Candidate;
use crate::chain::{HOLE, title};
use crate::edit::{binary, call_of, linear, product};
use crate::pool::Pool;
use crate::tree;

pub(super) fn toggle_stream_gate(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for (unit, chain) in chains(pool) {
        for i in 0..chain.sublayers.len() {
            for (j, term) in chain.sublayers[i].terms.iter().enumerate() {
                let mut new = chain.clone();
                let (what, changed) = match ungated(term) {
                    Some(plain) => (format!("{} without its gate", title(plain)), plain.clone()),
                    None => (format!("{} gated by the stream", title(term)), gated(term)),
                };
                new.sublayers[i].terms[j] = changed;
                all.push(rewrite("toggle-stream-gate", &what, unit, new));
            }
        }
    }
    all
}

fn gated(term: &Expr) -> Expr {
    let gate = tree::call("sigmoid", None, vec![linear(&["D"], &["D"], tree::name(HOLE))]);
    binary(BinaryOp::Mul, term.clone(), gate)
}

fn ungated(term: &Expr) -> Option<&Expr> {
    let (plain, gate) = product(term)?;
    let (from, to, x) = projection(tree::unlabeled(tree::arg_expr(call_of(gate, "sigmoid")?.args.first()?)))?;
    let of_stream = is_width(from) && is_width(to) && matches!(&x.kind, ExprKind::Name(name) if name.text == HOLE);
    of_stream.then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, design};

    #[test]
    fn a_sublayer_is_gated_by_the_stream() {
        let text = design("let h = x + SwiGlu(x)\nh + SwiGlu(RmsNorm(h))", "");
        let out = change(toggle_stream_gate, &text, "B: SwiGlu gated by the stream");
        assert!(out.contains("x + SwiGlu(x) * sigmoid(linear[D -> D](x))"), "{out}");
        let back = change(toggle_stream_gate, &out, "B: SwiGlu without its gate");
        assert!(back.contains("let h = x + SwiGlu(x)\n"), "{back}");
    }
}

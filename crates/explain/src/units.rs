//! What is to be said of each unit.

use std::collections::BTreeSet;

use genesys_axis::{Size, SizeError};
use genesys_check::class::classify_scan;
use genesys_check::core::{Graph, LeafId, Op};
use genesys_check::design::Function as Called;
use genesys_check::{CheckedDesign, normal_form};
use genesys_compiler::CheckedText;
use genesys_cost::{Cost, Program, UnitCost, reach, unit_cost};
use genesys_ladder::Scale;
use genesys_range::{Doubt, Fails, Growth, Norm, Ranges, Verdict, doubts, growth};
use genesys_scalar::Function;
use genesys_span::Span;

use crate::figures::{Context, axes};
use crate::{
    Doubtful, Explanation, FORMAT, Figure, Kept, Place, StateOf, Typed, Unit, UnitWeight, Work, decode, model, probe,
    types, unreached,
};

/// Explains a design that was checked from `text`, at a scale if one is given, at which it must run.
///
/// # Errors
/// A figure does not fit in 128 bits.
pub fn explain(text: &CheckedText, design: &CheckedDesign, scale: Option<&Scale>) -> Result<Explanation, SizeError> {
    let context = Context { sources: &text.sources, file: text.file, scale };
    // The normal form is what is lowered, and so what is counted.
    let forms: Vec<Graph> = design.functions().iter().map(|function| normal_form(&function.graph)).collect();
    let costs: Vec<UnitCost> = forms.iter().map(unit_cost).collect::<Result<_, _>>()?;
    let kept = decode::of_units(&context, design)?;
    let counted = forms.iter().zip(&costs).zip(kept);
    let units = design.functions().iter().zip(counted);
    Ok(Explanation {
        format: FORMAT,
        name: design.name().to_owned(),
        hash: design.hash().to_string(),
        requirements: requirements(design),
        units: units
            .map(|(function, ((form, cost), kept))| unit(&context, function, (form, cost), kept))
            .collect::<Result<_, _>>()?,
        unreached: unreached::unreached(&text.sources, &text.syntax),
        probe: probe::probe(design),
        model: scale.map(|scale| model::model(design, &costs, scale)).transpose()?.flatten(),
    })
}

fn requirements(design: &CheckedDesign) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let shown = design.requirements().iter().map(|required| match required.reason.as_str() {
        "" => required.requirement.to_string(),
        reason => format!("{} ({reason})", required.requirement),
    });
    shown.filter(|line| seen.insert(line.clone())).collect()
}

fn unit(
    context: &Context<'_>,
    function: &Called,
    (form, cost): (&Graph, &UnitCost),
    (decode, kept): (Figure, Vec<Kept>),
) -> Result<Unit, SizeError> {
    let graph = &function.graph;
    let program = Program::new(graph);
    let ranges = Ranges::new(&program);
    let reach = reach(graph);
    let mut told = doubts(&ranges);
    told.dedup_by(|a, b| a.span == b.span && a.function == b.function && a.operand == b.operand);
    let forward = cost.forward()?;
    Ok(Unit {
        name: function.name.clone(),
        label: reach.label.name(),
        reach: reach.horizon.to_string(),
        types: typed(context, graph),
        weights: weights(context, &program)?,
        parameters: context.size(&cost.parameters)?,
        contractions: works(context, form, cost)?,
        scans: context.cost(&cost.scans)?,
        class: forward.plus(&cost.elementwise)?.class(),
        forward: context.cost(&forward)?,
        backward: context.cost(&cost.backward()?)?,
        elementwise: context.cost(&cost.elementwise)?,
        values: context.cost(&cost.values)?,
        decode,
        kept,
        states: growth(&ranges).iter().map(|state| state_of(context, graph, state)).collect::<Result<_, _>>()?,
        losses: graph.losses.iter().map(|loss| place(context, program.graph.node(*loss).span)).collect(),
        jumps: jumps(context, &program),
        finite: told.is_empty(),
        doubts: told.iter().map(|doubt| doubtful(context, doubt)).collect(),
    })
}

/// Operations that are not continuous in what a weight or the input reaches.
fn jumps(context: &Context<'_>, program: &Program) -> Vec<Place> {
    let trained = program.gradients();
    let jumps = |op: &Op| match op {
        Op::Map(Function::Rem) | Op::Top { .. } => true,
        Op::Map(function) => function.is_flat() && *function != Function::Stop,
        _ => false,
    };
    let found = program
        .live
        .iter()
        .filter(|&&id| jumps(&program.graph.node(id).op) && program.args(id).any(|arg| trained.contains(&arg)));
    let places = found.map(|id| program.graph.node(*id).span);
    places.map(|span| place(context, span)).collect::<BTreeSet<Place>>().into_iter().collect()
}

fn place(context: &Context<'_>, span: Span) -> Place {
    Place { what: context.words(span), line: context.line(span) }
}

fn typed(context: &Context<'_>, graph: &Graph) -> Vec<Typed> {
    let typed = |named: &genesys_check::core::Named| Typed {
        name: context.words(named.span),
        line: context.line(named.span),
        ty: types::show_type(graph, named.value),
    };
    graph.named.iter().map(typed).collect()
}

fn weights(context: &Context<'_>, program: &Program) -> Result<Vec<UnitWeight>, SizeError> {
    let graph = &program.graph;
    let predicts: BTreeSet<_> = program.results().flat_map(|id| program.behind(id)).collect();
    let read = predicts.into_iter().filter_map(|id| match graph.node(id).op {
        Op::Weight(leaf) => Some(leaf),
        _ => None,
    });
    let read: BTreeSet<LeafId> = read.collect();
    let weight = |(id, leaf): (LeafId, &genesys_check::core::Leaf)| {
        Ok(UnitWeight {
            path: leaf.path.clone(),
            axes: axes(graph, &leaf.axes),
            role: leaf.role.name(),
            parameters: context.size(&elements(graph, &leaf.axes)?)?,
            loss_only: !read.contains(&id),
        })
    };
    (0..).map(LeafId).zip(&graph.leaves).map(weight).collect()
}

fn elements(graph: &Graph, axes: &[genesys_check::core::AxisId]) -> Result<Size, SizeError> {
    axes.iter().filter_map(|axis| graph.axis(*axis).domain.size()).try_fold(Size::int(1), |n, size| n.mul(size))
}

/// Contractions in the order of the text, those of one text and weight together.
fn works(context: &Context<'_>, graph: &Graph, cost: &UnitCost) -> Result<Vec<Work>, SizeError> {
    let mut joined: Vec<(String, Option<usize>, Cost, Cost)> = Vec::new();
    for one in &cost.contractions {
        let what = match one.weight {
            Some(leaf) => graph.leaf(leaf).path.trim_end_matches(".weight").to_owned(),
            None => context.words(one.span),
        };
        let line = context.line(one.span);
        match joined.iter_mut().find(|known| known.0 == what && known.1 == line) {
            Some(known) => {
                known.2 = known.2.plus(&one.forward)?;
                known.3 = known.3.plus(&one.backward)?;
            }
            None => joined.push((what, line, one.forward.clone(), one.backward.clone())),
        }
    }
    joined.sort_by_key(|(_, line, ..)| (line.is_none(), *line));
    let work = |(what, line, forward, backward)| {
        Ok(Work { what, line, forward: context.cost(&forward)?, backward: context.cost(&backward)? })
    };
    joined.into_iter().map(work).collect()
}

fn state_of(context: &Context<'_>, graph: &Graph, growth: &Growth) -> Result<StateOf, SizeError> {
    let state = &graph.scan(growth.scan).states[growth.index as usize];
    Ok(StateOf {
        name: growth.name.clone(),
        axes: axes(graph, &state.axes),
        class: class_of(graph, growth),
        numbers: context.size(&elements(graph, &state.axes)?)?,
        growth: verdict(context, &growth.verdict),
        interval: growth.interval.to_string(),
    })
}

/// The class of a state's recurrence, and whether it takes a step a chunk.
fn class_of(graph: &Graph, growth: &Growth) -> String {
    let scan = classify_scan(graph, growth.scan);
    let own = scan.components.iter().find(|component| component.states.contains(&growth.index));
    let kind = own.map_or_else(String::new, |component| component.kind.to_string());
    match &scan.across {
        Some(chunk) => format!("{kind}, nonlinear across chunks of {chunk}"),
        None => kind,
    }
}

fn verdict(context: &Context<'_>, verdict: &Verdict) -> String {
    match verdict {
        Verdict::NonExpansive(norms) => {
            let norms: Vec<&str> = norms.iter().copied().map(norm).collect();
            format!("non-expansive in the norms {}", norms.join(", "))
        }
        // Rounded up: the bound holds.
        Verdict::Contractive(factor) => format!("contractive by {}", (factor * 1e4).ceil() / 1e4),
        Verdict::Neutral => "neutral: grows like T".into(),
        Verdict::Held => "held for one step".into(),
        Verdict::Unknown { span, reason } => match context.line(*span) {
            Some(line) => format!("unknown: {reason} (line {line})"),
            None => format!("unknown: {reason}"),
        },
    }
}

fn norm(norm: Norm) -> &'static str {
    match norm {
        Norm::One => "1",
        Norm::Two => "2",
        Norm::Infinity => "inf",
    }
}

fn doubtful(context: &Context<'_>, doubt: &Doubt) -> Doubtful {
    Doubtful {
        what: context.words(doubt.span),
        line: context.line(doubt.span),
        function: match doubt.function.name() {
            "div" => "/",
            "pow" => "^",
            name => name,
        },
        fails: match doubt.fails {
            Fails::Value => "value",
            Fails::Derivative => "derivative",
        },
        operand: doubt.operand.to_string(),
        needs: doubt.needs,
    }
}

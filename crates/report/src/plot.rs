//! Loss curves, drawn.
//!
//! In: a view. Out: a figure: one smoothed curve a design, of its first seed, the best and the baseline in front with
//! their raw losses behind them. The drawing is as wide as the page; its words keep their size.

use maud::{Markup, html};

use crate::curve::{Frame, GRID, Point, points, smooth, thin};
use crate::number::short;
use crate::run::{Entry, View};
use crate::summary::link;
use crate::ticks::ticks;

/// Points of a curve in front.
const FRONT_POINTS: usize = 400;

/// Points of a curve that stands behind: there may be a thousand of them.
const BACK_POINTS: usize = 60;

/// Ticks of an axis, at most.
const TICKS: usize = 6;

/// A design's curve.
struct Line<'v, 'a> {
    entry: &'v Entry<'a>,
    raw: Vec<Point>,
    smooth: Vec<Point>,
}

/// The figure.
pub(crate) fn figure(view: &View<'_>) -> Markup {
    let lines: Vec<Line<'_, '_>> = view.entries.iter().filter_map(|entry| line(view, entry)).collect();
    let Some(frame) = frame(view, &lines) else {
        return html! { p { "No training is done yet, so there is no curve." } };
    };
    let front: Vec<(&str, &Line<'_, '_>)> = front(view, &lines);
    html! {
        figure {
            div.plot {
                svg role="img" aria-labelledby="plot-title plot-desc" {
                    title id="plot-title" { "Loss curves" }
                    desc id="plot-desc" {
                        "Training loss in nats a token over tokens seen, for " (lines.len()) " designs, from "
                        (format!("{:.2}", frame.high)) " down to " (format!("{:.2}", frame.low)) "."
                    }
                    (axes(view, frame))
                    svg.curves viewBox=(format!("0 0 {GRID} {GRID}")) preserveAspectRatio="none" {
                        @for line in &lines { (back(line, frame)) }
                        @for (class, line) in &front { path class=(format!("raw {class}")) d=(frame.path(&thin(&line.raw, FRONT_POINTS))) {} }
                        @for (class, line) in front.iter().rev() { (curve(class, line, frame, FRONT_POINTS)) }
                    }
                }
            }
            (legend(&front, lines.len()))
        }
    }
}

fn line<'v, 'a>(view: &View<'a>, entry: &'v Entry<'a>) -> Option<Line<'v, 'a>> {
    let raw = points(entry.trainings.iter().find_map(|training| view.curve(training))?);
    let smooth = smooth(&raw);
    (!raw.is_empty()).then_some(Line { entry, raw, smooth })
}

/// The best design, and the baseline if it is another one.
fn front<'l, 'v, 'a>(view: &View<'a>, lines: &'l [Line<'v, 'a>]) -> Vec<(&'static str, &'l Line<'v, 'a>)> {
    let of = |entry: Option<&Entry<'_>>| lines.iter().find(|line| Some(line.entry.number) == entry.map(|e| e.number));
    let baseline = of(view.baseline()).map(|line| ("baseline", line));
    let best = of(view.best()).filter(|line| !line.entry.proposed.baseline).map(|line| ("best", line));
    best.into_iter().chain(baseline).collect()
}

/// From the lowest of all losses up to where most curves begin, and those in front in any case; with a little air.
fn frame(view: &View<'_>, lines: &[Line<'_, '_>]) -> Option<Frame> {
    let highest = |line: &Line<'_, '_>| line.smooth.iter().map(|(_, loss)| *loss).max_by(f64::total_cmp);
    let low = lines.iter().flat_map(|line| line.smooth.iter().map(|(_, loss)| *loss)).min_by(f64::total_cmp)?;
    let mut tops: Vec<f64> = lines.iter().filter_map(highest).collect();
    tops.sort_by(f64::total_cmp);
    let most = *tops.get((tops.len() - 1) * 4 / 5)?;
    let high = front(view, lines).iter().filter_map(|(_, line)| highest(line)).fold(most, f64::max);
    let air = ((high - low) * 0.04).max(0.01);
    Some(Frame { steps: view.run.state.started.settings.scale.steps as f64, low: low - air, high: high + air })
}

fn back(line: &Line<'_, '_>, frame: Frame) -> Markup {
    curve("back", line, frame, BACK_POINTS)
}

fn curve(class: &str, line: &Line<'_, '_>, frame: Frame, most: usize) -> Markup {
    let last = line.smooth.last().map_or(0.0, |(_, loss)| *loss);
    let shape = frame.path(&thin(&line.smooth, most));
    // The wide one cannot be seen, and is easy to point at.
    html! {
        g {
            title { (line.entry.proposed.name) ": " (format!("{last:.3}")) " nats a token at the end" }
            path.hit d=(shape) {}
            path class=(class) d=(shape) {}
        }
    }
}

/// Lines and numbers of both axes, and what they measure.
fn axes(view: &View<'_>, frame: Frame) -> Markup {
    let scale = &view.run.state.started.settings.scale;
    let tokens = frame.steps * scale.tokens_per_step() as f64;
    html! {
        @for loss in ticks(frame.low, frame.high, TICKS) {
            @let at = percent((frame.high - loss) / (frame.high - frame.low));
            line.grid x1="0" x2="100%" y1=(at) y2=(at) {}
            text.tick x="-8" y=(at) dy="4" text-anchor="end" { (short(loss)) }
        }
        @for seen in ticks(0.0, tokens, TICKS) {
            @let at = percent(seen / tokens);
            line.grid x1=(at) x2=(at) y1="0" y2="100%" {}
            text.tick x=(at) y="100%" dy="18" text-anchor="middle" { (short(seen)) }
        }
        text.unit x="0" y="0" dy="-8" text-anchor="start" { "loss, nats a token" }
        text.unit x="100%" y="100%" dy="38" text-anchor="end" { "tokens seen" }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

fn legend(front: &[(&str, &Line<'_, '_>)], lines: usize) -> Markup {
    let key =
        |class: &str| html! { svg width="28" height="12" aria-hidden="true" { path class=(class) d="M1 6H27" {} } };
    html! {
        figcaption {
            ul.legend {
                @for (class, line) in front {
                    li { (key(class)) span { (link(line.entry)) @if *class == "best" { ", the best" } @else { ", the baseline" } } }
                }
                @if lines > front.len() { li { (key("back")) "the other " (lines - front.len()) } }
            }
            p {
                "Training loss with the first seed of each design. Lines are means over a twentieth of the training around \
                 each step; the faint ones behind are the raw losses. A curve far above most others is cut off; a training \
                 that failed has none."
            }
        }
    }
}

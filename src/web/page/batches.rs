//! The last batches, as pictures and as figures.

use maud::{Markup, html};

use super::super::site::View;
use super::chart::{Chart, area, bars};
use super::parts::{ago, number};
use crate::observe::{Progress, Status, Time, human};

/// Batches in the table.
const LISTED: usize = 12;
/// Batches in a picture.
const DRAWN: usize = 60;
/// The phases of a batch in their order; others that there are come behind them.
const PHASES: [&str; 7] = ["poll", "decode", "encode", "stage", "commit", "publish", "register"];
const TOTAL: &str = "triggerExecution";

fn total(p: &Progress) -> u64 {
    p.duration_ms.get(TOTAL).copied().unwrap_or_default()
}

pub(super) fn pictures(view: &View) -> Markup {
    let batches = &view.status.progress;
    let of = |value: fn(&Progress) -> u64| batches.iter().map(|p| value(p)).collect::<Vec<_>>();
    let chart = |name, values: &[u64], text: fn(u64) -> String| {
        let figure = |n: Option<u64>| n.map_or("–".to_owned(), text);
        let (last, most) = (figure(values.last().copied()), figure(values.iter().rev().take(DRAWN).max().copied()));
        Chart { name, last, most, path: bars(values, DRAWN), class: "bars" }.draw()
    };
    let samples: Vec<_> = view.history.samples.iter().map(|s| (s.at.ms() as f64 / 1000.0, s.lag)).collect();
    let lag = Chart {
        name: "Messages behind",
        last: number(samples.last().and_then(|s| s.1)),
        most: number(samples.iter().filter_map(|s| s.1).max()),
        path: area(&samples),
        class: "area",
    };
    html! {
        section id="pictures" aria-label="Over time" {
            (chart("Rows per batch", &of(|p| p.sink.num_output_rows), human::count))
            (lag.draw())
            (chart("Time to land", &of(total), human::millis))
            (chart("Bytes per batch", &of(|p| p.sink.num_output_bytes), human::bytes))
        }
    }
}

fn phases(batches: &[&Progress]) -> Vec<&'static str> {
    let there = |name: &str| batches.iter().any(|p| p.duration_ms.contains_key(name));
    let mut found: Vec<_> = PHASES.into_iter().filter(|name| there(name)).collect();
    for name in batches.iter().flat_map(|p| p.duration_ms.keys()) {
        if *name != TOTAL && !found.contains(name) {
            found.push(name);
        }
    }
    found
}

pub(super) fn last(s: &Status, now: Time) -> Markup {
    let batches: Vec<_> = s.progress.iter().rev().take(LISTED).map(|p| &**p).collect();
    let phases = phases(&batches);
    let at = |p: &Progress| p.timestamp.parse::<jiff::Timestamp>().ok().map(Time::from);
    html! {
        section id="batches" {
            h2 { "Last batches" }
            @if batches.is_empty() { p.none { "None yet." } } @else {
                div.scroll { table {
                    thead { tr {
                        th { "Batch" } th { "Sealed" } th.n { "Messages" } th.n { "Rows" } th.n.wide { "Dead letters" } th.n.wide { "Size" }
                        th.n { "Total" }
                        @for phase in &phases { th.n.wide { (phase) } }
                    } }
                    tbody { @for p in &batches { tr {
                        td { (p.batch_id) }
                        td { @if let Some(at) = at(p) { (ago(at, now)) } }
                        td.n { (human::count(p.num_input_rows)) }
                        td.n { (human::count(p.sink.num_output_rows)) }
                        td.n.wide { (human::count(p.accounting.dead_letters)) }
                        td.n.wide { (human::bytes(p.sink.num_output_bytes)) }
                        td.n { (human::millis(total(p))) }
                        @for phase in &phases {
                            td.n.wide { (p.duration_ms.get(phase).map_or("–".to_owned(), |ms| human::millis(*ms))) }
                        }
                    } } }
                } }
            }
        }
    }
}

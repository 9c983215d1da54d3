//! The figures at a glance, and small pieces that all sections use.

use maud::{Markup, html};

use super::super::health::behind_seconds;
use super::super::history::lag;
use super::super::site::View;
use crate::observe::{Time, human};

/// How long ago, with the time itself for who points at it.
pub(super) fn ago(at: Time, now: Time) -> Markup {
    html! { time datetime=(at) title=(human::utc(at)) { (human::ago(at, now)) } }
}

/// The same in brackets, of what is not over; nothing if it is not known.
pub(super) fn since(at: Option<Time>, now: Time) -> Markup {
    html! {
        @if let Some(at) = at {
            " " span.since { "(since " time datetime=(at) { (human::utc(at)) } ", " (human::seconds(at.age(now).as_secs())) ")" }
        }
    }
}

/// A number, or a dash where it is not known.
pub(super) fn number(n: Option<u64>) -> String {
    n.map_or("–".to_owned(), human::count)
}

/// An offset.
pub(super) fn offset(n: Option<i64>) -> String {
    number(n.and_then(|n| u64::try_from(n).ok()))
}

/// Seconds by which something is behind, of which tenths are worth a look only if they are few.
pub(super) fn behind(seconds: f64) -> String {
    human::millis((seconds * 1000.0) as u64)
}

/// A share of the whole, `0.98 %`.
pub(super) fn share(part: u64, whole: u64) -> String {
    match part {
        0 => "none".to_owned(),
        _ => format!("{:.2} %", 100.0 * part as f64 / whole.max(1) as f64),
    }
}

fn tile(name: &str, value: &str, more: &Markup) -> Markup {
    html! { div.tile { h2 { (name) } p.value { (value) } p.more { (more) } } }
}

pub(super) fn tiles(view: &View, now: Time) -> Markup {
    let s = &view.status;
    let rows: u64 = s.rows.values().sum();
    let landed = html! {
        (human::of(rows, "row"))
        @if let Some(last) = &s.last { ", " (human::count(last.input_rows_per_second as u64)) " messages/s" }
    };
    let behind_by = behind_seconds(s);
    let oldest = html! {
        @if lag(s).is_none() { "Kafka has not said yet" }
        @else if behind_by > 0.0 { "messages; the oldest waits " (behind(behind_by)) }
        @else { "messages" }
    };
    let (last, more) = match (&s.last, s.last_landed) {
        (Some(last), Some(at)) => {
            let took = last.duration_ms.get("triggerExecution").copied().unwrap_or_default();
            let more = html! { (human::of(last.num_input_rows, "message")) " in " (human::millis(took)) };
            (human::ago(at, now), more)
        }
        _ => (
            "none yet".to_owned(),
            html! { "every " (human::millis((s.process.trigger_interval_seconds * 1000.0) as u64)) },
        ),
    };
    let letters = s.accounting.dead_letters;
    let (held, max) = (s.memory.held_bytes, s.memory.max_bytes);
    let memory = html! {
        @if max > 0 { "of " (human::bytes(max)) " " meter min="0" max=(max) high=(max * 9 / 10) optimum="0" value=(held) aria-label="memory held" {} }
    };
    html! {
        section id="tiles" aria-label="At a glance" {
            (tile("Landed messages", &human::count(s.messages), &landed))
            (tile("Behind", &number(lag(s)), &oldest))
            (tile("Last batch", &last, &more))
            (tile("Dead letters", &human::count(letters), &html! { (share(letters, s.accounting.read)) " of the messages" }))
            (tile("Memory held", &human::bytes(held), &memory))
        }
    }
}

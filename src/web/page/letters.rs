//! What could not become rows or values, and what did not answer.

use maud::{Markup, html};

use super::super::health;
use super::super::site::View;
use super::parts::{ago, share, since};
use crate::observe::{LetterSample, Status, Time, human};

/// Samples of a reason that are shown.
const SAMPLES: usize = 5;
/// Columns, or fields, that are shown.
const NAMES: usize = 10;

pub(super) fn letters(s: &Status, now: Time) -> Markup {
    let letters = &s.dead_letters;
    let mut reasons: Vec<_> = letters.by_reason.iter().collect();
    reasons.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    html! {
        section id="letters" {
            h2 { "Dead letters" }
            @if reasons.is_empty() { p.none { "None." } }
            @for (reason, n) in reasons {
                @let samples = letters.samples.iter().rev().filter(|l| l.reason == *reason).take(SAMPLES).collect::<Vec<_>>();
                details id=(format!("reason-{reason}")) {
                    summary { span.reason { (reason) } span.n { (human::count(*n)) } span.none { (share(*n, s.accounting.read)) } }
                    @if samples.is_empty() { p.none { "No sample is kept." } }
                    @for sample in samples { (letter(sample, now)) }
                }
            }
            (accounting(s))
        }
    }
}

fn letter(l: &LetterSample, now: Time) -> Markup {
    html! {
        div.letter {
            p { (l.topic) "[" (l.partition) "] offset " (human::count(u64::try_from(l.offset).unwrap_or(0))) ", landed " (ago(l.time, now)) }
            p { bdi { (l.detail) } }
            @if l.message.is_empty() { p.none { "The message is empty." } } @else { pre { code { (l.message) } } }
        }
    }
}

fn accounting(s: &Status) -> Markup {
    let a = &s.accounting;
    html! {
        p.account {
            (human::of(a.read, "message")) " landed = " (human::count(a.events)) " in tables + " (human::count(a.dead_letters))
            " dead letters + " (human::count(a.unrouted)) " that no table wants + " (human::count(a.tombstones)) " tombstones + "
            (human::count(a.dropped)) " dropped"
        }
    }
}

pub(super) fn values(s: &Status) -> Markup {
    let list = |head: &str, counts: &std::collections::BTreeMap<String, u64>| {
        let mut counts: Vec<_> = counts.iter().collect();
        counts.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let more = counts.len().saturating_sub(NAMES);
        html! {
            @if !counts.is_empty() {
                div { h3 { (head) }
                    ul.counts { @for (name, n) in counts.iter().take(NAMES) { li { bdi { (name) } span.n { (human::count(**n)) } } } }
                    @if more > 0 { p.none { "and " (human::count(more as u64)) " more" } }
                }
            }
        }
    };
    html! {
        @if !s.field_errors.is_empty() || !s.unknown_fields.is_empty() {
            section id="values" {
                h2 { "Fields" }
                (list("Of another type than their column, so null", &s.field_errors))
                (list("That no column takes", &s.unknown_fields))
            }
        }
    }
}

pub(super) fn outages(view: &View, now: Time) -> Markup {
    let (current, past) = (&view.status.outages, &view.history.outages);
    html! {
        section id="outages" {
            h2 { "Outages" }
            @if current.is_empty() && past.is_empty() { p.none { "None since the start." } }
            @for o in current {
                div.outage.bad {
                    p { strong { (health::service(o.service)) } " does not answer as it should" (since(Some(o.since), now)) }
                    p { "to " (o.what) ": " (human::of(o.failures, "failure")) ", the last one: " (o.error) }
                }
            }
            @for p in past {
                @let o = &p.outage;
                div.outage {
                    p { strong { (health::service(o.service)) } ": over " (ago(p.until, now)) ", it lasted " (human::seconds(o.since.age(p.until).as_secs())) }
                    p { "to " (o.what) ": " (human::of(o.failures, "failure")) ", the last one: " (o.error) }
                }
            }
        }
    }
}

//! Where it comes from and where it goes: Kafka's partitions, and the tables.

use maud::{Markup, html};

use super::super::site::View;
use super::parts::{ago, behind, number, offset, since};
use crate::observe::{PartitionState, PartitionStatus, Registration, Status, TableStatus, Time, human};

/// More partitions than this are no sight: those that are furthest behind are shown.
const PARTITIONS: usize = 64;

fn mark(class: &str, word: &str) -> Markup {
    html! { span.mark.(class) { (word) } }
}

fn state(p: &PartitionStatus) -> Markup {
    match &p.state {
        PartitionState::Assigned => mark("warn", "starting"),
        PartitionState::Reading => mark("good", "reading"),
        PartitionState::Paused { .. } => mark("warn", "paused"),
        PartitionState::Stopped { .. } => mark("bad", "stopped"),
    }
}

pub(super) fn partitions(s: &Status, now: Time) -> Markup {
    let mut shown: Vec<_> = s.partitions.iter().collect();
    let hidden = shown.len().saturating_sub(PARTITIONS);
    if hidden > 0 {
        let rank = |p: &PartitionStatus| {
            (!matches!(p.state, PartitionState::Stopped { .. }), u64::MAX - p.lag_messages.unwrap_or(u64::MAX))
        };
        shown.sort_by_key(|p| rank(p));
        shown.truncate(PARTITIONS);
    }
    html! {
        section id="partitions" {
            h2 { "Kafka partitions" }
            @if shown.is_empty() { p.none { "None is this process's." } } @else {
                div.scroll { table {
                    thead { tr {
                        th { "Partition" } th { "State" } th.n.wide { "Landed" } th.n.wide { "Read" } th.n.wide { "End" } th.n { "Behind" } th.n { "Oldest waits" }
                    } }
                    tbody { @for p in &shown { (partition(p, now)) } }
                } }
                @if hidden > 0 { p.none { (human::count(hidden as u64)) " more, less far behind." } }
            }
        }
    }
}

fn partition(p: &PartitionStatus, now: Time) -> Markup {
    let why = match &p.state {
        PartitionState::Assigned | PartitionState::Reading => None,
        PartitionState::Paused { why, .. } => Some(html! { (why) }),
        PartitionState::Stopped { since: at, reason, command } => Some(html! {
            (reason) (since(Some(*at), now))
            @if let Some(command) = command { br; "To resolve it: " code { (command) } }
        }),
    };
    html! {
        tr {
            td { (p.topic) "[" (p.partition) "]" } td { (state(p)) }
            td.n.wide { (offset(p.landed_offset)) } td.n.wide { (offset(p.read_offset)) } td.n.wide { (offset(p.end_offset)) }
            td.n { (number(p.lag_messages)) } td.n { (p.lag_seconds.map_or("–".to_owned(), behind)) }
        }
        @if let Some(why) = why { tr.why { td colspan="7" { (why) } } }
    }
}

pub(super) fn tables(view: &View, now: Time) -> Markup {
    let s = &view.status;
    html! {
        section id="tables" {
            h2 { "Tables" }
            @if s.tables.is_empty() { p.none { "None yet." } } @else {
                div.scroll { table {
                    thead { tr { th { "Table" } th { "Metastore" } th.n { "Rows" } th.n.wide { "Files" } th.n.wide { "Size" } th.n { "Last landed" } } }
                    tbody { @for t in &s.tables { (table(t, view, now)) } }
                } }
            }
        }
    }
}

fn table(t: &TableStatus, view: &View, now: Time) -> Markup {
    let landed = view.history.landed.get(&t.name);
    let (state, why) = registration(t, now);
    html! {
        tr {
            td title=(t.location) { (name(t)) } td { (state) }
            td.n { (human::count(t.rows)) } td.n.wide { (human::count(t.files)) } td.n.wide { (human::bytes(t.bytes)) }
            td.n { @if let Some(at) = landed { (ago(*at, now)) } @else { "–" } }
        }
        @if let Some(why) = why { tr.why { td colspan="6" { (why) } } }
    }
}

/// The database is left out where there is no room.
fn name(t: &TableStatus) -> Markup {
    match t.full_name.rsplit_once('.') {
        Some((database, table)) => html! { span.wide { (database) "." } (table) },
        None => html! { (t.full_name) },
    }
}

fn registration(t: &TableStatus, now: Time) -> (Markup, Option<Markup>) {
    let partitions = t.unregistered_partitions_since.map(|at| {
        html! { (human::of(t.unregistered_partitions, "partition")) " not registered yet" (since(Some(at), now)) }
    });
    match &t.registration {
        Registration::None => (html! { span.none { "none" } }, None),
        Registration::Registered if partitions.is_some() => (mark("warn", "registering"), partitions),
        Registration::Registered => (mark("good", "registered"), None),
        Registration::Newer { reason } => (mark("warn", "newer"), Some(html! { (reason) })),
        Registration::Unregistered { since: at, reason } => {
            (mark("warn", "not registered"), Some(html! { (reason) (since(Some(*at), now)) }))
        }
        Registration::Differs { since: at, reason } => {
            (mark("bad", "differs"), Some(html! { (reason) (since(Some(*at), now)) }))
        }
    }
}

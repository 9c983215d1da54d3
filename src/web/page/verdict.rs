//! The first thing to see: whether everything lands.

use maud::{Markup, html};

use super::super::health::{Readiness, Reason, readiness};
use crate::observe::{Phase, Status, Time, human};

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Good,
    Warn,
    Bad,
}

impl Level {
    pub(super) fn word(self) -> &'static str {
        match self {
            Level::Good => "OK",
            Level::Warn => "Attention",
            Level::Bad => "Trouble",
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Level::Good => "good",
            Level::Warn => "warn",
            Level::Bad => "bad",
        }
    }

    /// A form for each, beside its colour.
    fn sign(self) -> Markup {
        let path = match self {
            Level::Good => "M5 13l4.5 4.5L19 7.5",
            Level::Warn => "M12 5v9M12 17.6v1.4",
            Level::Bad => "M6.5 6.5l11 11M17.5 6.5l-11 11",
        };
        html! { svg.sign viewBox="0 0 24 24" aria-hidden="true" { path d=(path) {} } }
    }
}

/// What is said of all of it.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) level: Level,
    pub(super) sentence: String,
    pub(super) readiness: Readiness,
}

pub(super) fn verdict(s: &Status, now: Time) -> Verdict {
    let readiness = readiness(s, now);
    let only = |kind: &str| readiness.reasons.iter().all(|r| r.reason == kind);
    let because = |kind: &str| readiness.reasons.iter().any(|r| r.reason == kind);
    let noted = |kind: &str| readiness.notes.iter().any(|r| r.reason == kind);
    let (level, sentence) = if readiness.ready() {
        match () {
            () if noted("behind") => (Level::Warn, "Everything is landing, but late."),
            () if readiness.notes.iter().any(|r| r.reason != "standby") => {
                (Level::Warn, "Everything is landing. There is something to look at.")
            }
            // Others may have taken over; but who had some should have a look.
            () if s.partitions.is_empty() && s.batches > 0 => {
                (Level::Warn, "Standing by: nothing is this process's any more.")
            }
            () if s.partitions.is_empty() => (Level::Good, "Standing by."),
            () if s.batches == 0 => (Level::Good, "Running. Nothing has landed yet."),
            () if s.landing_since.is_none() && super::super::history::lag(s) == Some(0) => {
                (Level::Good, "Everything has landed.")
            }
            () => (Level::Good, "Everything is landing."),
        }
    } else if readiness.is_passing() {
        (Level::Warn, if s.phase == Phase::Stopping { "Stopping." } else { "Starting." })
    } else if only("registration") {
        (Level::Bad, "Everything is landing, but not all of it can be queried.")
    } else if only("stopped") {
        (Level::Bad, "Not everything is landing: a person must decide how to go on.")
    } else if s.phase == Phase::Starting {
        (Level::Bad, "Cannot start yet. It goes on by itself when it can.")
    } else if because("storage") || because("stalled") {
        (Level::Bad, "Nothing is landing.")
    } else if because("kafka") || because("paused") {
        (Level::Bad, "Nothing is being read.")
    } else {
        (Level::Bad, "Not everything is landing.")
    };
    Verdict { level, sentence: sentence.to_owned(), readiness }
}

pub(super) fn banner(v: &Verdict) -> Markup {
    let told = |reasons: &[Reason]| {
        html! { @for r in reasons { li title=[r.since.map(|at| format!("since {}", human::utc(at)))] { (r.message) } } }
    };
    html! {
        section id="verdict" class=(v.level.class()) {
            p.sentence { (v.level.sign()) span { (v.sentence) } }
            @if !v.readiness.reasons.is_empty() || !v.readiness.notes.is_empty() {
                ul { (told(&v.readiness.reasons)) (told(&v.readiness.notes)) }
            }
        }
    }
}

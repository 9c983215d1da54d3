//! The status page: plain HTML from the status, and nothing from anywhere else. Pure.

mod batches;
mod chart;
mod flow;
mod letters;
mod parts;
#[cfg(test)]
mod tests;
mod verdict;

use maud::{DOCTYPE, Markup, html};

use super::site::View;
use crate::observe::{Time, human};

/// The page's style, `/status.css`.
pub(super) const STYLE: &str = include_str!("status.css");
/// What keeps the page fresh, `/status.js`.
pub(super) const SCRIPT: &str = include_str!("status.js");
/// `/icon.svg`
pub(super) const ICON: &str = include_str!("icon.svg");

/// The page as it is at `now`.
pub fn page(view: &View, now: Time) -> String {
    let s = &view.status;
    let verdict = verdict::verdict(s, now);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (verdict.level.word()) " · " (s.process.job) " · landfall" }
                link rel="icon" href="icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="status.css";
                // Without the script the whole page is loaded again.
                noscript { meta http-equiv="refresh" content="10"; }
                script src="status.js" defer {}
            }
            body {
                p id="lost" role="alert" hidden { "The daemon does not answer. What follows is as it was at " time {} "." }
                main {
                    (head(view, now))
                    (verdict::banner(&verdict))
                    (parts::tiles(view, now))
                    (batches::pictures(view))
                    (flow::partitions(s, now))
                    (flow::tables(view, now))
                    (batches::last(s, now))
                    (letters::letters(s, now))
                    (letters::values(s))
                    (letters::outages(view, now))
                    (foot(now))
                }
            }
        }
    };
    page.into_string()
}

fn head(view: &View, now: Time) -> Markup {
    let p = &view.status.process;
    html! {
        header {
            h1 { "landfall" @if !p.job.is_empty() { " " span.job { (p.job) } } }
            p.who {
                @if !p.topics.is_empty() { (p.topics.join(", ")) " → " (p.storage) " · " }
                "version " (p.version)
                @if let Some(started) = p.started { " · up " (human::seconds(started.age(now).as_secs())) }
                @if !p.instance.is_empty() { span.wide { " · " (short(&p.instance)) } }
            }
        }
    }
}

/// Host and process, without the incarnation.
fn short(instance: &str) -> String {
    let mut parts = instance.split('/');
    match (parts.next(), parts.next()) {
        (Some(host), Some(process)) => format!("{host}, process {process}"),
        _ => instance.to_owned(),
    }
}

fn foot(now: Time) -> Markup {
    html! {
        footer {
            p {
                "As of " time id="now" datetime=(now) { (human::utc(now)) } ", fresh every 5 s. For machines: "
                a href="metrics" { "metrics" } ", " a href="progress" { "progress" } ", "
                a href="status.json" { "status.json" } ", " a href="readyz" { "readyz" } ", " a href="livez" { "livez" }
                ". Counts are of this process, since its start."
            }
        }
    }
}

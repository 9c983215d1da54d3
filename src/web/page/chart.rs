//! Small pictures, drawn here: no script, no library.

use std::fmt::Write;

use maud::{Markup, html};

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 48.0;

/// One picture with its name and its largest and last value in words. `points` are between 0 and 1 in both directions,
/// from the left to the right; a height of `None` is a gap.
pub(super) struct Chart<'a> {
    pub(super) name: &'a str,
    pub(super) last: String,
    pub(super) most: String,
    pub(super) path: String,
    pub(super) class: &'static str,
}

impl Chart<'_> {
    pub(super) fn draw(&self) -> Markup {
        let says = format!("{}: last {}, most {}", self.name, self.last, self.most);
        html! {
            figure {
                figcaption { span { (self.name) } strong { (self.last) } }
                svg class=(self.class) viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(says) {
                    path d=(self.path) {}
                }
                p.most { "most " (self.most) }
            }
        }
    }
}

/// Bars, the newest at the right end; `slots` of them fill the picture.
pub(super) fn bars(values: &[u64], slots: usize) -> String {
    let most = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = WIDTH / slots as f64;
    let first = slots.saturating_sub(values.len());
    let mut path = String::new();
    for (at, value) in values.iter().rev().take(slots).rev().enumerate() {
        // What is not nothing is seen.
        let height = if *value == 0 { 0.0 } else { (*value as f64 / most * HEIGHT).max(1.0) };
        let left = (first + at) as f64 * step;
        // A write to a string cannot fail.
        _ = write!(path, "M{left:.1} {HEIGHT}v-{height:.1}h{:.1}v{height:.1}z", step * 0.75);
    }
    path
}

/// An area below a line over time: `points` are seconds and values, the oldest first; the newest is at the right end.
pub(super) fn area(points: &[(f64, Option<u64>)]) -> String {
    let most = points.iter().filter_map(|p| p.1).max().unwrap_or(0).max(1) as f64;
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let span = (last.0 - first.0).max(1.0);
    let x = |at: f64| (at - first.0) / span * WIDTH;
    let mut path = String::new();
    for run in points.split(|p| p.1.is_none()).filter(|run| !run.is_empty()) {
        _ = write!(path, "M{:.1} {HEIGHT}", x(run[0].0));
        for (at, value) in run {
            _ = write!(path, "L{:.1} {:.1}", x(*at), HEIGHT - value.unwrap_or(0) as f64 / most * HEIGHT);
        }
        _ = write!(path, "L{:.1} {HEIGHT}z", x(run[run.len() - 1].0));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_values_and_stand_at_the_right() {
        assert_eq!(bars(&[1, 2, 0], 4), "M60.0 48v-24.0h45.0v24.0zM120.0 48v-48.0h45.0v48.0zM180.0 48v-0.0h45.0v0.0z");
        assert_eq!(bars(&[9, 9, 1, 2], 2), bars(&[1, 2], 2).replace("24.0", "5.3").replace("48.0", "10.7"));
        assert_eq!(bars(&[], 4), "");
    }

    #[test]
    fn an_area_has_gaps_where_nothing_is_known() {
        let path = area(&[(0.0, Some(4)), (10.0, None), (20.0, Some(2))]);
        assert_eq!(path, "M0.0 48L0.0 0.0L0.0 48zM240.0 48L240.0 24.0L240.0 48z");
        assert_eq!(area(&[]), "");
    }
}

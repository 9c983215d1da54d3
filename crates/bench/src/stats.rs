//! Numbers and tables.

use std::fs;

/// The middle of some figures; NaN of none.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => figures[n / 2],
        n => (figures[n / 2 - 1] + figures[n / 2]) / 2.0,
    }
}

/// `median [least–most]`, without the brackets if there is one figure only.
pub fn spread(figures: &[f64], digits: usize) -> String {
    let middle = median(figures.iter().copied());
    if figures.len() < 2 {
        return format!("{middle:.digits$}");
    }
    let least = figures.iter().copied().fold(f64::MAX, f64::min);
    let most = figures.iter().copied().fold(f64::MIN, f64::max);
    format!("{middle:.digits$} [{least:.digits$}–{most:.digits$}]")
}

/// A table in Markdown, all columns but the first set to the right.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let rule = (0..head.len()).map(|at| if at == 0 { "---" } else { "---:" }).collect();
    let body = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    line(head.to_vec()) + &line(rule) + &body.collect::<String>()
}

/// How much a figure rises by the hour: the line with the least squares through points of (seconds, figure).
pub fn slope_per_hour(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
    let (with, square) = (mean(&|p| (p.0 - x) * (p.1 - y)), mean(&|p| (p.0 - x).powi(2)));
    if square > 0.0 { with / square * 3600.0 } else { 0.0 }
}

/// Figures with weights, of which one wants percentiles.
#[derive(Debug, Default)]
pub struct Weighted(Vec<(f64, u64)>);

impl Weighted {
    /// Adds a figure so many times.
    pub fn add(&mut self, figure: f64, times: u64) {
        self.0.push((figure, times));
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, n)| n).sum()
    }

    /// The least figure that a share (0 to 1) of all do not exceed; NaN of none.
    pub fn percentile(&mut self, share: f64) -> f64 {
        self.0.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted = (share * self.count() as f64).ceil().max(1.0) as u64;
        let mut sum = 0;
        let reaches = |(_, n): &&(f64, u64)| {
            sum += n;
            sum >= wanted
        };
        self.0.iter().find(reaches).map_or(f64::NAN, |(figure, _)| *figure)
    }
}

/// The machine, and how busy it is.
pub fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    format!(
        "{cores} cores of {}; load average at the start {load}",
        model.map_or("a processor without a name", |m| m.1.trim())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_spreads_and_percentiles() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0]), 2.5);
        assert_eq!(spread(&[1.0, 2.0, 4.0], 1), "2.0 [1.0–4.0]");
        assert_eq!(spread(&[1.25], 1), "1.2");
        let mut lags = Weighted::default();
        lags.add(5.0, 1);
        lags.add(1.0, 98);
        lags.add(3.0, 1);
        assert_eq!([0.5, 0.98, 0.99, 1.0].map(|p| lags.percentile(p)), [1.0, 1.0, 3.0, 5.0]);
        assert_eq!(lags.count(), 100);
    }

    #[test]
    fn a_slope_is_by_the_hour() {
        assert!((slope_per_hour(&[(0.0, 10.0), (60.0, 11.0), (120.0, 12.0)]) - 60.0).abs() < 1e-9);
        assert_eq!(slope_per_hour(&[(0.0, 10.0)]), 0.0);
    }

    #[test]
    fn a_table_is_markdown() {
        assert_eq!(
            table(&["a", "b"], &[vec!["1".to_owned(), "2".to_owned()]]),
            "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"
        );
    }
}

//! What Prometheus reads, read back: OpenMetrics text to names, labels and values. Strict: what it does not know, it refuses.

use std::collections::{BTreeMap, BTreeSet};

use landfall::observe::metrics::table::{ALL, Kind, Metric};

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// What a scrape brings.
#[derive(Debug, Default)]
pub struct Exposition {
    /// Kind and help by the family's name.
    pub families: BTreeMap<String, (String, String)>,
    pub samples: Vec<Sample>,
}

impl Exposition {
    pub fn parse(text: &str) -> Exposition {
        let mut found = Exposition::default();
        let mut helps = BTreeMap::new();
        let lines: Vec<_> = text.lines().collect();
        let (last, lines) = lines.split_last().expect("at least the mark of the end");
        assert_eq!(*last, "# EOF");
        assert!(text.ends_with('\n'));
        for line in lines {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                helps.insert(name.to_owned(), help.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                let family = (kind.to_owned(), helps[name].clone());
                assert!(found.families.insert(name.to_owned(), family).is_none(), "{name} comes twice");
            } else if let Some(rest) = line.strip_prefix("# UNIT ") {
                let (name, unit) = rest.split_once(' ').unwrap();
                assert!(name.ends_with(unit), "{line}");
            } else {
                found.samples.push(sample(line));
            }
        }
        found
    }

    /// The value of the one sample of this name with these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |s: &&Sample| {
            s.name == name && labels.iter().all(|(k, v)| s.labels.get(*k).is_some_and(|found| found == v))
        };
        let found: Vec<_> = self.samples.iter().filter(fits).collect();
        assert!(found.len() <= 1, "{name} {labels:?}: {found:?}");
        found.first().map(|s| s.value)
    }

    /// The sum over all samples of this name.
    pub fn sum(&self, name: &str) -> f64 {
        self.samples.iter().filter(|s| s.name == name).map(|s| s.value).sum()
    }

    /// What of the table is not there, and what is there and not in the table; nothing if both say the same.
    pub fn differences(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut known = BTreeSet::new();
        for metric in ALL {
            let names = sample_names(metric);
            known.extend(names.iter().cloned());
            for name in &names {
                let samples: Vec<_> = self.samples.iter().filter(|s| s.name == *name).collect();
                if samples.is_empty() {
                    wrong.push(format!("{name} is promised and not exposed"));
                }
                let wanted: BTreeSet<&str> = metric.labels.iter().copied().collect();
                for s in samples {
                    let labels: BTreeSet<&str> = s.labels.keys().map(String::as_str).filter(|l| *l != "le").collect();
                    if labels != wanted {
                        wrong.push(format!("{name} has labels {labels:?}, promised are {wanted:?}"));
                    }
                }
            }
            let family = metric.name.strip_suffix("_total").unwrap_or(metric.name);
            match self.families.get(family) {
                Some((kind, help)) if kind == metric.kind.name() && help.trim_end_matches('.') == metric.help => {}
                other => wrong.push(format!("{family} is declared as {other:?}")),
            }
        }
        let unknown: BTreeSet<_> = self.samples.iter().map(|s| s.name.clone()).filter(|n| !known.contains(n)).collect();
        wrong.extend(unknown.into_iter().map(|name| format!("{name} is exposed and not promised")));
        wrong
    }
}

/// The names under which the samples of a metric come.
pub fn sample_names(metric: &Metric) -> Vec<String> {
    match metric.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"].map(|suffix| format!("{}{suffix}", metric.name)).to_vec(),
        Kind::Counter | Kind::Gauge => vec![metric.name.to_owned()],
    }
}

fn bad(line: &str) -> ! {
    panic!("no sample: {line}")
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| bad(line));
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| bad(line));
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next() {
                    Some((at, '"')) => break at,
                    Some((_, '\\')) => match chars.next() {
                        Some((_, 'n')) => value.push('\n'),
                        Some((_, c @ ('\\' | '"'))) => value.push(c),
                        _ => bad(line),
                    },
                    Some((_, c)) => value.push(c),
                    None => bad(line),
                }
            };
            labels.insert(label.to_owned(), value);
            rest = &after[end + 1..];
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        rest = &rest[1..];
    }
    let value = match rest.strip_prefix(' ').unwrap_or_else(|| bad(line)) {
        "+Inf" => f64::INFINITY,
        number => number.parse().unwrap_or_else(|_| bad(line)),
    };
    Sample { name: name.to_owned(), labels, value }
}

//! The documentation holds every metric, and so does the exposition.

use std::path::PathBuf;

use super::Metrics;
use super::table::{ALL, Kind};
use crate::observe::status::Status;

const BEGIN: &str = "<!-- made from the table of metrics: LANDFALL_WRITE_DOCS=1 cargo test --lib metrics -->\n";
const END: &str = "<!-- end -->\n";

fn table() -> String {
    let mut table = "| name | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for m in ALL {
        let labels: Vec<_> = m.labels.iter().map(|l| format!("`{l}`")).collect();
        table.push_str(&format!("| `{}` | {} | {} | {} |\n", m.name, m.kind.name(), labels.join(", "), m.help));
    }
    table
}

#[test]
fn the_documentation_holds_every_metric() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the mark where the table begins");
    let (found, after) = rest.split_once(END).expect("the mark where the table ends");
    if std::env::var_os("LANDFALL_WRITE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert_eq!(found, table(), "docs/metrics.md is not what the table of metrics says");
    }
}

/// With its samples: tests/daemon/metrics.rs, of a running daemon.
#[test]
fn everything_is_declared_from_the_first_moment_on() {
    let text = Metrics::new().render(&Status::default());
    for m in ALL {
        let family = m.name.strip_suffix("_total").unwrap_or(m.name);
        let declared = format!("# TYPE {family} {}\n", m.kind.name());
        // A family without a sample is left out: its labels are not known before something happens.
        let begins =
            m.labels.is_empty() || m.kind != Kind::Counter && ["phase", "state", "service"].contains(&m.labels[0]);
        assert!(!begins || text.contains(&declared), "{declared}{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn a_gauge_of_what_is_gone_is_gone() {
    use crate::model::TopicPartition;
    use crate::observe::partitions::PartitionStatus;

    let metrics = Metrics::new();
    let of = |n: i32| PartitionStatus { lag_messages: Some(7), ..PartitionStatus::new(&TopicPartition::new("e", n)) };
    let mut status = Status { partitions: vec![of(0), of(1)], ..Status::default() };
    assert_eq!(metrics.render(&status).matches("\nlandfall_lag_messages{").count(), 2);
    status.partitions.pop();
    let text = metrics.render(&status);
    assert!(text.contains("landfall_lag_messages{topic=\"e\",partition=\"0\"} 7"), "{text}");
    assert_eq!(text.matches("\nlandfall_lag_messages{").count(), 1);
}

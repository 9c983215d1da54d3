//! What a start would meet and do: a look at Kafka, storage and metastore that changes nothing.

mod kafka;
mod metastore;
mod report;
mod storage;

use std::path::Path;

use super::{App, read_migrations};
use crate::schema::migrations;
use report::Part;
pub use report::{CheckReport, Line, Mark};

/// Everything that is wrong with a folder of migrations; none: it can be used.
pub fn migration_errors(folder: &Path) -> Vec<String> {
    match read_migrations(folder) {
        Ok(files) => match migrations::load(&files) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        },
        Err(e) => vec![e.to_string()],
    }
}

impl App {
    /// Looks at everything that a start needs, each service for itself; only at what is declared if `offline`.
    pub async fn check(&self, offline: bool) -> CheckReport {
        let mut lines = self.declared();
        if !offline {
            let (kafka, storage, metastore) =
                tokio::join!(self.look_at_kafka(), self.look_at_storage(), self.look_at_metastore());
            let (storage, log) = storage;
            lines.extend(self.kafka_lines(kafka, &log));
            lines.extend(storage);
            lines.extend(metastore);
        }
        CheckReport { job: self.settings.job.clone(), offline, lines }
    }

    fn declared(&self) -> Vec<Line> {
        let line = |planned: &crate::batch::PlannedTable| {
            let table = &planned.table;
            let settings = self.settings.tables.get(&table.name);
            let takes = match settings.map(|s| s.when.is_some()) {
                Some(true) => "the messages of its `when`",
                Some(false) => "every message",
                None => "dead letters",
            };
            let files: Vec<_> = table.applied.iter().map(|a| a.file.as_str()).collect();
            let keys: Vec<_> = table.partition_columns.iter().map(|c| c.physical_name.as_str()).collect();
            let parted = if keys.is_empty() { String::new() } else { format!(", partitioned by {}", keys.join(", ")) };
            let says = format!("{} columns{parted}, of {}; takes {takes}", table.columns.len(), files.join(", "));
            Line::new(Part::Declared, Mark::Ok, format!("table {}", table.name), says)
        };
        self.plan.tables.iter().map(line).collect()
    }
}

//! The report as a person reads it on a terminal.

use std::fmt;

use super::report::{PartitionLine, Registration, StatusReport, TableLine};
use crate::observe::human;

impl fmt::Display for StatusReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "job {}, checkpoint {}", self.job, self.checkpoint)?;
        match (&self.last_batch, self.log_read, self.begun) {
            (Some(b), ..) => {
                let at = b
                    .timestamp
                    .map_or_else(String::new, |t| format!(", {}, {}", human::utc(t), human::ago(t, self.at)));
                writeln!(f, "last batch {}{at}, by {}", b.batch_id, b.instance)?;
                writeln!(
                    f,
                    "  {} became {} in {}, {}",
                    human::of(b.num_input_rows, "message"),
                    human::of(b.tables.values().sum(), "row"),
                    human::of(b.files, "file"),
                    human::bytes(b.num_output_bytes)
                )?;
            }
            (None, true, true) => writeln!(f, "no batch has landed lately")?,
            (None, ..) => {}
        }
        let partitions: Vec<_> = self.partitions.iter().map(partition).chain(self.total()).collect();
        table(f, &["partition", "committed", "end", "lag"], &partitions, 1)?;
        let tables: Vec<_> = self.tables.iter().map(|t| self.table_row(t)).collect();
        table(f, &["table", "rows", "files", "size", "last landed", "metastore"], &tables, 1)?;
        if !self.notes.is_empty() {
            writeln!(f, "\nto be looked at")?;
            self.notes.iter().try_for_each(|note| writeln!(f, "  - {note}"))?;
        }
        if !self.troubles.is_empty() {
            writeln!(f, "\nnot answered")?;
        }
        for trouble in &self.troubles {
            writeln!(f, "  - {}: {}", trouble.service.name(), trouble.says)?;
        }
        Ok(())
    }
}

/// Where nothing is known.
const NONE: &str = "-";

fn partition(p: &PartitionLine) -> Vec<String> {
    let offset = |o: Option<i64>| o.and_then(|o| u64::try_from(o).ok()).map_or(NONE.to_owned(), human::count);
    let lag = p.lag.map_or(NONE.to_owned(), human::count);
    vec![format!("{}[{}]", p.topic, p.partition), offset(p.committed), offset(p.end), lag]
}

impl StatusReport {
    fn total(&self) -> Option<Vec<String>> {
        let lag = self.lag.filter(|_| self.partitions.len() > 1)?;
        Some(vec!["all".to_owned(), String::new(), String::new(), human::count(lag)])
    }

    fn table_row(&self, t: &TableLine) -> Vec<String> {
        let figure = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
        let last = match (t.last_landed, t.total) {
            (Some(at), _) => human::ago(at, self.at),
            (None, Some(total)) if total.rows > 0 => "earlier".to_owned(),
            (None, Some(_)) => "never".to_owned(),
            (None, None) => NONE.to_owned(),
        };
        let registration = match &t.registration {
            Registration::Registered => "registered",
            Registration::Missing => "NOT REGISTERED",
            Registration::ColumnsMissing(_) => "COLUMNS MISSING",
            Registration::PartitionsMissing(_) => "PARTITIONS MISSING",
            Registration::Newer(_) => "NEWER",
            Registration::Differs(_) => "DIFFERS",
            Registration::NotOurs => "none configured",
            Registration::Unknown => NONE,
        };
        vec![
            t.table.clone(),
            figure(t.total.map(|t| human::count(t.rows))),
            figure(t.total.map(|t| human::count(t.files))),
            figure(t.total.map(|t| human::bytes(t.bytes))),
            last,
            registration.to_owned(),
        ]
    }
}

/// Columns as wide as their widest cell; the first `left` and all that hold words are set to the left.
fn table(f: &mut fmt::Formatter<'_>, head: &[&str], rows: &[Vec<String>], left: usize) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let width = |i: usize| {
        let cells = rows.iter().map(|r| r[i].chars().count());
        cells.chain([head[i].len()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let is_number = |text: &str| text == NONE || text.starts_with(|c: char| c.is_ascii_digit());
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().enumerate().map(|(i, cell)| {
            let (width, column) = (widths[i], i >= left && rows.iter().all(|r| r[i].is_empty() || is_number(&r[i])));
            if column { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    writeln!(f, "\n  {}", line(head.to_vec()))?;
    rows.iter().try_for_each(|row| writeln!(f, "  {}", line(row.iter().map(String::as_str).collect())))
}

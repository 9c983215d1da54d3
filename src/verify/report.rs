//! What an audit says in the end, for people and for scripts.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Target;
use super::facts::Decided;
use super::finding::{Finding, Kind};
use super::gather::Pass;
use crate::fault::Fault;

/// The result of an audit.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The job.
    pub job: String,
    /// URI of its checkpoint.
    pub checkpoint: String,
    /// Whether every data file was read.
    pub deep: bool,
    /// Epochs whose slots were read.
    pub epochs: u64,
    /// Epochs that were closed and deleted.
    pub dropped_epochs: u64,
    /// The first slot that was read.
    pub first_slot: u64,
    /// The first slot that was free.
    pub next_slot: u64,
    /// Slots that were read.
    pub slots: u64,
    /// Of these, slots without an entry; they are harmless.
    pub void_slots: u64,
    /// Gaps and topics that somebody accepted.
    pub decided: Vec<Decided>,
    /// Dead letters that were replayed: rows of their tables, beside those of the dead-letter table.
    pub replayed: u64,
    /// The tables.
    pub tables: Vec<TableReport>,
    /// Data files, by the log.
    pub files: u64,
    /// Rows, by the log.
    pub rows: u64,
    /// Bytes of the data files, by the log.
    pub bytes: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// What the log says of a table since the job began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// URI of its directory.
    pub uri: String,
    /// Data files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Rows that were decoded, in a deep audit.
    pub rows_read: Option<u64>,
}

impl Report {
    pub(super) fn new(target: &Target, pass: Pass, rows: Option<BTreeMap<String, u64>>) -> Report {
        let uri = |path: &str| target.storage.uri(path);
        let totals = pass.chain.totals();
        let places = pass.chain.places.iter().filter(|p| p.current);
        let tables = places.map(|place| {
            let total = totals.get(&place.table).copied().unwrap_or_default();
            TableReport {
                name: place.table.clone(),
                uri: uri(&place.dir),
                files: total.files,
                rows: total.rows,
                bytes: total.bytes,
                rows_read: rows.as_ref().map(|rows| rows.get(&place.table).copied().unwrap_or(0)),
            }
        });
        let tables: Vec<_> = tables.collect();
        let mut findings = pass.findings;
        for f in &mut findings {
            // Tables of the metastore have names and URIs already.
            if f.path.starts_with('/') {
                f.path = uri(&f.path);
            }
        }
        findings.sort_by(|a, b| (a.kind, &a.table, a.slot, &a.path).cmp(&(b.kind, &b.table, b.slot, &b.path)));
        Report {
            job: target.job.clone(),
            checkpoint: uri(target.layout.root()),
            deep: rows.is_some(),
            epochs: pass.epochs,
            dropped_epochs: pass.dropped,
            first_slot: pass.chain.oldest.as_ref().map_or(0, |(slot, _)| slot.0),
            next_slot: pass.chain.next().0,
            slots: pass.chain.read,
            void_slots: pass.chain.void,
            replayed: pass.chain.replayed().messages(),
            decided: pass.chain.decided,
            files: totals.values().map(|t| t.files).sum(),
            rows: totals.values().map(|t| t.rows).sum(),
            bytes: totals.values().map(|t| t.bytes).sum(),
            tables,
            findings,
        }
    }

    /// Whose fault it is that not all is well; `None`: all is.
    pub fn fault(&self) -> Option<Fault> {
        match self.findings.iter().any(|f| f.kind != Kind::NotChecked) {
            true => Some(Fault::BadData),
            false if self.findings.is_empty() => None,
            false => Some(Fault::Retry),
        }
    }

    /// Slots, epochs, tables, files, rows, bytes and findings, in a line.
    pub fn summary(&self) -> String {
        let void = if self.void_slots > 0 { format!(" ({} void)", self.void_slots) } else { String::new() };
        let dropped = match self.dropped_epochs {
            0 => String::new(),
            n => format!(" (and {n} deleted ones by their totals)"),
        };
        format!(
            "{} slots{void}, {} epochs{dropped}, {} tables, {} files, {} rows, {} bytes: {}",
            self.slots,
            self.epochs,
            self.tables.len(),
            self.files,
            self.rows,
            self.bytes,
            match self.findings.len() {
                0 => "no findings".to_owned(),
                1 => "1 finding".to_owned(),
                n => format!("{n} findings"),
            }
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "job {}, checkpoint {}", self.job, self.checkpoint)?;
        for t in &self.tables {
            let read = t.rows_read.map_or(String::new(), |rows| format!(", {rows} rows decoded"));
            writeln!(f, "  {}: {} rows in {} files, {} bytes{read}  {}", t.name, t.rows, t.files, t.bytes, t.uri)?;
        }
        if self.replayed > 0 {
            writeln!(f, "  dead letters replayed: {}", self.replayed)?;
        }
        for d in &self.decided {
            writeln!(f, "  slot {}: {} ({}: {})", d.slot, d.what, d.operator, d.reason)?;
        }
        for finding in &self.findings {
            writeln!(f, "\n{finding}")?;
        }
        if !self.findings.is_empty() {
            writeln!(f)?;
        }
        let depth = if self.deep { "every file read" } else { "lengths of files only; --deep reads them" };
        writeln!(f, "{} ({depth})", self.summary())
    }
}

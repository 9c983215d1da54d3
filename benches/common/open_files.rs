//! The open files of a batch: rows are encoded piece by piece, as the pipeline does.

use std::collections::BTreeMap;

use landfall::batch::{Plan, SealedBatch};
use landfall::encode::FileWriter;
use landfall::pipeline::file_options;

use super::Files;

/// One file a table.
#[derive(Default)]
pub struct OpenFiles(BTreeMap<usize, FileWriter>);

impl OpenFiles {
    /// Appends the rows of a piece.
    pub fn write(&mut self, piece: &SealedBatch, plan: &Plan) {
        for rows in &piece.tables {
            let planned = &plan.tables[rows.table];
            let writer = self
                .0
                .entry(rows.table)
                .or_insert_with(|| FileWriter::new(&planned.schema, file_options(planned)).expect("a writer"));
            writer.write(rows.columns(), rows.rows).expect("rows");
        }
    }

    /// Ends all files.
    pub fn finish(&mut self, plan: &Plan, files: &mut Files) {
        for (table, writer) in std::mem::take(&mut self.0) {
            let name = plan.tables[table].table.name.clone();
            let file = writer.finish(Vec::new()).and_then(|f| f.file(0));
            files.push((name, file.expect("a file").bytes));
        }
    }
}

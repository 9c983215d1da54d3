//! The open files of a batch: rows are encoded piece by piece, as the pipeline does.

use std::collections::BTreeMap;

use landfall::batch::{Plan, SealedBatch};
use landfall::encode::{Dictionaries, FileWriter};
use landfall::pipeline::file_options;

use super::Files;

/// One file a table.
#[derive(Default)]
pub struct OpenFiles {
    open: BTreeMap<usize, FileWriter>,
    /// By table.
    dictionaries: BTreeMap<usize, Dictionaries>,
}

impl OpenFiles {
    /// Appends the rows of a piece.
    pub fn write(&mut self, piece: &SealedBatch, plan: &Plan) {
        for rows in &piece.tables {
            let planned = &plan.tables[rows.table];
            let known = self.dictionaries.entry(rows.table).or_default();
            let begin = || FileWriter::new(&planned.schema, known.choose(file_options(planned))).expect("a writer");
            let writer = self.open.entry(rows.table).or_insert_with(begin);
            writer.write(rows.columns(), rows.rows).expect("rows");
        }
    }

    /// Ends all files.
    pub fn finish(&mut self, plan: &Plan, files: &mut Files) {
        for (table, writer) in std::mem::take(&mut self.open) {
            let name = plan.tables[table].table.name.clone();
            let file = writer.finish(Vec::new()).expect("a file");
            self.dictionaries.entry(table).or_default().learn(&file);
            files.push((name, file.file(0).expect("a file").bytes));
        }
    }
}

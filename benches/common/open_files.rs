//! The open files of a batch: rows are encoded piece by piece.

use std::collections::BTreeMap;

use landfall::batch::{Plan, PlannedTable, SealedBatch};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::Files;

/// One file a table.
#[derive(Default)]
pub struct OpenFiles(BTreeMap<usize, ArrowWriter<Vec<u8>>>);

impl OpenFiles {
    /// Appends the rows of a piece.
    pub fn write(&mut self, piece: &SealedBatch, plan: &Plan) {
        for rows in &piece.tables {
            let planned = &plan.tables[rows.table];
            let writer = self.0.entry(rows.table).or_insert_with(|| {
                ArrowWriter::try_new(Vec::new(), planned.schema.clone(), Some(properties(planned))).expect("a writer")
            });
            writer.write(&rows.record_batch(0)).expect("rows");
        }
    }

    /// Ends all files.
    pub fn finish(&mut self, plan: &Plan, files: &mut Files) {
        for (table, writer) in std::mem::take(&mut self.0) {
            let name = plan.tables[table].table.name.clone();
            files.push((name, writer.into_inner().expect("a file").into()));
        }
    }
}

/// As `encode/options.rs` has them.
fn properties(planned: &PlannedTable) -> WriterProperties {
    let path = |column: &String| ColumnPath::new(vec![column.clone()]);
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_data_page_size_limit(1 << 20)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for column in planned.raw_columns.iter().chain(&planned.timestamp_text_columns) {
        properties = properties.set_column_dictionary_enabled(path(column), false);
    }
    for column in &planned.raw_columns {
        properties = properties.set_column_statistics_enabled(path(column), EnabledStatistics::None);
    }
    properties.build()
}

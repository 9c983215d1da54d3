//! A landed file read whole: every value is decoded, and the columns that say where a row comes from are returned.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::read_back::ReadBackError;

/// Names of the columns that hold a row's place in Kafka, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceColumns {
    /// Topic, if the table has it.
    pub topic: Option<String>,
    /// Partition.
    pub partition: String,
    /// Offset.
    pub offset: String,
}

/// A row's place in Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowPlace {
    /// Topic, with the incarnation if it was declared new (`events#1`); empty if the table does not have it.
    pub topic: String,
    /// Partition.
    pub partition: i64,
    /// Offset.
    pub offset: i64,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Rows that were decoded.
    pub rows: u64,
    /// The place of each row, where the file has the columns and the row has values in them.
    pub places: Vec<RowPlace>,
}

/// Decodes all of a file.
pub fn whole(bytes: Bytes, columns: Option<&PlaceColumns>) -> Result<Inspected, ReadBackError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()?;
    let mut found = Inspected { rows: 0, places: Vec::new() };
    for batch in reader {
        // An error of Arrow here is one of the file's bytes.
        let batch = batch.map_err(|e| ReadBackError::Parquet(e.into()))?;
        found.rows += batch.num_rows() as u64;
        if let Some(columns) = columns {
            add_places(&batch, columns, &mut found.places);
        }
    }
    Ok(found)
}

fn add_places(batch: &RecordBatch, columns: &PlaceColumns, places: &mut Vec<RowPlace>) {
    let column = |name: &str| batch.column_by_name(name);
    let (Some(partition), Some(offset)) = (column(&columns.partition), column(&columns.offset)) else { return };
    let topic = columns.topic.as_deref().and_then(column).and_then(|c| c.as_string_opt::<i32>());
    for row in 0..batch.num_rows() {
        if let (Some(partition), Some(offset)) = (number(partition, row), number(offset, row)) {
            let topic = topic.filter(|t| t.is_valid(row)).map_or(String::new(), |t| t.value(row).to_owned());
            places.push(RowPlace { topic, partition, offset });
        }
    }
}

pub(super) fn number(column: &dyn Array, row: usize) -> Option<i64> {
    if column.is_null(row) {
        return None;
    }
    let int = column.as_primitive_opt::<Int32Type>().map(|c| i64::from(c.value(row)));
    int.or_else(|| column.as_primitive_opt::<Int64Type>().map(|c| c.value(row)))
}

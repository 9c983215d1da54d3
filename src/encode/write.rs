//! The writer: Arrow's column writers, but for INT96, which Arrow does not write: there the plain Parquet writer takes
//! its place in the same row group.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::data_type::Int96Type;
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::types::{is_landed, is_timestamp, root};
use super::{EncodeError, EncodeOptions, int96};

pub(super) fn file(batch: &RecordBatch, options: &EncodeOptions) -> Result<Vec<u8>, EncodeError> {
    if batch.num_columns() == 0 {
        return Err(EncodeError::NoColumns);
    }
    if batch.num_rows() == 0 {
        return Err(EncodeError::NoRows);
    }
    let schema = Arc::new(nullable(&batch.schema())?);
    let mut writer = SerializedFileWriter::new(Vec::new(), root(&schema)?, Arc::new(options.properties()))?;
    let factory = ArrowRowGroupWriterFactory::new(&writer, schema.clone());
    let group_rows = options.max_group_rows.get();
    for (index, start) in (0..batch.num_rows()).step_by(group_rows).enumerate() {
        let rows = batch.slice(start, group_rows.min(batch.num_rows() - start));
        let mut group = writer.next_row_group()?;
        let mut writers = factory.create_column_writers(index)?.into_iter();
        for (field, column) in schema.fields().iter().zip(rows.columns()) {
            if is_timestamp(field.data_type()) {
                drop(writers.next());
                timestamps(column, &mut group)?;
            } else {
                others(field, column, &mut writers, &mut group)?;
            }
        }
        group.close()?;
    }
    Ok(writer.into_inner()?)
}

/// The schema with every column nullable, or why it cannot be landed. What is inside a column stays as it is declared.
fn nullable(schema: &Schema) -> Result<Schema, EncodeError> {
    let mut names = BTreeSet::new();
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        if !names.insert(field.name().to_lowercase()) {
            return Err(EncodeError::DuplicateColumn(field.name().clone()));
        }
        if !is_landed(field.data_type()) {
            let (column, data_type) = (field.name().clone(), field.data_type().to_string());
            return Err(EncodeError::UnsupportedType { column, data_type });
        }
        fields.push(Field::new(field.name(), field.data_type().clone(), true));
    }
    Ok(Schema::new(fields))
}

fn timestamps(column: &ArrayRef, group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) -> Result<(), ParquetError> {
    let column = column.as_primitive::<TimestampMicrosecondType>();
    let levels: Vec<i16> = (0..column.len()).map(|row| i16::from(column.is_valid(row))).collect();
    let values: Vec<_> = column.iter().flatten().map(int96::from_micros).collect();
    let mut writer = group.next_column()?.ok_or_else(missing)?;
    writer.typed::<Int96Type>().write_batch(&values, Some(&levels), None)?;
    writer.close()
}

/// A nested column has several leaves, and a writer for each.
fn others(
    field: &Field,
    column: &ArrayRef,
    writers: &mut impl Iterator<Item = ArrowColumnWriter>,
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
) -> Result<(), ParquetError> {
    for leaf in compute_leaves(field, column)? {
        let mut writer = writers.next().ok_or_else(missing)?;
        writer.write(&leaf)?;
        writer.close()?.append_to_row_group(group)?;
    }
    Ok(())
}

fn missing() -> ParquetError {
    ParquetError::General("the row group has no column left".to_owned())
}

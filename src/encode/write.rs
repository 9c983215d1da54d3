//! The writer: Arrow's column writers, but for INT96, which Arrow does not write: there the plain Parquet writer takes
//! its place in the same row group.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Repetition, Type as Physical};
use parquet::data_type::Int96Type;
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

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
        let writers = factory.create_column_writers(index)?;
        for ((field, column), arrow_writer) in schema.fields().iter().zip(rows.columns()).zip(writers) {
            if is_timestamp(field.data_type()) {
                timestamps(column, &mut group)?;
            } else {
                others(field, column, arrow_writer, &mut group)?;
            }
        }
        group.close()?;
    }
    Ok(writer.into_inner()?)
}

/// The schema with every column nullable, or why it cannot be landed.
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

fn is_landed(t: &DataType) -> bool {
    use DataType::{Binary, Boolean, Float32, Float64, Int8, Int16, Int32, Int64, Utf8};
    matches!(t, Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Utf8 | Binary) || is_timestamp(t)
}

/// Whichever its zone, the value is an instant; without one it would be a wall clock's reading.
fn is_timestamp(t: &DataType) -> bool {
    matches!(t, DataType::Timestamp(TimeUnit::Microsecond, Some(_)))
}

/// The Parquet schema: Arrow's own, but for timestamps.
fn root(schema: &Schema) -> Result<TypePtr, ParquetError> {
    let converted = ArrowSchemaConverter::new().with_coerce_types(true).convert(schema)?;
    let fields = schema.fields().iter().zip(converted.root_schema().get_fields());
    let fields = fields.map(|(field, converted)| match is_timestamp(field.data_type()) {
        false => Ok(converted.clone()),
        true => {
            let builder = Type::primitive_type_builder(field.name(), Physical::INT96);
            Ok(Arc::new(builder.with_repetition(Repetition::OPTIONAL).build()?))
        }
    });
    let fields = fields.collect::<Result<Vec<_>, ParquetError>>()?;
    Ok(Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?))
}

fn timestamps(column: &ArrayRef, group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) -> Result<(), ParquetError> {
    let column = column.as_primitive::<TimestampMicrosecondType>();
    let levels: Vec<i16> = (0..column.len()).map(|row| i16::from(column.is_valid(row))).collect();
    let values: Vec<_> = column.iter().flatten().map(int96::from_micros).collect();
    let missing = || ParquetError::General("the row group has no column left".to_owned());
    let mut writer = group.next_column()?.ok_or_else(missing)?;
    writer.typed::<Int96Type>().write_batch(&values, Some(&levels), None)?;
    writer.close()
}

fn others(
    field: &Field,
    column: &ArrayRef,
    mut writer: ArrowColumnWriter,
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
) -> Result<(), ParquetError> {
    for leaf in compute_leaves(field, column)? {
        writer.write(&leaf)?;
    }
    writer.close()?.append_to_row_group(group)
}

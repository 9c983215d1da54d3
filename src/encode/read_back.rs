//! A landed file as text, to show to a person.

use std::collections::BTreeMap;

use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Type as Physical;
use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::TypePtr;

use super::{int96, text};
use crate::fault::Fault;

/// What was read of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBack {
    /// Name and Hive type of each column.
    pub schema: Vec<(String, String)>,
    /// The first rows, a text for each value; `None` is null.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows of the file, from its footer.
    pub total_rows: u64,
    /// Key-value pairs of the footer.
    pub footer: BTreeMap<String, String>,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadBackError {
    /// It is not a Parquet file, or a broken one.
    #[error("not a sound Parquet file: {0}")]
    Parquet(#[from] ParquetError),
    /// It is not one of landfall's.
    #[error("column {column} is of Arrow type {data_type}: landfall writes no such file")]
    Foreign {
        /// Its name.
        column: String,
        /// Its Arrow type.
        data_type: String,
    },
}

impl ReadBackError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        Fault::BadData
    }
}

/// A column's values, top to bottom.
type Texts = Vec<Option<String>>;

/// Reads the footer and the first `limit` rows. Arrays are `[1,2]`, maps and structs `{"a":1}`, bytes hexadecimal.
pub fn rows(bytes: Bytes, limit: usize) -> Result<ReadBack, ReadBackError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.clone())?;
    let roots = builder.parquet_schema().root_schema().get_fields().to_vec();
    let mut schema = Vec::new();
    for (field, root) in builder.schema().fields().iter().zip(&roots) {
        let (column, data_type) = (field.name().clone(), field.data_type());
        let hive_type = if is_int96(root) { Some("timestamp".to_owned()) } else { text::hive_type(data_type) };
        match hive_type {
            Some(hive_type) => schema.push((column, hive_type)),
            None => return Err(ReadBackError::Foreign { column, data_type: data_type.to_string() }),
        }
    }
    let file = builder.metadata().file_metadata();
    let total_rows = u64::try_from(file.num_rows()).unwrap_or(0);
    let wanted = limit.min(usize::try_from(total_rows).unwrap_or(usize::MAX));
    let pairs = file.key_value_metadata().into_iter().flatten();
    let footer = pairs.map(|p| (p.key.clone(), p.value.clone().unwrap_or_default())).collect();

    let others: Vec<usize> = (0..roots.len()).filter(|root| !is_int96(&roots[*root])).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), others.iter().copied());
    let mut columns: Vec<Texts> = vec![Texts::new(); roots.len()];
    int96_columns(bytes, wanted, &mut columns)?;
    for batch in builder.with_projection(mask).with_limit(wanted).build()? {
        // An error of Arrow here is one of the file's bytes.
        let batch = batch.map_err(|e| ReadBackError::Parquet(e.into()))?;
        for (column, root) in batch.columns().iter().zip(&others) {
            columns[*root].extend((0..batch.num_rows()).map(|row| text::of_row(column, row)));
        }
    }
    if let Some(short) = columns.iter().position(|texts| texts.len() != wanted) {
        let what = format!("column {} ends after {} values", schema[short].0, columns[short].len());
        return Err(ParquetError::EOF(what).into());
    }
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    let row = |_| columns.iter_mut().map(|texts| texts.next().flatten()).collect();
    Ok(ReadBack { schema, rows: (0..wanted).map(row).collect(), total_rows, footer })
}

fn is_int96(root: &TypePtr) -> bool {
    root.is_primitive() && root.get_physical_type() == Physical::INT96
}

/// These by themselves: Arrow makes them nanoseconds since 1970 in 64 bits, which end in 2262.
fn int96_columns(bytes: Bytes, wanted: usize, columns: &mut [Texts]) -> Result<(), ParquetError> {
    let reader = SerializedFileReader::new(bytes)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    for (leaf, descriptor) in schema.columns().iter().enumerate() {
        if descriptor.physical_type() != Physical::INT96 {
            continue;
        }
        let (texts, most) = (&mut columns[schema.get_column_root_idx(leaf)], descriptor.max_def_level());
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group)?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0).min(wanted - texts.len());
            let ColumnReader::Int96ColumnReader(mut chunk) = group.get_column_reader(leaf)? else { continue };
            let (mut levels, mut values, mut read) = (Vec::new(), Vec::new(), 0);
            while read < rows {
                match chunk.read_records(rows - read, Some(&mut levels), None, &mut values)? {
                    (0, _, _) => break,
                    (records, _, _) => read += records,
                }
            }
            // A column that is not nullable has no levels.
            levels.resize(read, most);
            let mut values = values.iter().map(|v| text::timestamp(int96::to_micros(v)));
            texts.extend(levels.iter().map(|level| if *level == most { values.next() } else { None }));
        }
    }
    Ok(())
}

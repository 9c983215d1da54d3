//! A landed file as text, to show to a person.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::SignedDuration;
use jiff::civil::date;
use parquet::basic::{ConvertedType, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, Int96};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::int96;
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
    #[error("column {0} is nested: landfall writes no such file")]
    Nested(String),
}

impl ReadBackError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        Fault::BadData
    }
}

/// Reads the footer and the first `limit` rows. Column by column, since the crate's own records cut INT96 to
/// milliseconds.
pub fn rows(bytes: Bytes, limit: usize) -> Result<ReadBack, ReadBackError> {
    let reader = SerializedFileReader::new(bytes)?;
    let metadata = reader.metadata().file_metadata();
    let descriptors = metadata.schema_descr().columns();
    if let Some(nested) = descriptors.iter().find(|d| d.max_rep_level() > 0 || d.path().parts().len() > 1) {
        return Err(ReadBackError::Nested(nested.path().string()));
    }
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let first = rows.len();
        let wanted = (limit - first).min(usize::try_from(group.metadata().num_rows()).unwrap_or(0));
        if wanted == 0 {
            break;
        }
        rows.resize_with(first + wanted, || Vec::with_capacity(descriptors.len()));
        for (index, descriptor) in descriptors.iter().enumerate() {
            let texts = texts(group.get_column_reader(index)?, descriptor, wanted)?;
            for (row, text) in rows[first..].iter_mut().zip(texts) {
                row.push(text);
            }
        }
    }
    let pairs = metadata.key_value_metadata().into_iter().flatten();
    Ok(ReadBack {
        schema: descriptors.iter().map(|d| (d.name().to_owned(), hive_type(d))).collect(),
        rows,
        total_rows: u64::try_from(metadata.num_rows()).unwrap_or(0),
        footer: pairs.map(|p| (p.key.clone(), p.value.clone().unwrap_or_default())).collect(),
    })
}

fn hive_type(d: &ColumnDescriptor) -> String {
    let name = match (d.physical_type(), d.converted_type()) {
        (Physical::BOOLEAN, _) => "boolean",
        (Physical::INT32, ConvertedType::INT_8) => "tinyint",
        (Physical::INT32, ConvertedType::INT_16) => "smallint",
        (Physical::INT32, ConvertedType::NONE) => "int",
        (Physical::INT64, ConvertedType::NONE) => "bigint",
        (Physical::FLOAT, _) => "float",
        (Physical::DOUBLE, _) => "double",
        (Physical::BYTE_ARRAY, ConvertedType::UTF8) => "string",
        (Physical::BYTE_ARRAY, ConvertedType::NONE) => "binary",
        (Physical::INT96, _) => "timestamp",
        (physical, converted) => return format!("{physical} {converted}"),
    };
    name.to_owned()
}

/// The first `wanted` values of a column chunk.
fn texts(reader: ColumnReader, d: &ColumnDescriptor, wanted: usize) -> Result<Vec<Option<String>>, ParquetError> {
    let is_text = d.converted_type() == ConvertedType::UTF8;
    match reader {
        ColumnReader::BoolColumnReader(r) => column(r, d, wanted, bool::to_string),
        ColumnReader::Int32ColumnReader(r) => column(r, d, wanted, i32::to_string),
        ColumnReader::Int64ColumnReader(r) => column(r, d, wanted, i64::to_string),
        ColumnReader::Int96ColumnReader(r) => column(r, d, wanted, timestamp),
        ColumnReader::FloatColumnReader(r) => column(r, d, wanted, f32::to_string),
        ColumnReader::DoubleColumnReader(r) => column(r, d, wanted, f64::to_string),
        ColumnReader::ByteArrayColumnReader(r) => column(r, d, wanted, |v| match is_text {
            true => String::from_utf8_lossy(v.data()).into_owned(),
            false => hex(v),
        }),
        ColumnReader::FixedLenByteArrayColumnReader(r) => column(r, d, wanted, |v| hex(v)),
    }
}

fn column<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    d: &ColumnDescriptor,
    wanted: usize,
    text: impl Fn(&T::T) -> String,
) -> Result<Vec<Option<String>>, ParquetError> {
    let (mut levels, mut values, mut read) = (Vec::new(), Vec::new(), 0);
    while read < wanted {
        let (records, _, _) = reader.read_records(wanted - read, Some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Err(ParquetError::EOF(format!("column {} ends after {read} values", d.name())));
        }
        read += records;
    }
    let mut values = values.iter();
    if d.max_def_level() == 0 {
        return Ok(values.map(|v| Some(text(v))).collect());
    }
    Ok(levels.iter().map(|l| if *l == d.max_def_level() { values.next().map(&text) } else { None }).collect())
}

/// As SQL writes it, in UTC; as microseconds since 1970 where the calendar ends.
fn timestamp(v: &Int96) -> String {
    let micros = int96::to_micros(v);
    // civil time: jiff's Timestamp ends a day before the year 9999 does
    let epoch = date(1970, 1, 1).at(0, 0, 0, 0);
    let time = i64::try_from(micros).ok().and_then(|m| epoch.checked_add(SignedDuration::from_micros(m)).ok());
    match time {
        Some(t) => t.strftime("%Y-%m-%d %H:%M:%S%.f").to_string(),
        None => format!("{micros} µs"),
    }
}

fn hex(v: &ByteArray) -> String {
    v.data().iter().map(|b| format!("{b:02x}")).collect()
}

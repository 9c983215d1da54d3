//! Rows to the bytes of a Parquet file that Presto, Spark and Hive all read right. Pure: no I/O, no clock.
//!
//! The form is measured, not chosen by taste: version 1 pages, snappy, statistics of chunks only, no page indexes,
//! timestamps as INT96 and decimals as byte arrays of fixed length, which are the only forms of them that all three
//! read. See `docs/decisions/0003`.

mod dictionaries;
mod file_writer;
pub mod inspect;
mod int96;
pub mod letters;
mod options;
pub mod read_back;
mod text;
mod types;

use arrow_array::RecordBatch;
use bytes::Bytes;
use parquet::errors::ParquetError;

use crate::fault::Fault;
pub use dictionaries::Dictionaries;
pub use file_writer::{FileWriter, FinishedFile};
pub use options::EncodeOptions;
pub use read_back::{ReadBack, ReadBackError};

/// A Parquet file in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedFile {
    /// The file.
    pub bytes: Bytes,
    /// Its rows, at least one.
    pub rows: u64,
    /// CRC-32C of `bytes`.
    pub crc32c: u32,
}

/// Why a batch cannot be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// An empty file must not be landed, so an empty batch must not come here.
    #[error("a batch without rows must not become a file")]
    NoRows,
    /// A Parquet file without columns is read by nobody.
    #[error("a batch without columns must not become a file")]
    NoColumns,
    /// Readers look columns up by name, without regard to case.
    #[error("column {0} is there twice")]
    DuplicateColumn(String),
    /// No type of a declared column becomes this.
    #[error("column {column}: {data_type} cannot be landed")]
    UnsupportedType {
        /// Its name.
        column: String,
        /// Its Arrow type.
        data_type: String,
    },
    /// The encoder failed.
    #[error("the Parquet encoder failed: {0}")]
    Parquet(#[from] ParquetError),
}

impl EncodeError {
    /// Whose fault it is: landfall builds its batches itself.
    pub fn fault(&self) -> Fault {
        Fault::Bug
    }
}

/// Encodes a batch as one file. Columns are nullable, and of these types: Boolean, Int8 to Int64, Float32, Float64,
/// Decimal128, Utf8, Binary, Date32, Timestamp in microseconds with a zone, and List, Map (of Utf8 to anything) and
/// Struct of these but Timestamp, to any depth.
pub fn parquet(batch: &RecordBatch, options: &EncodeOptions) -> Result<EncodedFile, EncodeError> {
    let mut writer = FileWriter::new(&batch.schema(), options.clone())?;
    let columns: Vec<_> = batch.columns().iter().cloned().map(Some).collect();
    writer.write(&columns, batch.num_rows())?;
    writer.finish(Vec::new())?.file(0)
}

#[cfg(test)]
mod nested_tests;
#[cfg(test)]
mod tests;

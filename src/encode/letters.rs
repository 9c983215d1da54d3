//! Dead letters read back from a file of their table, their bytes exactly as they were.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::inspect::number;
use super::read_back::ReadBackError;

/// Rows decoded at once: each may hold a message of many megabytes.
const AT_ONCE: usize = 64;

/// Names of the columns of a dead-letter table, in lower case; `None` where it has none for this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterColumns {
    /// Why.
    pub reason: Option<String>,
    /// More on that.
    pub detail: Option<String>,
    /// The message.
    pub bytes: Option<String>,
    /// Its key.
    pub key: Option<String>,
    /// Topic, with its incarnation.
    pub topic: Option<String>,
    /// Partition.
    pub partition: Option<String>,
    /// Offset.
    pub offset: Option<String>,
    /// Kafka timestamp.
    pub timestamp: Option<String>,
}

/// A row of a dead-letter table; `None` where it has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letter<'a> {
    /// Why.
    pub reason: Option<&'a str>,
    /// More on that.
    pub detail: Option<&'a str>,
    /// The message.
    pub bytes: Option<&'a [u8]>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Topic, with its incarnation.
    pub topic: Option<&'a str>,
    /// Partition.
    pub partition: Option<i64>,
    /// Offset.
    pub offset: Option<i64>,
    /// Kafka timestamp.
    pub timestamp: Option<Time<'a>>,
}

/// A time as its column holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time<'a> {
    /// Milliseconds since 1970 UTC.
    Millis(i64),
    /// As text, in the zone of the configuration that wrote it.
    Text(&'a str),
}

/// Hands each row of a file to `each`.
pub fn read(bytes: Bytes, columns: &LetterColumns, mut each: impl FnMut(Letter<'_>)) -> Result<(), ReadBackError> {
    let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new())?;
    // INT96 comes as nanoseconds unless one asks otherwise, and those end in 2262.
    let micros = |field: &Arc<Field>| match field.data_type() {
        DataType::Timestamp(_, zone) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            Arc::new(field.as_ref().clone().with_data_type(micros))
        }
        _ => field.clone(),
    };
    let schema = Schema::new(metadata.schema().fields().iter().map(micros).collect::<Vec<_>>());
    let wanted = columns.names();
    let roots = schema.fields().iter().enumerate().filter(|(_, f)| wanted.contains(&f.name().as_str())).map(|(i, _)| i);
    let mask = ProjectionMask::roots(metadata.metadata().file_metadata().schema_descr(), roots);
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    let metadata = ArrowReaderMetadata::try_new(metadata.metadata().clone(), options)?;
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata);
    for batch in reader.with_projection(mask).with_batch_size(AT_ONCE).build()? {
        // An error of Arrow here is one of the file's bytes.
        let batch = batch.map_err(|e: ArrowError| ReadBackError::Parquet(e.into()))?;
        let rows = Rows::of(&batch, columns);
        (0..batch.num_rows()).for_each(|row| each(rows.letter(row)));
    }
    Ok(())
}

impl LetterColumns {
    fn names(&self) -> Vec<&str> {
        let LetterColumns { reason, detail, bytes, key, topic, partition, offset, timestamp } = self;
        [reason, detail, bytes, key, topic, partition, offset, timestamp]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect()
    }
}

/// The columns of some rows, where the file has them: a column may have been added since.
struct Rows<'a> {
    reason: Option<&'a ArrayRef>,
    detail: Option<&'a ArrayRef>,
    bytes: Option<&'a ArrayRef>,
    key: Option<&'a ArrayRef>,
    topic: Option<&'a ArrayRef>,
    partition: Option<&'a ArrayRef>,
    offset: Option<&'a ArrayRef>,
    timestamp: Option<&'a ArrayRef>,
}

impl<'a> Rows<'a> {
    fn of(batch: &'a RecordBatch, columns: &LetterColumns) -> Rows<'a> {
        let column = |name: &Option<String>| batch.column_by_name(name.as_deref()?);
        Rows {
            reason: column(&columns.reason),
            detail: column(&columns.detail),
            bytes: column(&columns.bytes),
            key: column(&columns.key),
            topic: column(&columns.topic),
            partition: column(&columns.partition),
            offset: column(&columns.offset),
            timestamp: column(&columns.timestamp),
        }
    }

    fn letter(&self, row: usize) -> Letter<'a> {
        Letter {
            reason: self.reason.and_then(|c| text(c, row)),
            detail: self.detail.and_then(|c| text(c, row)),
            bytes: self.bytes.and_then(|c| raw(c, row)),
            key: self.key.and_then(|c| raw(c, row)),
            topic: self.topic.and_then(|c| text(c, row)),
            partition: self.partition.and_then(|c| number(c, row)),
            offset: self.offset.and_then(|c| number(c, row)),
            timestamp: self.timestamp.and_then(|c| time(c, row)),
        }
    }
}

fn text(column: &ArrayRef, row: usize) -> Option<&str> {
    let texts = column.as_string_opt::<i32>().filter(|c| c.is_valid(row))?;
    Some(texts.value(row))
}

fn raw(column: &ArrayRef, row: usize) -> Option<&[u8]> {
    match column.as_binary_opt::<i32>() {
        Some(bytes) => bytes.is_valid(row).then(|| bytes.value(row)),
        None => text(column, row).map(str::as_bytes),
    }
}

fn time(column: &ArrayRef, row: usize) -> Option<Time<'_>> {
    if column.is_null(row) {
        return None;
    }
    if let Some(micros) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        return Some(Time::Millis(micros.value(row).div_euclid(1000)));
    }
    text(column, row).map(Time::Text).or_else(|| number(column, row).map(Time::Millis))
}

#[cfg(test)]
mod tests {
    use arrow_array::{BinaryArray, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;
    use crate::encode::{EncodeOptions, parquet};

    fn columns() -> LetterColumns {
        let name = |n: &str| Some(n.to_owned());
        LetterColumns {
            reason: name("reason"),
            bytes: name("raw_bytes"),
            partition: name("kafka_partition"),
            offset: name("kafka_offset"),
            timestamp: name("kafka_timestamp"),
            // Declared, but no column of the file.
            key: name("added_later"),
            ..LetterColumns::default()
        }
    }

    #[test]
    fn bytes_and_times_come_back_exactly() {
        let bytes: Vec<u8> = (0..=255).collect();
        let far = 253_402_300_799_999;
        let micros = vec![Some(far * 1000), Some(-1000), None];
        let file = |raw: ArrayRef, time: ArrayRef| {
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("reason", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
                ("detail", Arc::new(StringArray::from(vec!["not", "asked", "for"]))),
                ("raw_bytes", raw),
                ("kafka_partition", Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]))),
                ("kafka_offset", Arc::new(Int64Array::from(vec![i64::MAX, 0, 5]))),
                ("kafka_timestamp", time),
            ];
            let rows = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)));
            parquet(&rows.unwrap(), &EncodeOptions::default()).unwrap().bytes
        };
        let raw = || Arc::new(BinaryArray::from_opt_vec(vec![Some(&bytes[..]), Some(b""), None]));
        let int96 = Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("+00:00"));
        let mut found = Vec::new();
        read(file(raw(), int96), &columns(), |l| {
            assert_eq!((l.detail, l.topic, l.key), (None, None, None));
            found.push((l.reason.unwrap().to_owned(), l.bytes.map(<[u8]>::to_vec), l.partition, l.offset));
            let ms = [Some(far), Some(-1), None][found.len() - 1];
            assert_eq!(l.timestamp, ms.map(Time::Millis));
        })
        .unwrap();
        let expected = [
            ("a".to_owned(), Some(bytes.clone()), Some(1), Some(i64::MAX)),
            ("b".to_owned(), Some(Vec::new()), None, Some(0)),
            ("c".to_owned(), None, Some(3), Some(5)),
        ];
        assert_eq!(found, expected);

        // As other types that the columns may have.
        let text = Arc::new(StringArray::from(vec![Some("ä"), None, Some("")]));
        let mut found = Vec::new();
        read(file(text, Arc::new(Int64Array::from(vec![Some(7), None, Some(-9)]))), &columns(), |l| {
            found.push((l.bytes.map(<[u8]>::to_vec), l.timestamp.map(|t| format!("{t:?}"))));
        })
        .unwrap();
        let millis = |n: i64| Some(format!("Millis({n})"));
        assert_eq!(found, [(Some("ä".into()), millis(7)), (None, None), (Some(Vec::new()), millis(-9))]);
        assert!(read(Bytes::from_static(b"PAR1 not"), &columns(), |_| {}).is_err());
    }
}

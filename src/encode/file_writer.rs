//! A Parquet file in the making: rows are encoded as they come, so that of them only compressed pages are kept.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{Int64Type, Int96Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::TypePtr;

use super::dictionaries::is_not_worth_it;
use super::types::{is_landed, is_timestamp, root};
use super::{EncodeError, EncodeOptions, EncodedFile, int96};

/// Takes rows until [`FileWriter::finish`]. Arrow's column writers encode them, but for INT96, which Arrow does not
/// write: these columns wait as they are and are written when the file is put together.
pub struct FileWriter {
    schema: SchemaRef,
    options: EncodeOptions,
    /// The columns that are not numbered, with their schema; `None` if all are.
    body: Option<Body>,
    rows: usize,
}

struct Body {
    fields: Vec<FieldRef>,
    root: TypePtr,
    /// Leaves of each column.
    leaves: Vec<usize>,
    factory: ArrowRowGroupWriterFactory,
    groups: Vec<Vec<Closed>>,
    open: Vec<Column>,
    open_rows: usize,
    not_worth_a_dictionary: BTreeSet<String>,
}

/// A column of the open row group.
enum Column {
    Arrow(Vec<ArrowColumnWriter>),
    Timestamps(Vec<ArrayRef>),
}

/// A column of a row group that is complete.
enum Closed {
    Arrow(Vec<ArrowColumnChunk>),
    Timestamps(Vec<ArrayRef>),
}

/// A file that is complete but for its numbered columns.
#[derive(Debug)]
pub struct FinishedFile {
    schema: SchemaRef,
    options: EncodeOptions,
    rows: usize,
    /// The file, or what it has besides the numbered columns.
    bytes: Option<Bytes>,
    crc32c: u32,
    not_worth_a_dictionary: BTreeSet<String>,
}

impl FileWriter {
    /// A file of these columns, or why it cannot be written. What is inside a column stays as it is declared; the
    /// columns themselves are nullable.
    pub fn new(schema: &Schema, options: EncodeOptions) -> Result<FileWriter, EncodeError> {
        if schema.fields().is_empty() {
            return Err(EncodeError::NoColumns);
        }
        let schema = Arc::new(nullable(schema)?);
        let fields: Vec<FieldRef> = schema.fields().iter().filter(|f| !options.is_numbered(f)).cloned().collect();
        let body = if fields.is_empty() { None } else { Some(Body::new(fields, &options)?) };
        Ok(FileWriter { schema, options, body, rows: 0 })
    }

    /// Appends rows: an array for each column of the schema. What is given for a numbered column is ignored.
    pub fn write(&mut self, columns: &[Option<ArrayRef>], rows: usize) -> Result<(), EncodeError> {
        self.rows += rows;
        let Some(body) = &mut self.body else { return Ok(()) };
        let plain = self.schema.fields().iter().zip(columns).filter(|(f, _)| !self.options.is_numbered(f));
        let columns: Vec<&ArrayRef> = plain.filter_map(|(_, column)| column.as_ref()).collect();
        let most = self.options.max_group_rows.get();
        let mut done = 0;
        while done < rows {
            let now = (rows - done).min(most - body.open_rows);
            let sliced: Vec<ArrayRef> = columns.iter().map(|c| c.slice(done, now)).collect();
            body.write(&sliced, now)?;
            if body.open_rows == most {
                body.close_group()?;
            }
            done += now;
        }
        Ok(())
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> usize {
        self.body.as_ref().map_or(0, Body::memory)
    }

    /// Ends the file, with key-value pairs for its footer besides those of the options.
    pub fn finish(mut self, footer: Vec<(String, String)>) -> Result<FinishedFile, EncodeError> {
        if self.rows == 0 {
            return Err(EncodeError::NoRows);
        }
        self.options.footer.extend(footer);
        let (bytes, not_worth_a_dictionary) = match self.body {
            Some(body) => body.finish(&self.options).map(|(bytes, columns)| (Some(Bytes::from(bytes)), columns))?,
            None => Default::default(),
        };
        let crc32c = bytes.as_deref().map_or(0, crc32c::crc32c);
        let (schema, options, rows) = (self.schema, self.options, self.rows);
        Ok(FinishedFile { schema, options, rows, bytes, crc32c, not_worth_a_dictionary })
    }
}

impl Body {
    fn new(fields: Vec<FieldRef>, options: &EncodeOptions) -> Result<Body, EncodeError> {
        let schema = Arc::new(Schema::new(fields.clone()));
        let root = root(&schema)?;
        let leaves = root.get_fields().iter().map(leaves).collect();
        // Only for its settings: what it would write is the file's head.
        let settings = SerializedFileWriter::new(io::sink(), root.clone(), Arc::new(options.properties()))?;
        let factory = ArrowRowGroupWriterFactory::new(&settings, schema);
        let (groups, open, not_worth_a_dictionary) = (Vec::new(), Vec::new(), BTreeSet::new());
        Ok(Body { fields, root, leaves, factory, groups, open, open_rows: 0, not_worth_a_dictionary })
    }

    fn write(&mut self, columns: &[ArrayRef], rows: usize) -> Result<(), ParquetError> {
        if self.open.is_empty() {
            let mut writers = self.factory.create_column_writers(self.groups.len())?.into_iter();
            let column = |(field, leaves): (&FieldRef, &usize)| {
                let writers = writers.by_ref().take(*leaves).collect();
                if is_timestamp(field.data_type()) { Column::Timestamps(Vec::new()) } else { Column::Arrow(writers) }
            };
            self.open = self.fields.iter().zip(&self.leaves).map(column).collect();
        }
        for ((field, column), array) in self.fields.iter().zip(&mut self.open).zip(columns) {
            match column {
                Column::Timestamps(kept) => kept.push(array.clone()),
                Column::Arrow(writers) => {
                    for (writer, leaf) in writers.iter_mut().zip(compute_leaves(field, array)?) {
                        writer.write(&leaf)?;
                    }
                }
            }
        }
        self.open_rows += rows;
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), ParquetError> {
        let close = |column| match column {
            Column::Timestamps(kept) => Ok(Closed::Timestamps(kept)),
            Column::Arrow(writers) => {
                let chunks = writers.into_iter().map(ArrowColumnWriter::close);
                chunks.collect::<Result<_, _>>().map(Closed::Arrow)
            }
        };
        let group = std::mem::take(&mut self.open).into_iter().map(close).collect::<Result<Vec<_>, ParquetError>>()?;
        for (field, column) in self.fields.iter().zip(&group) {
            // Of a column with others inside, the dictionaries cannot be told apart by its name.
            if let Closed::Arrow(chunks) = column
                && let [chunk] = &chunks[..]
                && is_not_worth_it(&chunk.close().metadata)
            {
                self.not_worth_a_dictionary.insert(field.name().clone());
            }
        }
        self.groups.push(group);
        self.open_rows = 0;
        Ok(())
    }

    fn memory(&self) -> usize {
        let open = self.open.iter().map(|column| match column {
            Column::Arrow(writers) => writers.iter().map(ArrowColumnWriter::memory_size).sum(),
            Column::Timestamps(kept) => memory(kept),
        });
        open.sum::<usize>() + self.groups.iter().flatten().map(Closed::memory).sum::<usize>()
    }

    fn finish(mut self, options: &EncodeOptions) -> Result<(Vec<u8>, BTreeSet<String>), ParquetError> {
        if self.open_rows > 0 {
            self.close_group()?;
        }
        let room = self.groups.iter().flatten().map(Closed::memory).sum::<usize>() + (16 << 10);
        let sink = Vec::with_capacity(room);
        let mut file = SerializedFileWriter::new(sink, self.root, Arc::new(options.properties()))?;
        for columns in self.groups {
            let mut group = file.next_row_group()?;
            for column in columns {
                match column {
                    Closed::Timestamps(kept) => timestamps(&kept, &mut group)?,
                    Closed::Arrow(chunks) => {
                        chunks.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut group))?;
                    }
                }
            }
            group.close()?;
        }
        Ok((file.into_inner()?, self.not_worth_a_dictionary))
    }
}

impl Closed {
    fn memory(&self) -> usize {
        match self {
            Closed::Arrow(chunks) => chunks.iter().map(|c| c.close().bytes_written as usize).sum(),
            Closed::Timestamps(kept) => memory(kept),
        }
    }
}

impl FinishedFile {
    /// The file, with `number` in every row of the numbered columns.
    pub fn file(&self, number: i64) -> Result<EncodedFile, EncodeError> {
        let rows = self.rows as u64;
        match &self.bytes {
            Some(bytes) if self.options.numbered_columns.is_empty() => {
                Ok(EncodedFile { bytes: bytes.clone(), rows, crc32c: self.crc32c })
            }
            bytes => {
                let bytes = Bytes::from(self.numbered(bytes.as_ref(), number)?);
                let crc32c = crc32c::crc32c(&bytes);
                Ok(EncodedFile { bytes, rows, crc32c })
            }
        }
    }

    /// The columns whose dictionaries were outgrown, or saved hardly anything.
    pub fn not_worth_a_dictionary(&self) -> &BTreeSet<String> {
        &self.not_worth_a_dictionary
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> usize {
        self.bytes.as_ref().map_or(0, Bytes::len)
    }

    /// Puts the numbered columns between the others, which are copied as they are.
    fn numbered(&self, bytes: Option<&Bytes>, number: i64) -> Result<Vec<u8>, ParquetError> {
        let metadata = bytes.map(|b| ParquetMetaDataReader::new().parse_and_finish(b)).transpose()?;
        let groups: Vec<usize> = match &metadata {
            Some(metadata) => metadata.row_groups().iter().map(|g| g.num_rows() as usize).collect(),
            None => {
                let most = self.options.max_group_rows.get();
                (0..self.rows).step_by(most).map(|start| most.min(self.rows - start)).collect()
            }
        };
        let root = root(&self.schema)?;
        let sink = Vec::with_capacity(self.memory() + (64 << 10));
        let mut file = SerializedFileWriter::new(sink, root.clone(), Arc::new(self.options.properties()))?;
        for (index, rows) in groups.into_iter().enumerate() {
            let mut group = file.next_row_group()?;
            let mut copied = 0;
            for (field, leaves) in self.schema.fields().iter().zip(root.get_fields().iter().map(leaves)) {
                if self.options.is_numbered(field) {
                    let mut column = group.next_column()?.ok_or_else(missing)?;
                    column.typed::<Int64Type>().write_batch(&vec![number; rows], Some(&vec![1; rows]), None)?;
                    column.close()?;
                } else if let (Some(bytes), Some(metadata)) = (bytes, &metadata) {
                    for leaf in copied..copied + leaves {
                        group.append_column(bytes, as_closed(metadata, index, leaf))?;
                    }
                    copied += leaves;
                }
            }
            group.close()?;
        }
        file.into_inner()
    }
}

/// A column chunk that stands in a file, as the writer wants it.
fn as_closed(metadata: &ParquetMetaData, group: usize, leaf: usize) -> ColumnCloseResult {
    let group = metadata.row_group(group);
    let metadata = group.column(leaf).clone();
    ColumnCloseResult {
        bytes_written: metadata.compressed_size() as u64,
        rows_written: group.num_rows() as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    }
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

fn timestamps(kept: &[ArrayRef], group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) -> Result<(), ParquetError> {
    let mut writer = group.next_column()?.ok_or_else(missing)?;
    for column in kept {
        let column = column.as_primitive::<TimestampMicrosecondType>();
        let levels: Vec<i16> = (0..column.len()).map(|row| i16::from(column.is_valid(row))).collect();
        let values: Vec<_> = column.iter().flatten().map(int96::from_micros).collect();
        writer.typed::<Int96Type>().write_batch(&values, Some(&levels), None)?;
    }
    writer.close()
}

fn leaves(column: &TypePtr) -> usize {
    if column.is_group() { column.get_fields().iter().map(leaves).sum() } else { 1 }
}

fn memory(arrays: &[ArrayRef]) -> usize {
    arrays.iter().map(|a| a.get_array_memory_size()).sum()
}

fn missing() -> ParquetError {
    ParquetError::General("the row group has no column left".to_owned())
}

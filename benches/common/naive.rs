//! The same chain as one would write it first: a tree of each message, a formatted time of each row, the Parquet
//! writer as it comes.

use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use jiff::Timestamp;
use landfall::batch::{Plan, PlannedTable};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use super::{Files, Messages};

const BATCH_ROWS: usize = 8192;

enum Column {
    Text(StringBuilder),
    Number(Int64Builder),
}

struct Table {
    name: String,
    /// Names of the fields of the columns.
    fields: Vec<String>,
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    writer: ArrowWriter<Vec<u8>>,
}

impl Table {
    fn new(planned: &PlannedTable) -> Table {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let column = |t: &DataType| match t {
            DataType::Int64 => Column::Number(Int64Builder::new()),
            _ => Column::Text(StringBuilder::new()),
        };
        let schema = planned.schema.clone();
        Table {
            name: planned.table.name.clone(),
            fields: planned.table.columns.iter().map(|c| c.name.clone()).collect(),
            columns: schema.fields().iter().map(|f| column(f.data_type())).collect(),
            rows: 0,
            writer: ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).expect("a writer"),
            schema,
        }
    }

    fn append(&mut self, message: &[u8], timestamp: i64, event: &Value) {
        for (field, column) in self.fields.iter().zip(&mut self.columns) {
            match (column, field.as_str()) {
                (Column::Text(b), "raw_event") => {
                    b.append_value(String::from_utf8(message.to_vec()).expect("UTF-8"));
                }
                (Column::Text(b), "timestamp") => {
                    let moment = Timestamp::from_millisecond(timestamp).expect("a timestamp");
                    b.append_value(moment.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string());
                }
                (Column::Text(b), name) => match event.get(name) {
                    Some(Value::String(text)) => b.append_value(text),
                    Some(Value::Null) | None => b.append_null(),
                    Some(other) => b.append_value(other.to_string()),
                },
                (Column::Number(b), name) => b.append_option(event.get(name).and_then(Value::as_i64)),
            }
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS {
            self.write();
        }
    }

    fn write(&mut self) {
        let arrays = self.columns.iter_mut().map(|column| match column {
            Column::Text(b) => Arc::new(b.finish()) as ArrayRef,
            Column::Number(b) => Arc::new(b.finish()),
        });
        let batch = RecordBatch::try_new(self.schema.clone(), arrays.collect()).expect("columns of one length");
        self.writer.write(&batch).expect("a row group");
        self.rows = 0;
    }
}

/// The seeds' conditions, in the order of their tables.
fn wants(event_type: &str) -> [bool; 3] {
    [event_type == "purchase_sword", event_type.contains("purchase"), event_type.contains("guild")]
}

/// All messages to one file a table.
pub fn chain(messages: &Messages, plan: &Arc<Plan>, files: &mut Files) {
    let mut tables: Vec<Table> = plan.tables[..3].iter().map(Table::new).collect();
    for (message, timestamp) in messages.iter() {
        let Ok(event) = serde_json::from_slice::<Value>(message) else { continue };
        let Some(event_type) = event.get("event_type").and_then(Value::as_str) else { continue };
        for (table, wanted) in tables.iter_mut().zip(wants(event_type)) {
            if wanted {
                table.append(message, timestamp, &event);
            }
        }
    }
    for mut table in tables {
        table.write();
        files.push((table.name, table.writer.into_inner().expect("a file").into()));
    }
}

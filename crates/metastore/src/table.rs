//! Tables and databases in our own structs, and their translation.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use hive_metastore as hms;

const EXTERNAL_TABLE: &str = "EXTERNAL_TABLE";
const PARQUET_INPUT: &str = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat";
const PARQUET_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat";
const PARQUET_SERDE: &str = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";

/// One column or partition key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name; the server makes it lower case.
    pub name: String,
    /// Type as Hive names it.
    pub hive_type: String,
    /// Comment, at most 256 characters.
    pub comment: Option<String>,
}

/// A table as the metastore holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Database.
    pub database: String,
    /// Name.
    pub name: String,
    /// Columns in order.
    pub columns: Vec<Column>,
    /// Partition keys in order.
    pub partition_keys: Vec<Column>,
    /// Full URI of its directory.
    pub location: String,
    /// `EXTERNAL_TABLE`, `MANAGED_TABLE`, `VIRTUAL_VIEW`, …
    pub table_type: String,
    /// Class that reads its files.
    pub input_format: String,
    /// Class that understands its rows.
    pub serde: String,
    /// Table parameters; the server adds some of its own.
    pub parameters: BTreeMap<String, String>,
}

/// A table with all that the server said of it, also what landfall does not know: to be changed and sent back.
#[derive(Debug, Clone)]
pub struct HeldTable(pub(crate) hms::Table);

impl HeldTable {
    /// What landfall knows of it.
    pub fn table(&self) -> Table {
        Table::from_thrift(self.0.clone())
    }

    /// Adds columns at the end. Nothing else of its storage changes.
    pub fn add_columns(&mut self, columns: &[Column]) {
        let sd = self.0.sd.get_or_insert_default();
        sd.cols.get_or_insert_default().extend(fields(columns));
    }

    /// Sets a table parameter; the others stay.
    pub fn set_parameter(&mut self, key: &str, value: &str) {
        self.0.parameters.get_or_insert_default().insert(key.to_owned().into(), value.to_owned().into());
    }
}

/// A database as the metastore holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Name.
    pub name: String,
    /// Directory in which it makes tables that name no location.
    pub location: String,
    /// Owner, if any.
    pub owner: Option<String>,
}

impl Table {
    /// An external table of Parquet files, as Presto, Spark and Hive read it.
    pub fn external_parquet(database: &str, name: &str, columns: Vec<Column>, location: &str) -> Table {
        Table {
            database: database.to_owned(),
            name: name.to_owned(),
            columns,
            partition_keys: Vec::new(),
            location: location.to_owned(),
            table_type: EXTERNAL_TABLE.to_owned(),
            input_format: PARQUET_INPUT.to_owned(),
            serde: PARQUET_SERDE.to_owned(),
            parameters: BTreeMap::new(),
        }
    }

    /// Whether a drop leaves its files alone, as far as the table type says.
    pub fn is_external(&self) -> bool {
        self.table_type == EXTERNAL_TABLE
    }

    /// Whether its files are read as Parquet.
    pub fn is_parquet(&self) -> bool {
        self.input_format == PARQUET_INPUT && self.serde == PARQUET_SERDE
    }

    /// What is sent to create it, always as an external table of Parquet files.
    pub(crate) fn to_thrift(&self, owner: Option<&str>) -> hms::Table {
        let mut parameters = self.parameters.clone();
        // The type alone is stored as MANAGED_TABLE, and a drop would delete the files: the server asks for both.
        parameters.insert("EXTERNAL".to_owned(), "TRUE".to_owned());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        hms::Table {
            table_name: text(&self.name),
            db_name: text(&self.database),
            owner: owner.and_then(text),
            create_time: Some(i32::try_from(now).unwrap_or(0)),
            last_access_time: Some(0),
            retention: Some(0),
            sd: Some(self.storage_descriptor()),
            partition_keys: Some(fields(&self.partition_keys)),
            parameters: Some(parameters.into_iter().map(|(k, v)| (k.into(), v.into())).collect()),
            table_type: text(EXTERNAL_TABLE),
            // cat_name, among the rest, stays unset: its field id is another one in Hive 3 and 4
            ..Default::default()
        }
    }

    /// Empty lists and maps are sent as such: readers trip over absent ones.
    pub(crate) fn storage_descriptor(&self) -> hms::StorageDescriptor {
        hms::StorageDescriptor {
            cols: Some(fields(&self.columns)),
            location: text(&self.location),
            input_format: text(PARQUET_INPUT),
            output_format: text(PARQUET_OUTPUT),
            compressed: Some(false),
            num_buckets: Some(-1),
            serde_info: Some(hms::SerDeInfo {
                name: None,
                serialization_lib: text(PARQUET_SERDE),
                parameters: Some([("serialization.format".into(), "1".into())].into_iter().collect()),
            }),
            bucket_cols: Some(Vec::new()),
            sort_cols: Some(Vec::new()),
            parameters: Some(Default::default()),
            skewed_info: None,
            stored_as_sub_directories: Some(false),
        }
    }

    pub(crate) fn from_thrift(t: hms::Table) -> Table {
        let sd = t.sd.unwrap_or_default();
        Table {
            database: string(t.db_name),
            name: string(t.table_name),
            columns: columns(sd.cols),
            partition_keys: columns(t.partition_keys),
            location: string(sd.location),
            table_type: string(t.table_type),
            input_format: string(sd.input_format),
            serde: string(sd.serde_info.and_then(|s| s.serialization_lib)),
            parameters: t.parameters.into_iter().flatten().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        }
    }
}

impl Database {
    pub(crate) fn from_thrift(d: hms::Database) -> Database {
        Database { name: string(d.name), location: string(d.location_uri), owner: d.owner_name.map(|o| o.to_string()) }
    }
}

/// A database that is to be made. Without an owner it belongs to nobody in particular, as `default` does.
pub(crate) fn new_database(name: &str, location: Option<&str>, owner: Option<&str>) -> hms::Database {
    hms::Database {
        name: text(name),
        description: text(""),
        location_uri: location.and_then(text),
        parameters: Some(Default::default()),
        owner_name: owner.and_then(text),
        owner_type: owner.map(|_| hms::PrincipalType::USER),
        ..Default::default()
    }
}

pub(crate) fn text<T: From<String>>(s: &str) -> Option<T> {
    Some(s.to_owned().into())
}

pub(crate) fn string<T: ToString>(s: Option<T>) -> String {
    s.map(|s| s.to_string()).unwrap_or_default()
}

fn fields(columns: &[Column]) -> Vec<hms::FieldSchema> {
    let field = |c: &Column| hms::FieldSchema {
        name: text(&c.name),
        r#type: text(&c.hive_type),
        comment: c.comment.as_deref().and_then(text),
    };
    columns.iter().map(field).collect()
}

fn columns(fields: Option<Vec<hms::FieldSchema>>) -> Vec<Column> {
    let column = |f: hms::FieldSchema| Column {
        name: string(f.name),
        hive_type: string(f.r#type),
        comment: f.comment.map(|c| c.to_string()),
    };
    fields.into_iter().flatten().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_table_says_so_twice_and_names_no_catalog() {
        let c = Column { name: "user-agent".into(), hive_type: "string".into(), comment: Some("as sent".into()) };
        let mut t = Table::external_parquet("db", "t", vec![c], "hdfs://nn:8020/t");
        let sent = t.to_thrift(Some("me"));
        assert_eq!(sent.table_type.as_deref(), Some("EXTERNAL_TABLE"));
        assert_eq!(sent.parameters.as_ref().and_then(|p| p.get("EXTERNAL")).map(|v| v.as_str()), Some("TRUE"));
        assert_eq!(sent.owner.as_deref(), Some("me"));
        assert!(sent.cat_name.is_none());
        let back = Table::from_thrift(sent);
        t.parameters.insert("EXTERNAL".into(), "TRUE".into());
        assert_eq!(back, t);
        assert!(back.is_external() && back.is_parquet());
    }

    #[test]
    fn a_view_without_storage_reads_as_neither_external_nor_parquet() {
        let t = Table::from_thrift(hms::Table { table_type: text("VIRTUAL_VIEW"), ..Default::default() });
        assert!(!t.is_external() && !t.is_parquet());
        assert_eq!(t.location, "");
    }

    #[test]
    fn a_held_table_keeps_what_landfall_does_not_know() {
        let column = |name: &str| Column { name: name.into(), hive_type: "int".into(), comment: Some("c".into()) };
        let mut sent = Table::external_parquet("db", "t", vec![column("a")], "hdfs://nn:8020/t").to_thrift(None);
        sent.retention = Some(7);
        sent.sd.as_mut().unwrap().parameters = Some([("k".into(), "v".into())].into_iter().collect());
        let mut held = HeldTable(sent.clone());
        held.add_columns(&[column("b")]);
        held.set_parameter("p", "q");
        assert_eq!(held.table().columns, [column("a"), column("b")]);
        assert_eq!(held.table().parameters["p"], "q");
        assert_eq!(held.table().parameters["EXTERNAL"], "TRUE");
        held.0.sd.as_mut().unwrap().cols.as_mut().unwrap().pop();
        held.0.parameters.as_mut().unwrap().remove("p");
        assert_eq!(held.0, sent);
    }
}

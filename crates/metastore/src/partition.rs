//! Partitions in our own struct, and their translation.

use hive_metastore as hms;

use crate::table::{Table, string, text};

/// A partition of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// A value for each partition key, as text; the server checks nothing but their number.
    pub values: Vec<String>,
    /// Full URI of its directory.
    pub location: String,
}

impl Partition {
    /// What is sent to add it: it has the columns and the formats that its table has now.
    pub(crate) fn to_thrift(&self, table: &Table) -> hms::Partition {
        let sd = Table { location: self.location.clone(), ..table.clone() }.storage_descriptor();
        hms::Partition {
            values: Some(self.values.iter().map(|v| v.clone().into()).collect()),
            db_name: text(&table.database),
            table_name: text(&table.name),
            create_time: Some(0),
            last_access_time: Some(0),
            sd: Some(sd),
            parameters: Some(Default::default()),
            // cat_name, among the rest, stays unset, as that of a table
            ..Default::default()
        }
    }

    pub(crate) fn from_thrift(p: hms::Partition) -> Partition {
        Partition {
            values: p.values.into_iter().flatten().map(|v| v.to_string()).collect(),
            location: string(p.sd.and_then(|sd| sd.location)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Column;

    #[test]
    fn a_partition_has_the_storage_of_its_table_at_its_own_place() {
        let column = |name: &str| Column { name: name.into(), hive_type: "int".into(), comment: None };
        let mut table = Table::external_parquet("db", "t", vec![column("a")], "hdfs://nn:8020/t");
        table.partition_keys = vec![column("h")];
        let partition = Partition { values: vec!["7".into()], location: "hdfs://nn:8020/t/h=7".into() };
        let sent = partition.to_thrift(&table);
        let (mut sd, of_table) = (sent.sd.clone().unwrap(), table.to_thrift(None).sd.unwrap());
        assert_eq!(sd.location.as_deref(), Some("hdfs://nn:8020/t/h=7"));
        sd.location.clone_from(&of_table.location);
        assert_eq!(sd, of_table);
        assert_eq!((sent.table_name.as_deref(), sent.cat_name.is_none()), (Some("t"), true));
        assert_eq!(Partition::from_thrift(sent), partition);
    }
}

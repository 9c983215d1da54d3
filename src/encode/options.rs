//! How a file is written.

use std::num::NonZeroUsize;

use arrow_schema::Field;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

/// What differs between files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Key-value pairs of the footer, for those who look into a file. Never `writer.time.zone`: Presto obeys it.
    pub footer: Vec<(String, String)>,
    /// Columns without dictionary and statistics: raw messages, nearly all different, which nobody compares.
    pub plain_columns: Vec<String>,
    /// Columns without dictionary, with statistics: nearly all different, but compared.
    pub no_dictionary: Vec<String>,
    /// Columns of type bigint that hold one number in all rows, which is given when the file is complete.
    pub numbered_columns: Vec<String>,
    /// Rows of a row group at most. Default 1,000,000.
    pub max_group_rows: NonZeroUsize,
}

impl Default for EncodeOptions {
    fn default() -> EncodeOptions {
        let max_group_rows = const { NonZeroUsize::new(1_000_000).expect("is not zero") };
        EncodeOptions {
            footer: Vec::new(),
            plain_columns: Vec::new(),
            no_dictionary: Vec::new(),
            numbered_columns: Vec::new(),
            max_group_rows,
        }
    }
}

/// In the form `name version x.y.z`: parquet-java distrusts the statistics of a file whose writer it cannot parse.
const CREATED_BY: &str = concat!("landfall version ", env!("CARGO_PKG_VERSION"));

/// Uncompressed bytes of a page at which it is closed: as much as a core's cache holds until it is compressed.
const PAGE_BYTES: usize = 256 << 10;

impl EncodeOptions {
    pub(super) fn is_numbered(&self, field: &Field) -> bool {
        self.numbered_columns.contains(field.name())
    }

    pub(super) fn properties(&self) -> WriterProperties {
        let footer: Vec<_> = self.footer.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone())).collect();
        let mut properties = WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_key_value_metadata((!footer.is_empty()).then_some(footer))
            .set_compression(Compression::SNAPPY)
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_data_page_size_limit(PAGE_BYTES)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            // written by default, even without page statistics
            .set_offset_index_disabled(true)
            .set_coerce_types(true);
        for column in &self.no_dictionary {
            properties = properties.set_column_dictionary_enabled(path(column), false);
        }
        for column in &self.plain_columns {
            properties = properties
                .set_column_dictionary_enabled(path(column), false)
                .set_column_statistics_enabled(path(column), EnabledStatistics::None);
        }
        properties.build()
    }
}

/// A dot in a name is part of the name.
fn path(column: &str) -> ColumnPath {
    ColumnPath::new(vec![column.to_owned()])
}

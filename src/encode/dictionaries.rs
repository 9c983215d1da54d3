//! Which columns of a table are not worth a dictionary: what its last files showed.
//!
//! The encoder puts each new value into a dictionary until that has 1 MiB, and then goes on without. Of texts that are nearly
//! all different, a user's host or a request's number, that is work for nothing, again in every file.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use parquet::basic::{Encoding, PageType};
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};

use super::{EncodeOptions, FinishedFile};

/// Files that a column goes without, before it is tried again.
const FILES_WITHOUT: u32 = 16;

/// A dictionary is worth its work if it leaves less than this part of the bytes that the values have without.
const WORTH: f64 = 0.75;

/// Bytes of values from which on a column is judged: of a few, even a dictionary that is needed saves nothing.
const JUDGED_FROM: f64 = (128 << 10) as f64;

/// What a table's files showed.
#[derive(Debug, Default)]
pub struct Dictionaries(Mutex<HashMap<String, u32>>);

impl Dictionaries {
    /// The options of the table's next file: those given, and without the dictionaries that are not worth it.
    pub fn choose(&self, mut options: EncodeOptions) -> EncodeOptions {
        let mut without = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        without.retain(|column, files| {
            options.no_dictionary.push(column.clone());
            *files -= 1;
            *files > 0
        });
        options
    }

    /// Looks at a file of the table.
    pub fn learn(&self, file: &FinishedFile) {
        let mut without = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        without.extend(file.not_worth_a_dictionary().iter().map(|column| (column.clone(), FILES_WITHOUT)));
    }
}

/// Whether a column has a dictionary that it would have done without: it was outgrown, or left hardly less to store.
pub(super) fn is_not_worth_it(column: &ColumnChunkMetaData) -> bool {
    let Some(unencoded) = column.unencoded_byte_array_data_bytes() else { return false };
    let is_plain = |page: &PageEncodingStats| page.page_type == PageType::DATA_PAGE && page.encoding == Encoding::PLAIN;
    let is_outgrown = |pages: &Vec<PageEncodingStats>| pages.iter().any(is_plain);
    // Each value has four bytes more for its length.
    let plain = unencoded as f64 + 4.0 * column.num_values() as f64;
    column.dictionary_page_offset().is_some()
        && plain >= JUDGED_FROM
        && (column.page_encoding_stats().is_some_and(is_outgrown) || column.uncompressed_size() as f64 > WORTH * plain)
}

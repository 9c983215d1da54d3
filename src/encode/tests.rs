use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    RecordBatchOptions, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
};
use arrow_schema::{Field, Schema};
use parquet::basic::{ColumnOrder, Compression, ConvertedType, Encoding, PageType, SortOrder, Type as Physical};
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;

use super::*;

fn micros(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("+00:00"))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

/// Every type, with values at its limits and a null each.
fn all_types() -> RecordBatch {
    batch(vec![
        ("bo", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("ti", Arc::new(Int8Array::from(vec![Some(i8::MIN), Some(i8::MAX), None]))),
        ("si", Arc::new(Int16Array::from(vec![Some(i16::MIN), Some(i16::MAX), None]))),
        ("i", Arc::new(Int32Array::from(vec![Some(i32::MIN), Some(i32::MAX), None]))),
        ("bi", Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX), None]))),
        ("fl", Arc::new(Float32Array::from(vec![Some(f32::NAN), Some(-1.5), None]))),
        ("do", Arc::new(Float64Array::from(vec![Some(f64::NEG_INFINITY), Some(1e300), None]))),
        ("user-agent", Arc::new(StringArray::from(vec![Some(""), Some("größe 🚀\0"), None]))),
        ("bin", Arc::new(BinaryArray::from_opt_vec(vec![Some(&b"\xff\x00"[..]), Some(b""), None]))),
        // 1960-06-15 12:34:56.123456, 2021-07-30 18:18:18.000001
        ("timestamp", micros(vec![Some(-301_231_503_876_544), Some(1_627_669_098_000_001), None])),
    ])
}

fn encode(batch: &RecordBatch, options: &EncodeOptions) -> Bytes {
    let file = parquet(batch, options).unwrap();
    assert_eq!((file.rows, file.crc32c), (batch.num_rows() as u64, crc32c::crc32c(&file.bytes)));
    file.bytes
}

fn metadata(bytes: &Bytes) -> ParquetMetaData {
    SerializedFileReader::new(bytes.clone()).unwrap().metadata().clone()
}

fn groups_of(rows: usize) -> EncodeOptions {
    EncodeOptions { max_group_rows: NonZeroUsize::new(rows).unwrap(), ..Default::default() }
}

#[test]
fn every_type_comes_back_with_its_nulls() {
    let back = read_back::rows(encode(&all_types(), &EncodeOptions::default()), 10).unwrap();
    let types: Vec<_> = back.schema.iter().map(|(_, t)| t.as_str()).collect();
    let declared =
        ["boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "string", "binary", "timestamp"];
    assert_eq!(types, declared);
    assert_eq!(back.schema[7].0, "user-agent");
    let row = |texts: [&str; 10]| texts.map(|t| Some(t.to_owned())).to_vec();
    let longs = ["-9223372036854775808", "9223372036854775807"];
    assert_eq!(
        back.rows[0],
        row([
            "true",
            "-128",
            "-32768",
            "-2147483648",
            longs[0],
            "NaN",
            "-inf",
            "",
            "ff00",
            "1960-06-15 12:34:56.123456"
        ])
    );
    let big = format!("{}", 1e300);
    let second =
        ["false", "127", "32767", "2147483647", longs[1], "-1.5", &big, "größe 🚀\0", "", "2021-07-30 18:18:18.000001"];
    assert_eq!(back.rows[1], row(second));
    assert_eq!(back.rows[2], vec![None; 10]);
    assert_eq!((back.rows.len(), back.total_rows), (3, 3));
}

#[test]
fn the_footer_says_what_the_readers_need() {
    let options = EncodeOptions {
        footer: vec![("landfall.job".into(), "game".into()), ("landfall.offsets".into(), "[]".into())],
        ..Default::default()
    };
    let bytes = encode(&all_types(), &options);
    assert_eq!(read_back::rows(bytes.clone(), 0).unwrap().footer["landfall.job"], "game");
    let m = metadata(&bytes);
    let file = m.file_metadata();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(file.created_by(), Some(format!("landfall version {version}").as_str()));
    assert_eq!(file.version(), 1);
    assert_eq!(file.key_value_metadata().unwrap().len(), 2, "no Arrow schema among them");
    let none = ConvertedType::NONE;
    let types: Vec<_> = file.schema_descr().columns().iter().map(|c| (c.physical_type(), c.converted_type())).collect();
    assert_eq!(
        types,
        [
            (Physical::BOOLEAN, none),
            (Physical::INT32, ConvertedType::INT_8),
            (Physical::INT32, ConvertedType::INT_16),
            (Physical::INT32, none),
            (Physical::INT64, none),
            (Physical::FLOAT, none),
            (Physical::DOUBLE, none),
            (Physical::BYTE_ARRAY, ConvertedType::UTF8),
            (Physical::BYTE_ARRAY, none),
            (Physical::INT96, none),
        ]
    );
    assert!(file.schema_descr().columns().iter().all(|c| c.max_def_level() == 1 && c.max_rep_level() == 0));
    for column in m.row_group(0).columns() {
        assert_eq!(column.compression(), Compression::SNAPPY);
        assert_eq!((column.column_index_offset(), column.offset_index_offset()), (None, None));
        assert_eq!(column.bloom_filter_offset(), None);
        let allowed = [Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];
        assert!(column.encodings().all(|e| allowed.contains(&e)), "{:?}", column.encodings().collect::<Vec<_>>());
    }
}

/// The new orders of parquet 60 break Hive's reader, and this is the test that fails when somebody upgrades.
#[test]
fn the_footer_holds_only_the_old_column_order() {
    let bytes = encode(&all_types(), &EncodeOptions::default());
    let orders = metadata(&bytes).file_metadata().column_orders().unwrap().clone();
    assert_eq!(orders.len(), 10);
    assert!(orders.iter().all(|o| matches!(o, ColumnOrder::TYPE_DEFINED_ORDER(_))), "{orders:?}");
    assert_eq!(orders[9], ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::UNDEFINED), "INT96");
    // as bytes, since the crate may read what it does not know as the old one: the last field of the footer is a list
    // of unions with only field 1, an empty struct, each 0x1c 0x00 0x00
    let footer_end = bytes.len() - 8;
    let expected: Vec<u8> = [[0x1c, 0x00, 0x00]; 10].concat();
    assert_eq!(bytes[footer_end - 31..footer_end - 1], expected[..]);
}

#[test]
fn statistics_are_those_of_the_chunk() {
    let bytes = encode(&all_types(), &EncodeOptions::default());
    let m = metadata(&bytes);
    let statistics = |i: usize| m.row_group(0).column(i).statistics().unwrap();
    assert!((0..10).all(|i| statistics(i).null_count_opt() == Some(1)));
    let Statistics::Int64(s) = statistics(4) else { panic!() };
    assert_eq!((s.min_opt(), s.max_opt()), (Some(&i64::MIN), Some(&i64::MAX)));
    let Statistics::Double(s) = statistics(6) else { panic!() };
    assert_eq!((s.min_opt(), s.max_opt()), (Some(&f64::NEG_INFINITY), Some(&1e300)));
    // Presto 0.287 skips by the old fields 1 (max) and 2 (min), which the crate's reader does not tell from the new ones
    let old = [&[0x18, 8][..], &i64::MAX.to_le_bytes(), &[0x18, 8], &i64::MIN.to_le_bytes()].concat();
    assert!(bytes.windows(old.len()).any(|w| w == old));
}

#[test]
fn a_large_batch_becomes_several_row_groups() {
    let n = 25_000;
    let b = batch(vec![
        ("i", Arc::new(Int64Array::from_iter((0..n).map(|i| (i % 7 != 0).then_some(i))))),
        ("t", micros((0..n).map(|i| (i % 5 != 0).then_some(i * 1_000_003 - 7_000_000_000)).collect())),
        ("s", Arc::new(StringArray::from_iter((0..n).map(|i| (i % 3 != 0).then(|| format!("é{i}")))))),
    ]);
    let bytes = encode(&b, &groups_of(10_000));
    let m = metadata(&bytes);
    assert_eq!(m.row_groups().iter().map(|g| g.num_rows()).collect::<Vec<_>>(), [10_000, 10_000, 5_000]);
    assert_eq!(m.row_groups().iter().map(|g| g.ordinal()).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    let back = read_back::rows(bytes.clone(), usize::MAX).unwrap();
    assert_eq!((back.rows.len(), back.total_rows), (25_000, 25_000));
    for (i, row) in (0..n).zip(&back.rows) {
        assert_eq!(row[0], (i % 7 != 0).then(|| i.to_string()));
        assert_eq!(row[1].is_some(), i % 5 != 0);
        assert_eq!(row[2], (i % 3 != 0).then(|| format!("é{i}")));
    }
    assert_eq!(back.rows[1][1].as_deref(), Some("1969-12-31 22:03:21.000003"));
    let head = read_back::rows(bytes, 10_001).unwrap();
    assert_eq!((head.rows.len(), head.total_rows), (10_001, 25_000));
    assert_eq!(head.rows, back.rows[..10_001]);
    // all nulls in one group, and exactly full groups
    assert_eq!(metadata(&encode(&b.slice(0, 20_000), &groups_of(10_000))).num_row_groups(), 2);
    assert_eq!(metadata(&encode(&b, &EncodeOptions::default())).num_row_groups(), 1);
}

#[test]
fn dictionaries_and_statistics_are_off_where_asked() {
    let text = || Arc::new(StringArray::from_iter_values((0..1000).map(|i| format!("{}", i % 3)))) as ArrayRef;
    let b = batch(vec![
        ("raw.event", text()),
        ("timestamp", text()),
        ("user", text()),
        ("at", micros(vec![Some(5); 1000])),
    ]);
    let options = EncodeOptions {
        plain_columns: vec!["raw.event".into()],
        no_dictionary: vec!["timestamp".into(), "at".into(), "not there".into()],
        ..Default::default()
    };
    let m = metadata(&encode(&b, &options));
    let what = |i: usize| {
        let c = m.row_group(0).column(i);
        (c.dictionary_page_offset().is_some(), c.statistics().is_some())
    };
    assert_eq!([what(0), what(1), what(2), what(3)], [(false, false), (false, true), (true, true), (false, true)]);
}

#[test]
fn pages_are_of_version_1_and_a_megabyte_at_most() {
    let long = "x".repeat(400_000);
    let b = batch(vec![
        ("raw", Arc::new(StringArray::from_iter_values((0..50).map(|i| format!("{i}{long}"))))),
        ("n", Arc::new(Int64Array::from_iter_values(0..50))),
    ]);
    let options = EncodeOptions { plain_columns: vec!["raw".into()], ..Default::default() };
    let reader = SerializedFileReader::new(encode(&b, &options)).unwrap();
    let mut pages = reader.get_row_group(0).unwrap().get_column_page_reader(0).unwrap();
    let mut count = 0;
    while let Some(page) = PageReader::get_next_page(pages.as_mut()).unwrap() {
        assert_eq!(page.page_type(), PageType::DATA_PAGE);
        assert!(matches!(page, Page::DataPage { .. }));
        assert!(page.buffer().len() < (1 << 20) + 400_100, "{}", page.buffer().len());
        count += 1;
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn what_cannot_be_landed_is_an_error_and_no_panic() {
    let int = |n: i64| Arc::new(Int64Array::from_iter_values(0..n)) as ArrayRef;
    let error = |b: &RecordBatch| parquet(b, &EncodeOptions::default()).unwrap_err().to_string();
    assert_eq!(error(&batch(vec![("a", int(0))])), "a batch without rows must not become a file");
    assert_eq!(error(&batch(vec![("a", int(1)), ("A", int(1))])), "column A is there twice");
    let none = RecordBatch::try_new_with_options(
        Arc::new(Schema::empty()),
        vec![],
        &RecordBatchOptions::new().with_row_count(Some(3)),
    );
    assert_eq!(error(&none.unwrap()), "a batch without columns must not become a file");
    let wall_clock: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1]));
    assert!(error(&batch(vec![("t", wall_clock)])).starts_with("column t: Timestamp("));
    let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1]).with_timezone("+00:00"));
    assert!(error(&batch(vec![("t", millis)])).ends_with("cannot be landed"));
}

#[test]
fn a_column_declared_not_null_and_the_ends_of_time_are_written_all_the_same() {
    let time = micros(vec![Some(i64::MIN), Some(i64::MAX), Some(253_402_300_799_999_999)]);
    let field = Field::new("t", time.data_type().clone(), false);
    let b = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![time]).unwrap();
    let back = read_back::rows(encode(&b, &EncodeOptions::default()), 9).unwrap();
    let texts: Vec<_> = back.rows.iter().map(|r| r[0].clone().unwrap()).collect();
    assert_eq!(texts, ["-9223372036854775808 µs", "9223372036854775807 µs", "9999-12-31 23:59:59.999999"]);
}

#[test]
fn the_same_batch_gives_the_same_bytes() {
    let options = EncodeOptions::default();
    assert_eq!(encode(&all_types(), &options), encode(&all_types(), &options));
}

#[test]
fn a_broken_file_is_an_error() {
    assert!(matches!(read_back::rows(Bytes::from_static(b"PAR1"), 1), Err(ReadBackError::Parquet(_))));
    let bytes = encode(&all_types(), &EncodeOptions::default());
    assert!(read_back::rows(bytes.slice(..bytes.len() - 1), 1).is_err());
}

#[test]
fn rows_may_come_in_pieces_and_timestamps_and_numbers_find_their_place() {
    let n = |numbers: Vec<i64>| Arc::new(Int64Array::from(numbers)) as ArrayRef;
    let schema = batch(vec![("b1", n(vec![])), ("s", n(vec![])), ("t", micros(vec![])), ("b2", n(vec![]))]).schema();
    let options = EncodeOptions { numbered_columns: vec!["b1".into(), "b2".into()], ..groups_of(3) };
    let mut writer = FileWriter::new(&schema, options).unwrap();
    for rows in [0..2, 2..7, 7..8] {
        let values: Vec<i64> = rows.collect();
        let times = micros(values.iter().map(|v| Some(v * 1000)).collect());
        let rows = values.len();
        writer.write(&[None, Some(n(values)), Some(times), None], rows).unwrap();
    }
    assert!(writer.memory() > 0);
    let done = writer.finish(vec![("a".into(), "b".into())]).unwrap();
    for number in [7, i64::MAX] {
        let file = done.file(number).unwrap();
        assert_eq!((file.rows, file.crc32c), (8, crc32c::crc32c(&file.bytes)));
        let metadata = metadata(&file.bytes);
        assert_eq!(metadata.row_groups().iter().map(|g| g.num_rows()).collect::<Vec<_>>(), [3, 3, 2]);
        let footer = metadata.file_metadata().key_value_metadata().unwrap();
        assert_eq!((&footer[0].key[..], footer[0].value.as_deref()), ("a", Some("b")));
        let back = read_back::rows(file.bytes, 10).unwrap();
        let number = Some(number.to_string());
        for (i, row) in back.rows.iter().enumerate() {
            let time = format!("1970-01-01 00:00:00.{:06}", i * 1000);
            let time = time.trim_end_matches('0').trim_end_matches('.').to_owned();
            assert_eq!(row[0], number);
            assert_eq!(row[1], Some(i.to_string()));
            assert!(row[2].as_ref().unwrap().starts_with(&time), "{row:?}");
            assert_eq!(row[3], number);
        }
    }
}

#[test]
fn a_file_of_nothing_but_numbers() {
    let n = Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef;
    let options = EncodeOptions { numbered_columns: vec!["n".into()], ..groups_of(2) };
    let mut writer = FileWriter::new(&batch(vec![("n", n)]).schema(), options).unwrap();
    writer.write(&[None], 3).unwrap();
    let back = read_back::rows(writer.finish(Vec::new()).unwrap().file(5).unwrap().bytes, 10).unwrap();
    assert_eq!(back.rows, vec![vec![Some("5".to_owned())]; 3]);
}

#[test]
fn a_dictionary_that_was_outgrown_or_saved_nothing_is_left_out_of_the_next_files() {
    let texts = |rows: usize, of: usize, width: usize| {
        Arc::new(StringArray::from_iter_values((0..rows).map(|i| format!("{:0width$}", i % of)))) as ArrayRef
    };
    let b = batch(vec![
        ("few", texts(60_000, 3, 8)),
        ("many", texts(60_000, 30_000, 60)),
        ("all different", texts(60_000, 60_000, 8)),
        ("worth it", texts(60_000, 5_000, 30)),
        ("n", Arc::new(Int64Array::from_iter_values(0..60_000))),
    ]);
    let known = Dictionaries::default();
    let file = || {
        let mut writer = FileWriter::new(&b.schema(), known.choose(EncodeOptions::default())).unwrap();
        writer.write(&b.columns().iter().cloned().map(Some).collect::<Vec<_>>(), b.num_rows()).unwrap();
        let file = writer.finish(Vec::new()).unwrap();
        known.learn(&file);
        let m = metadata(&file.file(0).unwrap().bytes);
        [0, 1, 2, 3].map(|i| m.row_group(0).column(i).dictionary_page_offset().is_some())
    };
    assert_eq!(file(), [true, true, true, true], "nothing is known yet");
    for _ in 0..16 {
        assert_eq!(file(), [true, false, false, true]);
    }
    assert_eq!(file(), [true, true, true, true], "it is tried again");
    assert_eq!(file(), [true, false, false, true]);
}

#[test]
fn a_few_values_say_nothing_of_a_dictionary() {
    let texts = Arc::new(StringArray::from_iter_values((0..1000).map(|i| format!("{i:08}")))) as ArrayRef;
    let b = batch(vec![("all different", texts)]);
    let mut writer = FileWriter::new(&b.schema(), EncodeOptions::default()).unwrap();
    writer.write(&b.columns().iter().cloned().map(Some).collect::<Vec<_>>(), b.num_rows()).unwrap();
    assert!(writer.finish(Vec::new()).unwrap().not_worth_a_dictionary().is_empty());
}

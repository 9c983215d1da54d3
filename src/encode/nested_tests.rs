//! Every declared type, through the file and back.

use std::num::NonZeroUsize;

use arrow_array::{ArrayRef, Decimal128Array, Int32Array, Int64Array, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};
use std::sync::Arc;

use super::*;
use crate::schema::{arrow_schema, migrations};

#[path = "../../tests/common/arrays.rs"]
mod arrays;
#[path = "../../tests/common/every_type.rs"]
mod every_type;

fn schema() -> SchemaRef {
    let migration = ("0001_t.sql".to_owned(), every_type::ddl("t", "/t"));
    arrow_schema(&migrations::load(&[migration]).unwrap()[0])
}

fn groups_of(rows: usize) -> EncodeOptions {
    EncodeOptions { max_group_rows: NonZeroUsize::new(rows).unwrap(), ..Default::default() }
}

fn one(hive_type: &str, values: &[Value]) -> RecordBatch {
    let text = format!("create external table t (c {hive_type}) stored as parquet location '/t'");
    let schema = arrow_schema(&migrations::load(&[("0001_t.sql".to_owned(), text)]).unwrap()[0]);
    let column = arrays::array(schema.field(0).data_type(), values);
    RecordBatch::try_new(schema, vec![column]).unwrap()
}

fn texts(batch: &RecordBatch) -> Vec<Option<String>> {
    let back = read_back::rows(parquet(batch, &groups_of(2)).unwrap().bytes, usize::MAX).unwrap();
    assert_eq!(back.rows.len(), batch.num_rows());
    back.rows.into_iter().map(|mut row| row.remove(0)).collect()
}

#[test]
fn every_declared_type_comes_back_through_arrow_as_it_went() {
    let batch = every_type::batch(&schema(), 150);
    for group_rows in [1, 7, 1000] {
        let bytes = parquet(&batch, &groups_of(group_rows)).unwrap().bytes;
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().with_batch_size(1000).build().unwrap();
        let read: Vec<_> = reader.map(Result::unwrap).collect();
        assert_eq!(read.len(), 1);
        for (field, written) in batch.schema().fields().iter().zip(batch.columns()) {
            let column = read[0].column_by_name(field.name()).unwrap();
            if !matches!(field.data_type(), DataType::Timestamp(..)) {
                assert_eq!(column, written, "{field}");
            }
            assert_eq!(column.null_count(), written.null_count());
        }
    }
}

#[test]
fn every_declared_type_is_named_and_shown() {
    let batch = every_type::batch(&schema(), every_type::DIFFERENT);
    let back = read_back::rows(parquet(&batch, &groups_of(3)).unwrap().bytes, usize::MAX).unwrap();
    let declared = migrations::load(&[("0001_t.sql".to_owned(), every_type::ddl("t", "/t"))]).unwrap();
    for (column, (name, hive_type)) in declared[0].columns.iter().zip(&back.schema) {
        assert_eq!(&column.physical_name, name);
        // the file does not know these lengths
        let mut declared = column.hive_type.to_string();
        for length in ["varchar(10)", "varchar(65535)", "varchar(3)", "char(5)", "char(3)"] {
            declared = declared.replace(length, "string");
        }
        assert_eq!(&declared, hive_type, "{name}");
    }
    let all = |name: &str| {
        let at = back.schema.iter().position(|(n, _)| n == name).unwrap();
        back.rows.iter().map(|row| row[at].as_deref().unwrap_or("NULL")).collect::<Vec<_>>()
    };
    assert!(back.rows[2][1..].iter().all(Option::is_none));
    let nines = "9".repeat(28);
    assert_eq!(all("d1")[..4], ["-9", "9", "NULL", "0"]);
    assert_eq!(all("d5")[..6], ["-999.99", "999.99", "NULL", "0.00", "-0.01", "1.25"]);
    assert_eq!(all("d38")[0], format!("-{nines}.9999999999"));
    assert_eq!(all("d38f")[0], format!("-0.{}", "9".repeat(38)));
    assert_eq!(all("da")[..5], ["1582-10-15", "9999-12-31", "NULL", "1970-01-01", "1969-12-31"]);
    assert_eq!(all("ts")[1], "9999-12-31 23:59:59.999999");
    assert_eq!(all("timestamp")[4], "1901-12-13 20:45:51.999");
    assert_eq!(all("fl")[3..6], ["NaN", "inf", "-inf"]);
    assert_eq!(all("ai")[..6], ["[]", "[null]", "NULL", "[1,-2147483648,2147483647]", "[1,null,3]", "[null,null]"]);
    assert_eq!(all("al")[1], "[\"\",\"größe 🚀\\u0000\\\"\\\\\",null]");
    assert_eq!(all("ab")[1], "[\"\",null,\"ff00\"]");
    assert_eq!(all("ad")[1], "[\"9999-12-31\",null]");
    assert_eq!(all("m")[3], "{\"\":1,\"z\":null,\"ключ\":-2147483648}");
    assert_eq!(all("ma")[3], "{\"a\":null,\"b\":[null,\"NaN\",-0,1.5]}");
    assert_eq!(all("mm")[3], "{\"a\":null,\"b\":{\"x\":null,\"y\":-99999999999999.9999}}");
    let first = format!("{{\"id\":\"\",\"n\":{},\"x\":{{\"y\":\"1582-10-15\",\"z\":-{nines}.9999999999}}}}", i64::MIN);
    assert_eq!(all("st")[0], first);
    assert_eq!(all("st")[3], "{\"id\":null,\"n\":null,\"x\":{\"y\":null,\"z\":null}}");
    assert_eq!(all("st")[4], "{\"id\":null,\"n\":null,\"x\":null}");
    assert_eq!(all("deep")[3], "[{\"k\":[],\"l\":null},{},null]");
}

#[test]
fn limits_hold_for_nested_columns_and_timestamps_alike() {
    let batch = every_type::batch(&schema(), 20);
    let bytes = parquet(&batch, &groups_of(6)).unwrap().bytes;
    let all = read_back::rows(bytes.clone(), usize::MAX).unwrap();
    for limit in [0, 1, 5, 6, 7, 12, 13, 20, 21] {
        let some = read_back::rows(bytes.clone(), limit).unwrap();
        assert_eq!((some.rows.len(), some.total_rows), (limit.min(20), 20));
        assert_eq!(some.rows[..], all.rows[..limit.min(20)]);
    }
}

#[test]
fn types_have_the_form_that_every_reader_takes() {
    let bytes = parquet(&every_type::batch(&schema(), 8), &EncodeOptions::default()).unwrap().bytes;
    let reader = SerializedFileReader::new(bytes.clone()).unwrap();
    let leaf = |path: &str| {
        let found =
            reader.metadata().file_metadata().schema_descr().columns().iter().find(|c| c.path().string() == path);
        let c = found.unwrap_or_else(|| panic!("no {path}"));
        (c.physical_type(), c.converted_type(), c.max_def_level(), c.max_rep_level())
    };
    let fixed = (Physical::FIXED_LEN_BYTE_ARRAY, ConvertedType::DECIMAL);
    for name in ["d1", "d5", "d9", "d18", "d38", "d38w", "d38f"] {
        assert_eq!(leaf(name), (fixed.0, fixed.1, 1, 0), "{name}");
    }
    assert_eq!(leaf("da"), (Physical::INT32, ConvertedType::DATE, 1, 0));
    assert_eq!(leaf("ts"), (Physical::INT96, ConvertedType::NONE, 1, 0));
    assert_eq!(leaf("user-agent"), (Physical::BYTE_ARRAY, ConvertedType::UTF8, 1, 0));
    assert_eq!(leaf("ai.list.element"), (Physical::INT32, ConvertedType::NONE, 3, 1));
    assert_eq!(leaf("m.key_value.key"), (Physical::BYTE_ARRAY, ConvertedType::UTF8, 2, 1));
    assert_eq!(leaf("m.key_value.value"), (Physical::INT32, ConvertedType::NONE, 3, 1));
    assert_eq!(leaf("mm.key_value.value.key_value.value"), (fixed.0, fixed.1, 5, 2));
    assert_eq!(leaf("st.x.z"), (fixed.0, fixed.1, 3, 0));
    assert_eq!(leaf("each.d"), (fixed.0, fixed.1, 2, 0));
    let deep = "deep.list.element.key_value.value.list.element.list.element.a.key_value.value.b.list.element";
    assert_eq!(leaf(deep), (fixed.0, fixed.1, 15, 6));
    let file = reader.metadata().file_metadata();
    let root = |name: &str| file.schema().get_fields().iter().find(|f| f.name() == name).unwrap().clone();
    for (name, annotation) in [("ai", ConvertedType::LIST), ("m", ConvertedType::MAP), ("st", ConvertedType::NONE)] {
        let info = root(name).get_basic_info().clone();
        assert_eq!((info.repetition(), info.converted_type()), (Repetition::OPTIONAL, annotation), "{name}");
    }
    for column in reader.metadata().row_group(0).columns() {
        let (path, physical) = (column.column_path(), column.column_descr().physical_type());
        assert!(column.statistics().is_some() || physical == Physical::INT96, "{path}");
        // The crate makes no dictionary of these on version 1 pages.
        let plain = matches!(physical, Physical::BOOLEAN | Physical::FIXED_LEN_BYTE_ARRAY);
        assert_eq!(column.dictionary_page_offset().is_none(), plain, "{path}");
        assert_eq!((column.column_index_offset(), column.offset_index_offset()), (None, None));
    }
    assert!(file.key_value_metadata().is_none());
}

#[test]
fn decimals_of_every_length_and_scale_keep_their_digits() {
    for digits in 1..=38usize {
        for scale in [0, digits / 2, digits] {
            let (whole, fraction) = ("9".repeat(digits - scale), "9".repeat(scale));
            let whole = if whole.is_empty() { "0".to_owned() } else { whole };
            let most = if scale == 0 { whole } else { format!("{whole}.{fraction}") };
            let values = [json!(format!("-{most}")), json!(most), json!(null)];
            let found = texts(&one(&format!("decimal({digits},{scale})"), &values));
            assert_eq!(found, [Some(format!("-{most}")), Some(most), None], "decimal({digits},{scale})");
        }
    }
}

#[test]
fn settings_of_a_column_are_its_own_and_not_those_of_a_field_of_its_name() {
    let text = || arrays::array(&DataType::Utf8, &vec![json!("same"); 100]);
    let s = DataType::Struct(Fields::from(vec![Field::new("raw", DataType::Utf8, true)]));
    let schema = Schema::new(vec![Field::new("raw", DataType::Utf8, true), Field::new("s", s.clone(), true)]);
    let nested = arrays::array(&s, &vec![json!({"raw": "same"}); 100]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![text(), nested]).unwrap();
    let options = EncodeOptions { plain_columns: vec!["raw".into()], ..Default::default() };
    let reader = SerializedFileReader::new(parquet(&batch, &options).unwrap().bytes).unwrap();
    let what = |i: usize| {
        let column = reader.metadata().row_group(0).column(i).clone();
        (column.column_path().string(), column.dictionary_page_offset().is_some(), column.statistics().is_some())
    };
    assert_eq!([what(0), what(1)], [("raw".into(), false, false), ("s.raw".into(), true, true)]);
}

#[test]
fn what_readers_cannot_read_is_refused_at_every_depth() {
    let refused = |data_type: DataType| {
        let column = arrow_array::new_null_array(&data_type, 1);
        let schema = Schema::new(vec![Field::new("c", data_type, true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap();
        parquet(&batch, &EncodeOptions::default()).unwrap_err().to_string()
    };
    let list = |t: DataType| DataType::List(Arc::new(Field::new("element", t, true)));
    let entry = |key: DataType, value: DataType| {
        let fields = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
        DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(fields), false)), false)
    };
    let micros = || DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("+00:00".into()));
    for wrong in [
        list(micros()),
        entry(DataType::Utf8, list(micros())),
        DataType::Struct(Fields::from(vec![Field::new("at", micros(), true)])),
        entry(DataType::Int32, DataType::Int32),
        DataType::Struct(Fields::empty()),
        DataType::Decimal128(5, -1),
        DataType::Decimal256(5, 2),
        DataType::Date64,
        DataType::UInt32,
        list(DataType::Null),
    ] {
        let text = refused(wrong);
        assert!(text.starts_with("column c: ") && text.ends_with(" cannot be landed"), "{text}");
    }
}

#[test]
fn files_with_nested_columns_are_inspected_whole() {
    let schema = schema();
    let every = every_type::batch(&schema, 50);
    let mut columns: Vec<(String, ArrayRef)> =
        schema.fields().iter().zip(every.columns()).map(|(f, c)| (f.name().clone(), c.clone())).collect();
    columns.push(("_kafka_partition".to_owned(), Arc::new(Int32Array::from(vec![4; 50]))));
    columns.push(("_kafka_offset".to_owned(), Arc::new(Int64Array::from_iter_values(100..150))));
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let place = inspect::PlaceColumns {
        topic: None,
        partition: "_kafka_partition".to_owned(),
        offset: "_kafka_offset".to_owned(),
    };
    let found = inspect::whole(parquet(&batch, &groups_of(20)).unwrap().bytes, Some(&place)).unwrap();
    assert_eq!(found.rows, 50);
    let places: Vec<_> = found.places.iter().map(|p| (p.partition, p.offset)).collect();
    assert_eq!(places, (100..150).map(|offset| (4, offset)).collect::<Vec<_>>());
}

#[test]
fn a_file_of_others_is_refused_by_its_type() {
    let foreign = |column: ArrayRef| {
        let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        read_back::rows(Bytes::from(writer.into_inner().unwrap()), 9)
    };
    let error = foreign(Arc::new(TimestampMicrosecondArray::from(vec![1]))).unwrap_err();
    assert_eq!(error.to_string(), "column c is of Arrow type Timestamp(µs): landfall writes no such file");
    let decimal = Decimal128Array::from(vec![-125]).with_precision_and_scale(5, 2).unwrap();
    assert_eq!(foreign(Arc::new(decimal)).unwrap().rows, [[Some("-1.25".to_owned())]]);
}

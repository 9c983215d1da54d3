//! What the plan resolves and what it refuses.

use super::*;
use crate::batch::Source;

fn errors(tables: &[Table], settings: &Settings) -> Vec<String> {
    Plan::new(tables, settings).unwrap_err()
}

fn columns(list: &[(&str, ColumnSource)]) -> TableSettings {
    TableSettings { columns: list.iter().map(|(n, s)| ((*n).to_owned(), s.clone())).collect(), ..Default::default() }
}

#[test]
fn the_seeds_tables() {
    let plan = Plan::new(&seeds(), &seed_settings()).unwrap();
    assert_eq!(plan.dead_letters, Some(3));
    assert_eq!(plan.decoder.fields().len(), 9);
    let t = &plan.tables[1];
    assert_eq!((t.raw_columns.join(","), t.timestamp_text_columns.join(",")), ("raw_event".into(), "timestamp".into()));
    assert_eq!(t.sources[..2], [Source::Value, Source::Timestamp]);
    let dead = &plan.tables[3];
    assert_eq!(dead.raw_columns, ["raw_event", "raw_bytes"]);
    assert!(dead.timestamp_text_columns.is_empty());
    assert_eq!(dead.sources[8], Source::BatchId);
}

#[test]
fn own_sources_win_over_those_of_all_tables_and_built_in_ones() {
    let declared = tables(&[(
        "t",
        "raw_event string, timestamp timestamp, k binary, n bigint, _kafka_partition int, _KAFKA_OFFSET bigint, \
         _kafka_topic string, _kafka_timestamp bigint, Id string",
    )]);
    let own = columns(&[
        ("raw_event", ColumnSource::Field("raw".into())),
        ("k", ColumnSource::KafkaKey),
        ("n", ColumnSource::BatchId),
    ]);
    let mut settings = settings(vec![("t", own)]);
    settings.messages.on_malformed = OnMalformed::Drop;
    let plan = Plan::new(&declared, &settings).unwrap();
    use Source::*;
    let want = [Field(0), Timestamp, Key, BatchId, Partition, Offset, Topic, Timestamp, Field(1)];
    assert_eq!(plan.tables[0].sources, want);
    assert_eq!((plan.decoder.fields(), plan.dead_letters), (&["raw".to_owned(), "Id".to_owned()][..], None));
}

#[test]
fn all_errors_at_once_each_with_its_key() {
    let mut s = seed_settings();
    s.tables.remove("guilds");
    s.tables.insert("gulids".into(), TableSettings::default());
    s.tables.insert("dead_letters".into(), on("event_type", FieldTest::Exists(true)));
    let own = columns(&[("Cost", ColumnSource::KafkaOffset), ("type", ColumnSource::KafkaPartition)]);
    s.tables.insert("purchases".into(), own);
    s.any_table.insert("cost".into(), ColumnSource::KafkaTopic);
    s.timestamp_zone = "Mars/Base".into();
    s.messages.max_message_bytes = NonZeroU64::new(1 << 40).unwrap();
    let got = errors(&seeds(), &s);
    for want in [
        "tables.gulids: no migration declares table gulids; known are sword_purchases, purchases, guilds, dead_letters; did you mean guilds?",
        "table guilds of migration 0003_guilds.sql has no [tables.guilds]; write an empty [tables.guilds] to send it every message",
        "tables.dead_letters.when: the dead-letter table takes no routed messages",
        "tables.purchases.columns.\"Cost\": table purchases has no column of this name",
        "did you mean cost?",
        "tables.purchases.columns.\"type\": kafka.partition cannot fill a column of type string (migration 0002_purchases.sql); make it one of int, bigint",
        "tables.\"*\".columns.\"cost\", in table sword_purchases: kafka.topic cannot fill a column of type bigint",
        "timestamp_zone: no zone is named Mars/Base",
        "messages.max_message_bytes: 1099511627776 is too large",
    ] {
        assert!(got.iter().any(|e| e.contains(want)), "{want}\n{got:#?}");
    }
    // `cost` of both tables of purchases.
    assert_eq!(got.len(), 9, "{got:#?}");
}

#[test]
fn memory_has_room_for_the_largest_message() {
    let mut s = seed_settings();
    s.messages.max_message_bytes = NonZeroU64::new(30 << 20).unwrap();
    assert_eq!(
        errors(&seeds(), &s),
        ["memory.max: 100663296 bytes are too few; it takes 50331648, and four times messages.max_message_bytes, \
          which is 31457280"]
    );
    s.memory.max = NonZeroU64::new(120 << 20).unwrap();
    assert!(Plan::new(&seeds(), &s).is_ok());
}

#[test]
fn the_dead_letter_table_is_there_when_asked_for_and_whole() {
    let ordinary = tables(&[("t", "a int")]);
    let mut s = settings(vec![("t", TableSettings::default())]);
    assert!(errors(&ordinary, &s)[0].contains("messages.on_malformed = \"dead_letter\" needs it"));
    s.messages.on_malformed = OnMalformed::Drop;
    assert!(Plan::new(&ordinary, &s).is_ok());
    s.messages.unrouted = Unrouted::DeadLetter;
    assert!(errors(&ordinary, &s)[0].contains("messages.unrouted = \"dead_letter\" needs it"));
    let poor = tables(&[("t", "a int"), ("dead_letters", "reason int, more string")]);
    let got = errors(&poor, &s);
    assert_eq!(got.len(), 3, "{got:#?}");
    assert!(got[0].contains("needs a column raw_bytes"));
    assert!(got[1].contains("the dead letter's reason cannot fill a column of type int"));
    assert!(got[2].contains("a dead letter has no JSON fields"));
}

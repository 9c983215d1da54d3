//! Which value wins, and what the settings then are.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::load::load_or_default;
use super::super::settings::{
    ColumnSource, FieldTest, Http, Kafka, Log, Memory, Messages, Metastore, OnMalformed, OnTypeError, Settings,
    StartingOffsets, Storage, TableSettings, Tombstones, Trigger, Unrouted, When,
};
use super::{ONE_TABLE, load_texts, variables};

fn defaults() -> Settings {
    Settings {
        job: "landfall".to_owned(),
        migrations: PathBuf::from("migrations"),
        timestamp_zone: "UTC".to_owned(),
        kafka: Kafka {
            bootstrap_servers: "localhost:9092".to_owned(),
            topics: vec!["events".to_owned()],
            group_id: "landfall-landfall".to_owned(),
            starting_offsets: StartingOffsets::Earliest,
            record_gaps: false,
            connect_timeout: Duration::from_secs(30),
            properties: BTreeMap::new(),
        },
        trigger: Trigger {
            interval: Duration::from_secs(10),
            max_bytes: NonZeroU64::new(64 << 20).unwrap(),
            max_rows: NonZeroU64::new(500_000).unwrap(),
        },
        memory: Memory { max: NonZeroU64::new(64 << 20).unwrap() },
        storage: Storage {
            url: "hdfs://localhost:8020".to_owned(),
            checkpoint: "/tmp/checkpoints_for_events".to_owned(),
            call_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(120),
            user: None,
            properties: BTreeMap::new(),
        },
        log: Log {
            slots_per_epoch: NonZeroU64::new(5000).unwrap(),
            retention: Duration::from_secs(7 * 24 * 3600),
            staging_retention: Duration::from_secs(24 * 3600),
        },
        metastore: Some(Metastore {
            uri: "thrift://localhost:9083".to_owned(),
            database: "default".to_owned(),
            call_timeout: Duration::from_secs(40),
            framed: false,
        }),
        http: Http { listen: Some(([127, 0, 0, 1], 8642).into()) },
        messages: Messages {
            on_malformed: OnMalformed::DeadLetter,
            unrouted: Unrouted::Drop,
            on_type_error: OnTypeError::Null,
            tombstones: Tombstones::Count,
            count_unknown_fields: false,
            max_message_bytes: NonZeroU64::new(16 << 20).unwrap(),
            max_depth: NonZeroU64::new(1000).unwrap(),
            dead_letter_table: "dead_letters".to_owned(),
            max_dead_letters: None,
            max_dead_letters_per_minute: None,
        },
        log_level: "info".to_owned(),
        watch_files: false,
        stop_within: Duration::from_secs(25),
        tables: BTreeMap::from([("t".to_owned(), TableSettings::default())]),
        any_table: BTreeMap::new(),
    }
}

fn seeds() -> Settings {
    let mut settings = defaults();
    let on_event_type = |test| TableSettings {
        when: Some(When::Field { field: vec!["event_type".to_owned()], test }),
        ..Default::default()
    };
    settings.kafka.properties = BTreeMap::from([("security.protocol".to_owned(), "PLAINTEXT".to_owned())]);
    settings.tables = BTreeMap::from([
        ("sword_purchases".to_owned(), on_event_type(FieldTest::Equals("purchase_sword".to_owned()))),
        ("purchases".to_owned(), on_event_type(FieldTest::Contains("purchase".to_owned()))),
        ("guilds".to_owned(), on_event_type(FieldTest::Contains("guild".to_owned()))),
    ]);
    settings.any_table = BTreeMap::from([
        ("raw_event".to_owned(), ColumnSource::KafkaValue),
        ("timestamp".to_owned(), ColumnSource::KafkaTimestamp),
    ]);
    settings
}

#[test]
fn without_a_file_the_embedded_one_is_read() {
    assert_eq!(load_texts(&[], &[]), Ok(seeds()));
}

#[test]
fn without_a_file_named_the_default_file_is_read_if_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("default.toml");
    std::fs::write(&file, ONE_TABLE).unwrap();
    assert_eq!(load_or_default(&[], variables(&[]), &file), Ok(defaults()));
    assert_eq!(load_or_default(&[], variables(&[]), Path::new("no/such.toml")), Ok(seeds()));
}

#[test]
fn a_file_alone_has_the_defaults_but_nothing_of_the_embedded_file() {
    assert_eq!(load_texts(&[ONE_TABLE], &[]), Ok(defaults()));
}

#[test]
fn later_files_go_over_earlier_ones_and_the_environment_over_all() {
    let base = "[kafka]\ntopics = ['a', 'b']\n[trigger]\ninterval = '1m'\nmax_rows = 7\n\
                [tables.T.columns]\nx = 'kafka.key'\n[tables.t2.when]\nfield = 'f'\nequals = 'x'";
    let over = "job = 'j'\n[kafka]\ntopics = ['c']\n[trigger]\ninterval = '2m'\n\
                [tables.t]\ncolumns.Y = 'batch.id'\n[tables.t2]\nwhen = { field = 'f', exists = true }";
    let env = [("LANDFALL__TRIGGER__INTERVAL", "3m"), ("LANDFALL_STACK", "x"), ("landfall__job", "x"), ("PATH", "/")];
    let settings = load_texts(&[base, over], &env).unwrap();

    assert_eq!(settings.job, "j");
    assert_eq!(settings.kafka.group_id, "landfall-j");
    assert_eq!(settings.kafka.topics, ["c"]);
    assert_eq!(settings.trigger.interval, Duration::from_secs(180));
    assert_eq!(settings.trigger.max_rows.get(), 7);
    let columns = BTreeMap::from([("Y".to_owned(), ColumnSource::BatchId), ("x".to_owned(), ColumnSource::KafkaKey)]);
    assert_eq!(settings.tables["t"], TableSettings { columns, ..Default::default() });
    let when = When::Field { field: vec!["f".to_owned()], test: FieldTest::Exists(true) };
    assert_eq!(settings.tables["t2"].when, Some(when));
}

#[test]
fn every_kind_of_key_can_come_from_the_environment() {
    let env = [
        ("LANDFALL__JOB", "j-1"),
        ("LANDFALL__KAFKA__TOPICS", "a, b"),
        ("LANDFALL__KAFKA__BOOTSTRAP_SERVERS", "k1:9092, k2:9092"),
        ("LANDFALL__KAFKA__GROUP_ID", "g"),
        ("LANDFALL__KAFKA__STARTING_OFFSETS", "latest"),
        ("LANDFALL__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SSL"),
        ("LANDFALL__KAFKA__PROPERTIES__SSL__KEY__PASSWORD", "pa55__word"),
        ("LANDFALL__KAFKA__PROPERTIES__FETCH_MIN_BYTES", "1"),
        ("LANDFALL__STORAGE__URL", "file:///data/"),
        ("LANDFALL__STORAGE__USER", ""),
        ("LANDFALL__STORAGE__PROPERTIES__DFS_CLIENT_USE_DATANODE_HOSTNAME", "true"),
        ("LANDFALL__TRIGGER__MAX_ROWS", "9"),
        ("LANDFALL__TRIGGER__MAX_BYTES", "1 MiB"),
        ("LANDFALL__METASTORE__FRAMED", "true"),
        ("LANDFALL__METASTORE__URI", ""),
        ("LANDFALL__TABLES__GUILDS__COLUMNS__GUILD_NAME", "name"),
        ("LANDFALL__TABLES__GUILDS__ON_TYPE_ERROR", "dead_letter"),
        ("LANDFALL__MESSAGES__COUNT_UNKNOWN_FIELDS", "true"),
        ("LANDFALL__TABLES__SWORDS__WHEN", "{ any = [{ field = 'A', in = ['x', 'y'] }] }"),
    ];
    let mut expected = seeds();
    expected.job = "j-1".to_owned();
    expected.kafka.topics = vec!["a".to_owned(), "b".to_owned()];
    expected.kafka.bootstrap_servers = "k1:9092,k2:9092".to_owned();
    expected.kafka.group_id = "g".to_owned();
    expected.kafka.starting_offsets = StartingOffsets::Latest;
    for (name, value) in [("security.protocol", "SSL"), ("ssl.key.password", "pa55__word"), ("fetch.min.bytes", "1")] {
        expected.kafka.properties.insert(name.to_owned(), value.to_owned());
    }
    expected.storage.url = "file:///data".to_owned();
    expected.storage.properties = BTreeMap::from([("dfs.client.use.datanode.hostname".to_owned(), "true".to_owned())]);
    expected.trigger.max_rows = NonZeroU64::new(9).unwrap();
    expected.trigger.max_bytes = NonZeroU64::new(1 << 20).unwrap();
    expected.metastore = None;
    expected.messages.count_unknown_fields = true;
    let guilds = expected.tables.get_mut("guilds").unwrap();
    guilds.on_type_error = Some(OnTypeError::DeadLetter);
    guilds.columns.insert("guild_name".to_owned(), ColumnSource::Field("name".to_owned()));
    let test = FieldTest::In(vec!["x".to_owned(), "y".to_owned()]);
    let when = Some(When::Any(vec![When::Field { field: vec!["A".to_owned()], test }]));
    expected.tables.insert("swords".to_owned(), TableSettings { when, ..Default::default() });
    assert_eq!(load_texts(&[], &env), Ok(expected));
}

#[test]
fn property_names_may_be_quoted_or_not_and_values_numbers() {
    let text = "[kafka.properties]\nsecurity.protocol = 'SSL'\n'fetch.min.bytes' = 5\n\"isolation.level\" = \"read_uncommitted\"\n\
                enable.ssl.certificate.verification = false\n[tables.t]";
    let properties = load_texts(&[text], &[]).unwrap().kafka.properties;
    let shown: Vec<(&str, &str)> = properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("enable.ssl.certificate.verification", "false"),
            ("fetch.min.bytes", "5"),
            ("isolation.level", "read_uncommitted"),
            ("security.protocol", "SSL")
        ]
    );
}

#[test]
fn conditions_of_every_shape() {
    let field = |field: &str, test| When::Field { field: vec![field.to_owned()], test };
    let text = || "x".to_owned();
    for (condition, expected) in [
        ("{ field = 'f', equals = 'x' }", field("f", FieldTest::Equals(text()))),
        ("{ field = 'f', equals = '' }", field("f", FieldTest::Equals(String::new()))),
        ("{ field = 'f', contains = 'x' }", field("f", FieldTest::Contains(text()))),
        ("{ field = 'a.b', starts_with = 'x' }", field("a.b", FieldTest::StartsWith(text()))),
        ("{ field = 'f', ends_with = 'x' }", field("f", FieldTest::EndsWith(text()))),
        ("{ field = 'f', in = ['x', 'x'] }", field("f", FieldTest::In(vec![text(), text()]))),
        ("{ field = 'f', exists = false }", field("f", FieldTest::Exists(false))),
        ("{ not = { field = 'f', exists = true } }", When::Not(Box::new(field("f", FieldTest::Exists(true))))),
        (
            "{ all = [{ field = 'f', equals = 'x' }, { any = [{ field = 'g', exists = true }] }] }",
            When::All(vec![
                field("f", FieldTest::Equals(text())),
                When::Any(vec![field("g", FieldTest::Exists(true))]),
            ]),
        ),
    ] {
        let settings = load_texts(&[&format!("[tables.t]\nwhen = {condition}")], &[]).unwrap();
        assert_eq!(settings.tables["t"].when, Some(expected), "{condition}");
    }
}

//! Every way to be wrong, and what is said of it.

use std::path::{Path, PathBuf};

use super::super::load::load_or_default;
use super::super::{Settings, load};
use super::{ONE_TABLE, error_lines, load_texts, variables};
use crate::fault::Fault;

/// The one error of `text`, beside which a table stands.
fn one_error(text: &str) -> String {
    let lines = error_lines(&[&format!("{text}\n"), ONE_TABLE], &[]);
    assert_eq!(lines.len(), 1, "{text}: {lines:#?}");
    lines.into_iter().next().unwrap()
}

const DURATION: &str = "allowed: a whole number and its unit, ms, s, m or h, such as 500ms, 10s, 2m, 1h";
const SIZE: &str = "allowed: bytes as a whole number from 1, or with a unit kB, MB, GB, KiB, MiB, GiB, such as 64MiB";
const TOPICS: &str = "allowed: a list of at least one topic's name: letters, digits, `.`, `_`, `-`";
const URL: &str = "allowed: hdfs://host:port, hdfs://nameservice or file:///folder";
const SERVERS: &str = "allowed: host:port, several with commas between";

#[test]
fn a_wrong_value_is_shown_with_its_key_the_reason_and_what_is_allowed() {
    for (text, expected) in [
        ("trigger.interval = '10 seconds?'", format!("trigger.interval = \"10 seconds?\": not a duration; {DURATION}")),
        ("trigger.interval = 10", format!("trigger.interval = 10: not a text in quotes; {DURATION}")),
        ("trigger.interval = '10'", format!("trigger.interval = \"10\": a duration without its unit; {DURATION}")),
        ("trigger.interval = '0s'", format!("trigger.interval = \"0s\": a duration of nothing; {DURATION}")),
        ("trigger.max_bytes = '64 M'", format!("trigger.max_bytes = \"64 M\": not a size; {SIZE}")),
        ("trigger.max_bytes = 0", format!("trigger.max_bytes = 0: a size of nothing; {SIZE}")),
        ("trigger.max_bytes = true", format!("trigger.max_bytes = true: not a size; {SIZE}")),
        ("trigger.max_rows = -5", "trigger.max_rows = -5: not a whole number from 1; allowed: a whole number from 1".to_owned()),
        ("trigger.max_rows = '5'", "trigger.max_rows = \"5\": not a whole number; allowed: a whole number from 1".to_owned()),
        ("metastore.framed = 'true'", "metastore.framed = \"true\": neither; allowed: true or false".to_owned()),
        ("job = 'a b'", "job = \"a b\": not a job's name; allowed: letters, digits, `.`, `_`, `-`, the first a letter or digit".to_owned()),
        ("job = 5", "job = 5: not a text in quotes; allowed: letters, digits, `.`, `_`, `-`, the first a letter or digit".to_owned()),
        ("migrations = ''", "migrations = \"\": empty; allowed: a folder's path".to_owned()),
        ("timestamp_zone = 'Europe/Berln'", "timestamp_zone = \"Europe/Berln\": no such time zone; did you mean Europe/Berlin?; allowed: the IANA name of a time zone, such as UTC or Europe/Berlin".to_owned()),
        ("kafka.starting_offsets = 'newest'", "kafka.starting_offsets = \"newest\": not a word known here; allowed: earliest, latest".to_owned()),
        ("messages.on_malformed = 'ignore'", "messages.on_malformed = \"ignore\": not a word known here; allowed: dead_letter, drop, fail".to_owned()),
        ("messages.unrouted = 'fail'", "messages.unrouted = \"fail\": not a word known here; allowed: drop, dead_letter".to_owned()),
        ("messages.tombstones = 'drop'", "messages.tombstones = \"drop\": not a word known here; allowed: count, dead_letter".to_owned()),
        ("[tables.x]\non_type_error = 'fail'", "tables.x.on_type_error = \"fail\": not a word known here; allowed: null, dead_letter".to_owned()),
        ("kafka.topics = 'a'", format!("kafka.topics = \"a\": not a list; {TOPICS}")),
        ("kafka.topics = []", format!("kafka.topics = []: an empty list; {TOPICS}")),
        ("kafka.topics = ['a', 'a']", format!("kafka.topics = [\"a\", \"a\"]: \"a\" stands there twice; {TOPICS}")),
        ("kafka.topics = ['a b']", format!("kafka.topics = [\"a b\"]: \"a b\" is not a topic's name; {TOPICS}")),
        ("kafka.topics = [1]", format!("kafka.topics = [1]: not a text in quotes; {TOPICS}")),
        ("kafka.bootstrap_servers = 'a:1,b'", format!("kafka.bootstrap_servers = \"a:1,b\": the port is missing; {SERVERS}")),
        ("kafka.bootstrap_servers = 'a:99999'", format!("kafka.bootstrap_servers = \"a:99999\": \"99999\" is not a port from 1 to 65535; {SERVERS}")),
        ("kafka.bootstrap_servers = 'u:pa55@a:1'", format!("kafka.bootstrap_servers = \"(hidden)@a:1\": an address without a user is wanted; {SERVERS}")),
        ("storage.url = 's3://bucket'", format!("storage.url = \"s3://bucket\": neither an hdfs nor a file URL; {URL}")),
        ("storage.url = 'file://tmp/x'", format!("storage.url = \"file://tmp/x\": a file URL has three slashes and an absolute path; {URL}")),
        ("storage.url = 'hdfs://h:8020/x'", format!("storage.url = \"hdfs://h:8020/x\": an hdfs URL must end after the host: locations and the checkpoint are whole paths; {URL}")),
        ("storage.url = 'hdfs://u:pa55@h'", format!("storage.url = \"hdfs://(hidden)@h\": an address without a user is wanted; {URL}")),
        ("storage.checkpoint = 'tmp'", "storage.checkpoint = \"tmp\": not an absolute path; allowed: an absolute path such as /jobs/events".to_owned()),
        ("metastore.uri = 'localhost:9083'", "metastore.uri = \"localhost:9083\": not a thrift URI; allowed: thrift://host:port, several with commas between, or empty".to_owned()),
        ("metastore.database = 'a-b'", "metastore.database = \"a-b\": not a name that Hive takes; allowed: letters, digits and _".to_owned()),
        ("messages.max_dead_letters = '105%'", "messages.max_dead_letters = \"105%\": more than all; allowed: a share of the messages such as 5% or 0.5%".to_owned()),
        ("messages.max_dead_letters = 5", "messages.max_dead_letters = 5: not a text in quotes; allowed: a share of the messages such as 5% or 0.5%".to_owned()),
        ("messages.max_dead_letters_per_minute = 0", "messages.max_dead_letters_per_minute = 0: not a whole number from 1; allowed: a whole number from 1".to_owned()),
        ("kafka.properties.a = ['x']", "kafka.properties.a = [\"x\"]: not a single value; allowed: text, a number or true or false".to_owned()),
        ("kafka.properties.isolation.level = 'x'", "kafka.properties.\"isolation.level\" = \"x\": not a word known here; allowed: read_committed, read_uncommitted".to_owned()),
        ("kafka = 5", "kafka = 5: not a section; allowed: a table of bootstrap_servers, topics, group_id, starting_offsets, on_gap, connect_timeout, properties".to_owned()),
        ("tables.x = 'all'", "tables.x = \"all\": not a section; allowed: a table of when, on_type_error, columns".to_owned()),
        ("[tables.a-b]", "tables.a-b: not a name that Hive takes; allowed: letters, digits and _".to_owned()),
        ("[tables.Dead_Letters]", "tables.dead_letters: the dead-letter table takes no routed messages: its rows and columns are built in; remove it here, or name another table in messages.dead_letter_table".to_owned()),
        ("[tables.A]\n[tables.a]", "tables.a: given twice in one file, in two spellings; keep one".to_owned()),
        ("[kafka.properties]\na.b = 1\n'a.b' = 2", "kafka.properties.\"a.b\": given twice in one file, in two spellings; keep one".to_owned()),
    ] {
        assert_eq!(one_error(text), expected);
    }
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    for (text, expected) in [
        ("kafka.bootstrap_server = 'a'", "kafka.bootstrap_server: unknown key; did you mean kafka.bootstrap_servers?"),
        (
            "kafka.startingOffsets = 'latest'",
            "kafka.startingOffsets: unknown key; did you mean kafka.starting_offsets?",
        ),
        ("[kafk]\nx = 1", "kafk: unknown key; did you mean kafka?"),
        ("bootstrap_servers = 'a'", "bootstrap_servers: unknown key; did you mean kafka.bootstrap_servers?"),
        ("kafka.checkpoint = '/a'", "kafka.checkpoint: unknown key; did you mean storage.checkpoint?"),
        ("tables.x.wen = 1", "tables.x.wen: unknown key; did you mean tables.x.when?"),
        ("tables.'*'.when = 1", "tables.\"*\".when: unknown key; tables.\"*\" may hold only columns"),
        ("trigger.zzzzzz = 'pa55'", "trigger.zzzzzz: unknown key; known here: interval, max_bytes, max_rows"),
        (
            "zzzzzzzz = 1",
            "zzzzzzzz: unknown key; known here: job, migrations, timestamp_zone, kafka, trigger, memory, storage, log, metastore, http, messages, logging, reload, shutdown, tables",
        ),
    ] {
        assert_eq!(one_error(text), expected);
    }
}

#[test]
fn properties_that_landfall_owns_are_refused_by_name() {
    for name in [
        "bootstrap.servers",
        "metadata.broker.list",
        "group.id",
        "auto.offset.reset",
        "enable.auto.commit",
        "auto.commit.enable",
        "enable.auto.offset.store",
        "auto.commit.interval.ms",
        "enable.partition.eof",
        "partition.assignment.strategy",
    ] {
        let line = one_error(&format!("[kafka.properties]\n'{name}' = 'pa55'"));
        assert!(line.starts_with(&format!("kafka.properties.\"{name}\": belongs to landfall: ")), "{line}");
        assert!(line.contains("; ") && !line.contains("pa55"), "{line}");
    }
    assert!(one_error("kafka.properties.group.id = 'g'").ends_with("use kafka.group_id"));
    assert!(load_texts(&["[storage.properties]\n'group.id' = 'x'\n[tables.t]"], &[]).is_ok());
}

const FIELD: &str = "allowed: the name of a JSON field at the message's top level, or a path such as $.a.b";
const PATTERN: &str = "allowed: a regular expression as the Rust library regex has it, such as \"^purchase_(sword|shield)$\"; it may match anywhere in the text";
const SHAPE: &str = "allowed: { field = \"…\" } with one of equals, contains, starts_with, ends_with, matches, in, exists; or one of { all = [ … ] }, { any = [ … ] }, { not = { … } }";

#[test]
fn conditions_must_have_one_field_and_one_test() {
    for (condition, expected) in [
        ("'x'", format!("tables.x.when = \"x\": not a condition; {SHAPE}")),
        ("{}", format!("tables.x.when: an empty condition; {SHAPE}")),
        ("{ field = 'f' }", format!("tables.x.when: a field without a test; {SHAPE}")),
        ("{ equals = 'f' }", format!("tables.x.when: equals without a field; {SHAPE}")),
        ("{ field = 'f', equals = 'x', in = ['y'] }", format!("tables.x.when: more than one test (equals, in); {SHAPE}")),
        ("{ field = 'f', all = [] }", format!("tables.x.when: all beside a field; {SHAPE}")),
        ("{ all = [], any = [] }", format!("tables.x.when: more than one test (all, any); {SHAPE}")),
        ("{ all = [] }", "tables.x.when.all = []: not a list of conditions; allowed: a list of at least one condition".to_owned()),
        ("{ any = [{ not = 5 }] }", format!("tables.x.when.any[0].not = 5: not a condition; {SHAPE}")),
        ("{ field = 'f', matches = 'a(b' }", format!("tables.x.when.matches = \"a(b\": unclosed group, at character 2; {PATTERN}")),
        ("{ field = 'f', matches = 'é[z-a]' }", format!("tables.x.when.matches = \"é[z-a]\": invalid character class range, the start must be <= the end, at character 3; {PATTERN}")),
        ("{ field = 'f', matches = '(a{1000}){1000}' }", format!("tables.x.when.matches = \"(a{{1000}}){{1000}}\": Compiled regex exceeds size limit of 10485760 bytes.; {PATTERN}")),
        ("{ field = 'f', matches = 5 }", "tables.x.when.matches = 5: not a text in quotes; allowed: the text to compare with, in quotes; a number as its text, such as \"5\"".to_owned()),
        ("{ field = 'f', equal = 'x' }", "tables.x.when.equal: unknown key; did you mean tables.x.when.equals?".to_owned()),
        ("{ field = 'f', greater_than = 'x' }", format!("tables.x.when.greater_than: unknown key; {SHAPE}")),
        ("{ field = '$.a[0]', equals = 'x' }", format!("tables.x.when.field = \"$.a[0]\": a path of names is wanted, without indexes and filters: ['name']; {FIELD}")),
        ("{ field = '', equals = 'x' }", format!("tables.x.when.field = \"\": no name; {FIELD}")),
        ("{ field = 'f', equals = 5 }", "tables.x.when.equals = 5: not a text in quotes; allowed: the text to compare with, in quotes; a number as its text, such as \"5\"".to_owned()),
        ("{ field = 'f', contains = '' }", "tables.x.when.contains = \"\": it is in every text; allowed: a text of at least one character, or exists = true instead".to_owned()),
        ("{ field = 'f', in = 'x' }", "tables.x.when.in = \"x\": not a list of texts; allowed: a list of at least one text, such as [\"a\", \"b\"]; numbers as their text".to_owned()),
        ("{ field = 'f', in = [1] }", "tables.x.when.in = [1]: not all texts in quotes; allowed: a list of at least one text, such as [\"a\", \"b\"]; numbers as their text".to_owned()),
        ("{ field = 'f', exists = 'yes' }", "tables.x.when.exists = \"yes\": neither; allowed: true or false".to_owned()),
    ] {
        assert_eq!(one_error(&format!("[tables.x]\nwhen = {condition}")), expected);
    }
    let lines = error_lines(&["[tables.x]\nwhen = { any = [{ field = 1, exists = 2 }, {}] }"], &[]);
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let lines = error_lines(&[ONE_TABLE], &[("LANDFALL__TABLES__T__WHEN", "f = 'x'")]);
    assert_eq!(
        lines,
        ["tables.t.when = \"f = 'x'\": not a condition; allowed: as in a file, { field = \"…\", equals = \"…\" }"]
    );
}

#[test]
fn column_sources_must_be_known_and_columns_named_once() {
    let allowed = "allowed: a JSON field's name, a path of names such as $.a.b, or kafka.value, kafka.key, \
                   kafka.timestamp, kafka.topic, kafka.partition, kafka.offset, kafka.headers, batch.id; or date(…), hour(…) of kafka.timestamp, a field or a path";
    for (text, expected) in [
        (
            "[tables.x.columns]\na = 'kafka.ofset'",
            format!("tables.x.columns.a = \"kafka.ofset\": no such source; did you mean kafka.offset?; {allowed}"),
        ),
        (
            "[tables.'*'.columns]\n'a b' = '$..b'",
            format!("tables.\"*\".columns.\"a b\" = \"$..b\": a path with an empty name; {allowed}"),
        ),
        ("[tables.x.columns]\na = 5", format!("tables.x.columns.a = 5: not a text in quotes; {allowed}")),
        (
            "[tables.x.columns]\nHost = 'h'\nhost = 'h'",
            "tables.x.columns.host: the same column as \"Host\": Hive's columns do not care for case; keep one"
                .to_owned(),
        ),
        ("tables.x.columns = 5", "tables.x.columns = 5: not a section; allowed: a table of <column>".to_owned()),
    ] {
        assert_eq!(one_error(text), expected);
    }
}

#[test]
fn all_errors_come_at_once_each_with_where_it_came_from() {
    let text = "[kafka]\nbootstrap_server = 'x'\ntopics = []\n[trigger]\ninterval = '10 seconds?'\n[tables.t]";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prod.toml");
    std::fs::write(&file, text).unwrap();
    let env = [("LANDFALL__KAFKA__PROPERTIES__GROUP_ID", "g"), ("LANDFALL__TRIGGER__MAX_ROWS", "many")];
    let error = load(std::slice::from_ref(&file), variables(&env)).unwrap_err();
    let file = file.display();
    assert_eq!(
        error.to_string(),
        format!(
            "the configuration has 5 errors:
  kafka.bootstrap_server: unknown key; did you mean kafka.bootstrap_servers? [{file}]
  kafka.topics = []: an empty list; {TOPICS} [{file}]
  kafka.properties.\"group.id\": belongs to landfall: it has a key of its own; use kafka.group_id [environment variable LANDFALL__KAFKA__PROPERTIES__GROUP_ID]
  trigger.interval = \"10 seconds?\": not a duration; {DURATION} [{file}]
  trigger.max_rows = \"many\": not a whole number from 1; allowed: a whole number from 1 [environment variable LANDFALL__TRIGGER__MAX_ROWS]"
        )
    );
    assert_eq!(error.fault(), Fault::Config);
}

#[test]
fn files_that_cannot_be_read_are_errors_beside_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("broken.toml"), "[kafka]\npassword = hunter2 'x'\n").unwrap();
    std::fs::write(path("bytes.toml"), b"job = '\xff'").unwrap();
    std::fs::write(path("wrong.toml"), "job = 5").unwrap();
    let files: Vec<PathBuf> = ["missing.toml", "broken.toml", "bytes.toml", "wrong.toml"].map(path).into();
    let error = load_or_default(&files, variables(&[("LANDFALL__X____Y", "1")]), Path::new("none")).unwrap_err();
    let lines: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(lines[0].contains("missing.toml cannot be read: No such file"), "{}", lines[0]);
    assert!(lines[1].contains("broken.toml is not TOML: line 2, column 20; "), "{}", lines[1]);
    assert!(lines[2].contains("bytes.toml cannot be read: "), "{}", lines[2]);
    assert!(lines[3].starts_with("LANDFALL__X____Y: not a key's name"), "{}", lines[3]);
    assert!(lines[4].starts_with("job = 5: "), "{}", lines[4]);
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn a_configuration_without_a_table_is_an_error() {
    let line = "tables: no table is defined; add [tables.NAME] with its `when`, a section for each table";
    assert_eq!(error_lines(&[""], &[]), [line]);
    assert_eq!(error_lines(&["[tables.'*'.columns]\na = 'b'"], &[]), [line]);
}

#[test]
fn secrets_are_in_no_message() {
    let secret = "hunter2";
    let texts = [
        format!("kafka.sasl_password = '{secret}'"),
        format!("kafka.properties.sasl.password = ['{secret}']"),
        format!("kafka.properties.ssl.key.pem = ['{secret}']"),
        format!("storage.password = '{secret}'"),
        format!("storage.url = 'hdfs://anna:{secret}@h:8020'"),
        format!("metastore.uri = 'thrift://anna:{secret}@h:9083'"),
        format!("kafka.bootstrap_servers = 'a:1,anna:{secret}@h:9083'"),
        format!("kafka = '{secret}"),
        format!("kafka.properties = [{{ password = '{secret}' }}]"),
    ];
    for text in texts {
        let error = load_texts(&[&text, ONE_TABLE], &[]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error}");
    }
    let good =
        format!("kafka.properties.sasl.password = '{secret}'\nstorage.properties.secret = '{secret}'\n[tables.t]");
    let settings: Settings = load_texts(&[&good], &[]).unwrap();
    assert_eq!(settings.kafka.properties["sasl.password"], secret);
    assert!(!format!("{settings:?}").contains(secret));
}

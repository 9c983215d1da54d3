//! From the value tree to [`Settings`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::known;
use super::listen;
use super::problem::{ConfigError, Problem};
use super::reader::{Reader, text};
use super::scalar;
use super::settings::{
    ColumnSource, Http, Kafka, Log, Memory, Messages, Metastore, OnMalformed, OnTypeError, Settings, StartingOffsets,
    Storage, TableSettings, Tombstones, Trigger, Unrouted,
};
use super::tree::{Node, join_path};
use super::{source, when};

/// The settings that `root` says, or all that is wrong with it, after `problems`. Unless `is_whole`, a file could not be
/// read, and what is missing is not held against the rest.
pub(super) fn parse(root: &Node, mut problems: Vec<Problem>, is_whole: bool) -> Result<Settings, ConfigError> {
    known::check(root, &mut problems);
    let mut reader = Reader::new(root, problems);
    let settings = settings(&mut reader);
    if is_whole && root.get("tables").is_none_or(|tables| names(tables).next().is_none()) {
        let message = "no table is defined; add [tables.NAME] with its `when`, a section for each table".to_owned();
        reader.report("tables".to_owned(), message, None);
    }
    if reader.problems.is_empty() { Ok(settings) } else { Err(ConfigError::new(reader.problems)) }
}

fn names(tables: &Node) -> impl Iterator<Item = &String> {
    tables.entries().into_iter().flat_map(|entries| entries.keys()).filter(|name| *name != "*")
}

fn settings(reader: &mut Reader<'_>) -> Settings {
    let job = reader.text("job");
    Settings {
        migrations: PathBuf::from(reader.text("migrations")),
        timestamp_zone: reader.text("timestamp_zone"),
        kafka: kafka(reader, &job),
        trigger: Trigger {
            interval: reader.duration("trigger.interval"),
            max_bytes: reader.size("trigger.max_bytes"),
            max_rows: reader.count("trigger.max_rows"),
        },
        memory: Memory { max: reader.size("memory.max") },
        storage: storage(reader),
        log: Log {
            slots_per_epoch: reader.count("log.slots_per_epoch"),
            retention: reader.duration("log.retention"),
            staging_retention: reader.duration("log.staging_retention"),
        },
        metastore: metastore(reader),
        http: Http { listen: listen::address(&reader.text("http.listen")) },
        messages: messages(reader),
        log_level: reader.text("logging.level"),
        watch_files: reader.bool("reload.watch"),
        stop_within: reader.duration("shutdown.timeout"),
        any_table: columns(reader, "*"),
        tables: tables(reader),
        job,
    }
}

fn kafka(reader: &mut Reader<'_>, job: &str) -> Kafka {
    Kafka {
        bootstrap_servers: reader.text("kafka.bootstrap_servers"),
        topics: reader.list("kafka.topics"),
        group_id: reader.optional_text("kafka.group_id").unwrap_or_else(|| format!("landfall-{job}")),
        starting_offsets: match reader.one_of("kafka.starting_offsets") {
            "latest" => StartingOffsets::Latest,
            _ => StartingOffsets::Earliest,
        },
        record_gaps: reader.one_of("kafka.on_gap") == "record",
        connect_timeout: reader.duration("kafka.connect_timeout"),
        properties: reader.properties("kafka.properties"),
    }
}

fn storage(reader: &mut Reader<'_>) -> Storage {
    Storage {
        url: reader.text("storage.url"),
        checkpoint: reader.text("storage.checkpoint"),
        call_timeout: reader.duration("storage.call_timeout"),
        write_timeout: reader.duration("storage.write_timeout"),
        // Compose files hand on unset variables as empty ones.
        user: reader.optional_text("storage.user").filter(|user| !user.is_empty()),
        properties: reader.properties("storage.properties"),
    }
}

fn metastore(reader: &mut Reader<'_>) -> Option<Metastore> {
    // All of it is read in any case, for its errors.
    let metastore = Metastore {
        uri: reader.text("metastore.uri"),
        database: reader.text("metastore.database"),
        call_timeout: reader.duration("metastore.call_timeout"),
        framed: reader.bool("metastore.framed"),
    };
    Some(metastore).filter(|metastore| !metastore.uri.is_empty())
}

fn messages(reader: &mut Reader<'_>) -> Messages {
    Messages {
        on_malformed: match reader.one_of("messages.on_malformed") {
            "drop" => OnMalformed::Drop,
            "fail" => OnMalformed::Fail,
            _ => OnMalformed::DeadLetter,
        },
        unrouted: match reader.one_of("messages.unrouted") {
            "dead_letter" => Unrouted::DeadLetter,
            _ => Unrouted::Drop,
        },
        on_type_error: on_type_error(reader.one_of("messages.on_type_error")),
        tombstones: match reader.one_of("messages.tombstones") {
            "dead_letter" => Tombstones::DeadLetter,
            _ => Tombstones::Count,
        },
        count_unknown_fields: reader.bool("messages.count_unknown_fields"),
        max_message_bytes: reader.size("messages.max_message_bytes"),
        max_depth: reader.count("messages.max_depth"),
        dead_letter_table: reader.text("messages.dead_letter_table"),
        max_dead_letters: reader.optional_share("messages.max_dead_letters"),
        max_dead_letters_per_minute: reader.optional_count("messages.max_dead_letters_per_minute"),
    }
}

fn on_type_error(word: &str) -> OnTypeError {
    if word == "dead_letter" { OnTypeError::DeadLetter } else { OnTypeError::Null }
}

fn tables(reader: &mut Reader<'_>) -> BTreeMap<String, TableSettings> {
    let Some(root) = reader.node("tables") else { return BTreeMap::new() };
    let dead_letter_table = root_text(reader, "messages.dead_letter_table");
    let mut tables = BTreeMap::new();
    for name in names(root) {
        let Some(node) = root.entries().and_then(|entries| entries.get(name)) else { continue };
        let key = join_path(&["tables".to_owned(), name.clone()]);
        if let Err(reason) = scalar::hive_name(name) {
            reader.report(key.clone(), format!("{reason}; allowed: letters, digits and _"), Some(node));
        }
        if *name == dead_letter_table {
            let message = "the dead-letter table takes no routed messages: its rows and columns are built in; remove it \
                           here, or name another table in messages.dead_letter_table";
            reader.report(key.clone(), message.to_owned(), Some(node));
        }
        let when = match node.get("when") {
            Some(condition) => when::parse(reader, &format!("{key}.when"), condition),
            None => None,
        };
        let strict = node.get("on_type_error").and_then(|node| {
            let word = reader.word("tables.<table>.on_type_error", &format!("{key}.on_type_error"), node);
            word.map(on_type_error)
        });
        tables.insert(name.clone(), TableSettings { when, on_type_error: strict, columns: columns(reader, name) });
    }
    tables
}

/// The name at `path` or its default; what is wrong with it is reported where it is read for good.
fn root_text(reader: &Reader<'_>, path: &str) -> String {
    let given = reader.node(path).and_then(|node| text(node).ok());
    given.map_or_else(|| super::keys::find(path).map_or("", |key| key.default()).to_owned(), str::to_lowercase)
}

fn columns(reader: &mut Reader<'_>, table: &str) -> BTreeMap<String, ColumnSource> {
    let mut columns: BTreeMap<String, ColumnSource> = BTreeMap::new();
    let tables = reader.node("tables").and_then(Node::entries);
    let given = tables.and_then(|tables| tables.get(table)?.get("columns")?.entries());
    for (name, node) in given.into_iter().flatten() {
        let key = join_path(&["tables".to_owned(), table.to_owned(), "columns".to_owned(), name.clone()]);
        if let Some(twin) = columns.keys().find(|other| other.eq_ignore_ascii_case(name)) {
            let message = format!("the same column as {twin:?}: Hive's columns do not care for case; keep one");
            reader.report(key, message, Some(node));
            continue;
        }
        match text(node).and_then(source::parse) {
            Ok(source) => drop(columns.insert(name.clone(), source)),
            Err(reason) => {
                let allowed = super::keys::find("tables.<table>.columns.<column>").map(|key| key.allowed());
                reader.refuse(key, node, &reason, &allowed.unwrap_or_default());
            }
        }
    }
    columns
}

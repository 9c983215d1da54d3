//! Every configuration key, once: the reader knows no others and the documentation is made from this list.

use super::{listen, scalar};

/// What a key's value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Duration,
    Size,
    Count,
    Bool,
    OneOf(&'static [&'static str]),
    Text(Check),
    List(Check),
    Condition,
    ColumnSource,
    Property,
}

/// How a text is checked: gives the text to keep, or the reason against it.
pub(super) type Check = fn(&str) -> Result<String, String>;

/// What holds where a key is not given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Preset {
    /// This value, written as the environment would.
    Value(&'static str),
    /// Nothing, or something worked out: in words.
    Derived(&'static str),
}

/// One configuration key. `<…>` in its path stands for any name.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Full path as TOML writes it, such as `trigger.interval`.
    pub path: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
    allowed: &'static str,
    pub(super) kind: Kind,
    pub(super) preset: Preset,
}

const DURATION: &str = "a whole number and its unit, ms, s, m or h, such as 500ms, 10s, 2m, 1h";
const SIZE: &str = "bytes as a whole number from 1, or with a unit kB, MB, GB, KiB, MiB, GiB, such as 64MiB";

impl Key {
    /// What is allowed, in words.
    pub fn allowed(&self) -> String {
        match self.kind {
            Kind::Duration => DURATION.to_owned(),
            Kind::Size => SIZE.to_owned(),
            Kind::Count => "a whole number from 1".to_owned(),
            Kind::Bool => "true or false".to_owned(),
            Kind::OneOf(words) => words.join(", "),
            Kind::Text(_) | Kind::List(_) | Kind::Condition | Kind::ColumnSource | Kind::Property => {
                self.allowed.to_owned()
            }
        }
    }

    /// What holds where the key is not given: a value as the environment would write it, or words.
    pub fn default(&self) -> &'static str {
        match self.preset {
            Preset::Value(text) | Preset::Derived(text) => text,
        }
    }

    /// The path's segments, without quotes.
    pub(super) fn segments(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.path.split('.').map(|segment| segment.trim_matches('"'))
    }
}

/// Every key there is, in the order of the documentation.
pub fn describe_keys() -> &'static [Key] {
    &KEYS
}

/// The key at `path`.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

const fn key(
    path: &'static str,
    kind: Kind,
    preset: &'static str,
    allowed: &'static str,
    meaning: &'static str,
) -> Key {
    Key { path, meaning, allowed, kind, preset: Preset::Value(preset) }
}

const fn free(
    path: &'static str,
    kind: Kind,
    preset: &'static str,
    allowed: &'static str,
    meaning: &'static str,
) -> Key {
    Key { path, meaning, allowed, kind, preset: Preset::Derived(preset) }
}

use Kind::{Bool, ColumnSource, Condition, Count, Duration, List, OneOf, Property, Size, Text};

const NAME: &str = "letters, digits and _";
const SOURCE: &str = "a JSON field's name, a path of names such as $.a.b, or kafka.value, kafka.key, kafka.timestamp, kafka.topic, kafka.partition, kafka.offset, kafka.headers, batch.id; or date(…), hour(…) of kafka.timestamp, a field or a path";

#[rustfmt::skip]
const KEYS: [Key; 45] = [
    key("job", Text(scalar::job), "landfall", "letters, digits, `.`, `_`, `-`, the first a letter or digit",
        "The job's name: in file footers, owner files and the consumer group's name."),
    key("migrations", Text(scalar::some_text), "migrations", "a folder's path",
        "Folder of the `NNNN_name.sql` files that declare the tables."),
    key("timestamp_zone", Text(scalar::zone), "UTC", "the IANA name of a time zone, such as UTC or Europe/Berlin",
        "Zone in which a Kafka timestamp becomes text, and of texts that become timestamps and name no zone."),

    key("kafka.bootstrap_servers", Text(scalar::host_ports), "localhost:9092", "host:port, several with commas between",
        "Brokers to ask first."),
    key("kafka.topics", List(scalar::topic), "events", "a list of at least one topic's name: letters, digits, `.`, `_`, `-`",
        "Topics to read."),
    free("kafka.group_id", Text(scalar::some_text), "landfall-<job>", "any text",
        "Consumer group: daemons of one job share the partitions."),
    key("kafka.starting_offsets", OneOf(&["earliest", "latest"]), "earliest", "",
        "Where the first start ever begins; later ones go on where the job's log ends."),
    key("kafka.on_gap", OneOf(&["stop", "record"]), "stop", "",
        "When retention took messages that were not read: stop that partition, or go on behind them with a record in the log."),
    key("kafka.connect_timeout", Duration, "30s", "", "How long a start waits for the brokers."),
    free("kafka.properties.<name>", Property, "librdkafka's", "text, a number or true or false",
        "Any librdkafka property but those that landfall owns; `isolation.level` is `read_committed` unless given."),

    key("trigger.interval", Duration, "10s", "", "A micro-batch is closed at every such tick, counted from the start of the process …"),
    key("trigger.max_bytes", Size, "64MiB", "", "… or when its messages have this many bytes."),
    key("trigger.max_rows", Count, "500000", "", "… or when it has this many messages."),

    key("memory.max", Size, "64MiB", "",
        "What may be held on the way from Kafka to the storage, the Kafka client's queue included; at half of it a batch is closed early, at all of it reading pauses."),

    key("storage.url", Text(scalar::storage_url), "hdfs://localhost:8020", "hdfs://host:port, hdfs://nameservice or file:///folder",
        "Where the files live; every path is below it."),
    key("storage.checkpoint", Text(scalar::absolute_path), "/tmp/checkpoints_for_events", "an absolute path such as /jobs/events",
        "The job's own directory, with its log; one job each."),
    key("storage.call_timeout", Duration, "30s", "", "Limit of one NameNode call."),
    key("storage.write_timeout", Duration, "120s", "", "Limit of writing one file."),
    free("storage.user", Text(scalar::any_text), "HADOOP_USER_NAME, else the user of the process", "any text",
        "Name given to HDFS."),
    free("storage.properties.<name>", Property, "those of HADOOP_CONF_DIR", "text, a number or true or false",
        "Hadoop client properties, `dfs.client.…`."),

    key("log.slots_per_epoch", Count, "5000", "", "The log goes on in a new directory after so many batches."),
    key("log.retention", Duration, "168h", "", "A directory of the log is deleted so long after the log went on in another."),
    key("log.staging_retention", Duration, "24h", "", "What dead processes left in staging is deleted when it is so old."),

    key("metastore.uri", Text(scalar::thrift_uris_or_empty), "thrift://localhost:9083", "thrift://host:port, several with commas between, or empty",
        "The Hive metastore; of several servers the next one is used when one does not answer. Empty: somebody else registers the tables."),
    key("metastore.database", Text(scalar::hive_name), "default", NAME, "Database of tables whose DDL names none."),
    key("metastore.call_timeout", Duration, "40s", "",
        "Limit of one call; a database error inside Hive 3.1 takes 20 s to be answered."),
    key("metastore.framed", Bool, "false", "", "Whether the server speaks the framed transport."),

    key("http.listen", Text(listen::listen_or_off), "127.0.0.1:8642", "an IP address and a port such as 0.0.0.0:8642, port 0 for a free one; off, or empty: nothing is served",
        "Where status page, metrics and probes are served; by default to this machine only, for there is no password."),

    key("messages.on_malformed", OneOf(&["dead_letter", "drop", "fail"]), "dead_letter", "",
        "What a malformed message becomes: a dead letter, a counted drop, or the end of the daemon."),
    key("messages.unrouted", OneOf(&["drop", "dead_letter"]), "drop", "",
        "What a good message becomes that no table wants; it is counted either way."),
    key("messages.on_type_error", OneOf(&["null", "dead_letter"]), "null", "",
        "What becomes of a message with a value of another type than its column: it lands with null there, counted, or as a dead letter and in no table."),
    key("messages.tombstones", OneOf(&["count", "dead_letter"]), "count", "",
        "What a message with a null value becomes; it is counted either way."),
    key("messages.count_unknown_fields", Bool, "false", "",
        "Count the top-level fields of messages that no column of their table takes, by table and field. It costs another look at every message."),
    key("messages.max_message_bytes", Size, "16MiB", "", "A longer message is a dead letter with its first bytes and its length."),
    key("messages.max_depth", Count, "1000", "", "A message nested deeper is a dead letter."),
    key("messages.dead_letter_table", Text(scalar::hive_name), "dead_letters", NAME,
        "The table of the dead letters, declared by a migration like any other."),
    free("messages.max_dead_letters", Text(scalar::share_text), "none", "a share of the messages such as 5% or 0.5%",
        "When more of the last messages are dead letters, reading pauses until a restart; never below 20 of them."),
    free("messages.max_dead_letters_per_minute", Count, "none", "",
        "When there are more dead letters within a minute, reading pauses until the minute has passed."),

    key("logging.level", Text(scalar::log_level), "info", "off, error, warn, info, debug or trace; also by target, such as info,landfall::commit=debug",
        "What the daemon logs. `RUST_LOG` goes before it at the start."),

    key("reload.watch", Bool, "false", "",
        "Read the configuration and the migrations again when one of their files has changed; on SIGHUP that is done in any case."),

    key("shutdown.timeout", Duration, "25s", "",
        "How long a stop may take to land what was read; what is not landed then is read again by the next start, and the exit code is 75."),

    free("tables.<table>.when", Condition, "every message", "{ field = \"…\", equals = \"…\" } and the like, see below",
        "Which messages the table takes. A later file or variable replaces it as a whole."),
    free("tables.<table>.on_type_error", OneOf(&["null", "dead_letter"]), "messages.on_type_error", "",
        "The same as `messages.on_type_error`, for this table."),
    free("tables.<table>.columns.<column>", ColumnSource, "the JSON field of the column's name", SOURCE,
        "Where a column's values come from. The column is named as in the DDL."),
    free("tables.\"*\".columns.<column>", ColumnSource, "the JSON field of the column's name", SOURCE,
        "The same for the columns of this name in every table, unless the table says otherwise."),
];

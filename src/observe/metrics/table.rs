//! Every metric there is: name, kind, unit, labels, meaning. What is exposed, docs/metrics.md, the Grafana board and the
//! alert rules are held against this table by tests.
//!
//! Labels are bounded: names of tables and columns come from migrations, topics and partitions from Kafka's own names, all
//! others from lists in the code. Names of fields in messages are in no label.

/// What a metric does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations, sorted into buckets: with the suffixes `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// In what a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    None,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// As it stands in a metric's name.
    pub fn name(self) -> &'static str {
        match self {
            Unit::None => "",
            Unit::Bytes => "bytes",
            Unit::Seconds => "seconds",
        }
    }
}

/// One metric, with all its series.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its whole name, as it is exposed; of a histogram without suffix.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// In what it counts.
    pub unit: Unit,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($id:ident $kind:ident $unit:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(#[doc = $help]
        pub static $id: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// Every metric there is, in the order of the documentation.
        pub static ALL: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    BATCHES Counter None "landfall_batches_total" []
        "Batches landed";
    LANDED Counter None "landfall_messages_landed_total" ["outcome"]
        "Messages landed, by what became of each: event, dead_letter, dropped, unrouted, tombstone; their sum is all that \
         was read and landed";
    TABLE_ROWS Counter None "landfall_table_rows_total" ["table"]
        "Rows landed in a table";
    TABLE_BYTES Counter Bytes "landfall_table_bytes_total" ["table"]
        "Bytes of the Parquet files landed in a table";
    TABLE_FILES Counter None "landfall_table_files_total" ["table"]
        "Parquet files landed in a table";
    DEAD_LETTERS Counter None "landfall_dead_letters_total" ["reason"]
        "Dead letters landed, by reason";
    FIELD_ERRORS Counter None "landfall_field_errors_total" ["table", "column"]
        "Values that became null because they were of another type than their column";
    UNKNOWN_FIELDS Counter None "landfall_unknown_fields_total" ["table"]
        "Fields that no column of their table takes, if messages.count_unknown_fields is set; which ones, the status page says";

    READ Counter None "landfall_messages_read_total" ["topic"]
        "Messages read and decoded, also those that are read again after a rebalance";
    READ_BYTES Counter Bytes "landfall_read_bytes_total" ["topic"]
        "Bytes of keys, values and wanted headers of the messages read and decoded";
    LAG_MESSAGES Gauge None "landfall_lag_messages" ["topic", "partition"]
        "Offsets between what is landed and the end of a partition of this process; also while it is paused or stopped";
    LAG_SECONDS Gauge Seconds "landfall_lag_seconds" ["topic", "partition"]
        "Age of the oldest message that is not landed, by its Kafka timestamp, or, as long as it is not read, since it was \
         seen to be there; 0 when nothing is behind";
    END_AGE Gauge Seconds "landfall_partition_end_age_seconds" ["topic", "partition"]
        "For how long Kafka has not said where a partition ends: an old answer makes the lag too small";
    PARTITIONS Gauge None "landfall_partitions" ["state"]
        "Kafka partitions of this process that are assigned (not begun), reading, paused or stopped";
    STOPPED Gauge None "landfall_partition_stopped" ["topic", "partition"]
        "1 if a partition of this process is not read until a person decides, else 0";
    REBALANCES Counter None "landfall_rebalances_total" []
        "Times that the consumer group gave this process its partitions";
    PAUSES Counter None "landfall_pauses_total" ["cause"]
        "Times that reading was paused: what is read waits to be landed (memory), or there are too many dead letters (dead_letters)";
    PAUSED Counter Seconds "landfall_paused_seconds_total" ["cause"]
        "How long reading was paused in all";

    TRIGGER Histogram Seconds "landfall_trigger_execution_seconds" []
        "From the sealing of a batch until it is landed";
    PHASES Histogram Seconds "landfall_phase_seconds" ["phase"]
        "Time of a batch by phase: working time of the threads (poll, decode, encode), and of the clock (stage, commit, \
         publish); and the registrar's time to compare all tables (register)";
    LAST_BATCH Gauge None "landfall_last_batch_id" []
        "Number of the batch landed last: its slot in the log";
    LAST_LANDED Gauge Seconds "landfall_last_batch_landed_timestamp_seconds" []
        "When a batch was last landed, seconds since 1970; 0 before the first";
    NOT_LANDED Gauge Seconds "landfall_not_landed_seconds" []
        "For how long the oldest message that this process has read waits to be landed; 0 when nothing waits";
    TRIGGER_INTERVAL Gauge Seconds "landfall_trigger_interval_seconds" []
        "The configured trigger.interval";
    LOST_SLOTS Counter None "landfall_lost_slots_total" []
        "Slots of the log that another daemon won while this one went for them";
    REBASED Counter None "landfall_rebased_batches_total" []
        "Batches landed in a later slot than the first one tried";
    SUPERSEDED Counter None "landfall_superseded_batches_total" []
        "Batches dropped because another daemon had landed messages of theirs";
    AMBIGUOUS Counter None "landfall_ambiguous_replies_total" ["call"]
        "Calls of the commit whose outcome the reply left open, settled by reading: rename (of a batch into its slot), create \
         (of a staged file), publish (of a file into its table)";

    RETRIES Counter None "landfall_retries_total" ["service"]
        "Tries that failed and are made again, by service: kafka, storage, metastore";
    REFUSED Gauge None "landfall_kafka_refuses" []
        "1 if Kafka refuses to let this process in, or to let it read, else 0";
    OUTAGE Gauge Seconds "landfall_outage_seconds" ["service"]
        "For how long a service has not answered as it should; 0 when all is well";
    STORAGE_CALLS Histogram Seconds "landfall_storage_call_seconds" ["call"]
        "Calls of the storage, with and without success: mkdir, create, read, list, rename, delete";
    STORAGE_ERRORS Counter None "landfall_storage_errors_total" ["call", "error"]
        "Calls of the storage that failed: timed_out, unavailable, refused; and not_found, already_exists, which are mostly \
         answers that the commit asks for";

    UNREGISTERED Gauge None "landfall_unregistered_tables" []
        "Tables that are not registered in the metastore as they should be";
    TABLE_UNREGISTERED Gauge Seconds "landfall_table_unregistered_seconds" ["table"]
        "For how long a table has not been registered, or has differed, in the metastore; 0 when it is as it should be";
    UNREGISTERED_PARTITIONS Gauge None "landfall_unregistered_partitions" ["table"]
        "Partitions of a table that got rows and are not registered yet";
    PARTITIONS_UNREGISTERED Gauge Seconds "landfall_partitions_unregistered_seconds" ["table"]
        "For how long a table has always had partitions that are not registered; 0 when there are none";

    MEMORY_HELD Gauge Bytes "landfall_memory_held_bytes" []
        "Bytes held between Kafka's client and the storage";
    MEMORY_MAX Gauge Bytes "landfall_memory_max_bytes" []
        "Bytes that may be held there; at half of it a batch is closed early, at all of it reading pauses";
    RELOADS Counter None "landfall_config_reloads_total" ["result"]
        "Times that the configuration was read again while running: taken_over, or refused, so that the one before stays";
    CONFIG_TAKEN Gauge None "landfall_config_last_reload_successful" []
        "0 if the configuration was refused when it was last read again, else 1";
    BUILD Gauge None "landfall_build_info" ["version"]
        "1; the label says which landfall this is";
    START_TIME Gauge Seconds "process_start_time_seconds" []
        "When the process was started, seconds since 1970";
    CPU Counter Seconds "process_cpu_seconds_total" []
        "CPU time of the process, in user and kernel mode";
    RESIDENT Gauge Bytes "process_resident_memory_bytes" []
        "Memory of the process that is in RAM";
    VIRTUAL Gauge Bytes "process_virtual_memory_bytes" []
        "Address space of the process";
    OPEN_FDS Gauge None "process_open_fds" []
        "Open file descriptors";
    MAX_FDS Gauge None "process_max_fds" []
        "How many there may be; 0 if there is no limit";
    THREADS Gauge None "process_threads" []
        "Threads of the process";
}

/// What can become of a landed message: the values of `outcome`.
pub const OUTCOMES: [&str; 5] = ["event", "dead_letter", "dropped", "unrouted", "tombstone"];
/// The values of `phase`.
pub const PHASE_NAMES: [&str; 7] = ["poll", "decode", "encode", "stage", "commit", "publish", "register"];
/// The values of `cause`.
pub const CAUSES: [&str; 2] = ["memory", "dead_letters"];
/// The values of `state`.
pub const STATES: [&str; 4] = ["assigned", "reading", "paused", "stopped"];
/// The values of `call` of ambiguous replies.
pub const AMBIGUOUS_CALLS: [&str; 3] = ["rename", "create", "publish"];

/// The values of `result`.
pub const RELOAD_RESULTS: [&str; 2] = ["taken_over", "refused"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_conventions() {
        let mut names: Vec<_> = ALL.iter().map(|m| m.name).collect();
        for m in ALL {
            let base = m.name.strip_suffix("_total").unwrap_or(m.name);
            assert_eq!(m.name.ends_with("_total"), m.kind == Kind::Counter, "{}", m.name);
            assert!(base.ends_with(m.unit.name()), "{}", m.name);
            assert!(m.kind != Kind::Histogram || m.unit == Unit::Seconds, "{}", m.name);
            assert!(m.name.starts_with("landfall_") || m.name.starts_with("process_"), "{}", m.name);
            assert!(m.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", m.name);
            // `job` and `instance` are given by the Prometheus that scrapes.
            assert!(!m.labels.iter().any(|l| ["job", "instance", "le"].contains(l)), "{}", m.name);
            assert!(!m.help.ends_with('.') && m.help.len() > 10, "{}", m.name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}

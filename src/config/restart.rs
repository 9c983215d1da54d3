//! Which changes of the configuration a running daemon cannot take over.

use std::collections::{BTreeMap, BTreeSet};

use super::settings::{Kafka, Log, Settings, Storage};
use super::tree::join_path;

/// The keys that differ and take a restart; never their values. Their services, threads and places are made at the start.
pub fn needs_restart(old: &Settings, new: &Settings) -> Vec<String> {
    // Named one by one, so that a new one is thought of here.
    let Settings {
        job,
        migrations: _,
        timestamp_zone: _,
        kafka,
        trigger: _,
        memory,
        storage,
        log,
        metastore,
        http,
        messages: _,
        log_level: _,
        watch_files: _,
        stop_within,
        tables: _,
        any_table: _,
    } = old;
    let Kafka {
        bootstrap_servers,
        topics,
        group_id,
        starting_offsets: _, // only for the first start ever
        record_gaps: _,
        connect_timeout,
        properties,
    } = kafka;
    let Log { slots_per_epoch, retention: _, staging_retention: _ } = log;
    let Storage { url, checkpoint, call_timeout, write_timeout, user, properties: of_storage } = storage;
    let changed = [
        ("job", *job != new.job),
        ("kafka.bootstrap_servers", *bootstrap_servers != new.kafka.bootstrap_servers),
        ("kafka.topics", *topics != new.kafka.topics),
        ("kafka.group_id", *group_id != new.kafka.group_id),
        ("kafka.connect_timeout", *connect_timeout != new.kafka.connect_timeout),
        ("memory.max", *memory != new.memory),
        ("storage.url", *url != new.storage.url),
        ("storage.checkpoint", *checkpoint != new.storage.checkpoint),
        ("storage.call_timeout", *call_timeout != new.storage.call_timeout),
        ("storage.write_timeout", *write_timeout != new.storage.write_timeout),
        ("storage.user", *user != new.storage.user),
        ("log.slots_per_epoch", *slots_per_epoch != new.log.slots_per_epoch),
        ("[metastore]", *metastore != new.metastore),
        ("http.listen", *http != new.http),
        ("shutdown.timeout", *stop_within != new.stop_within),
    ];
    let mut keys: Vec<String> =
        changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key.to_owned()).collect();
    keys.extend(differing("kafka", properties, &new.kafka.properties));
    keys.extend(differing("storage", of_storage, &new.storage.properties));
    keys
}

fn differing(section: &str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let path = |name: &String| join_path(&[section.to_owned(), "properties".to_owned(), name.clone()]);
    names.into_iter().filter(|name| old.get(*name) != new.get(*name)).map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_texts;
    use super::*;

    #[test]
    fn keys_of_services_and_places_take_a_restart_and_those_of_tables_and_messages_do_not() {
        let old = load_texts(&["[tables.t]"], &[]).unwrap();
        let free = "timestamp_zone = 'Europe/Berlin'\nmigrations = 'other'\n[trigger]\ninterval = '1s'\nmax_rows = 7\n\
                    [messages]\nunrouted = 'dead_letter'\nmax_dead_letters = '5%'\n[logging]\nlevel = 'debug'\n[reload]\nwatch = true\n\
                    [kafka]\non_gap = 'record'\n[log]\nretention = '1h'\n[tables.t]\nwhen = { field = 'a', exists = true }\n[tables.u]";
        assert_eq!(needs_restart(&old, &load_texts(&[free], &[]).unwrap()), [""; 0]);
        let bound = "job = 'x'\n[kafka]\ntopics = ['z']\n[kafka.properties]\nsasl.password = 'pa55'\n[memory]\nmax = '128MiB'\n\
                     [storage]\nurl = 'file:///tmp/y'\n[metastore]\nuri = ''\n[tables.t]";
        let keys = needs_restart(&old, &load_texts(&[bound], &[]).unwrap());
        let wanted = [
            "job",
            "kafka.topics",
            "kafka.group_id",
            "memory.max",
            "storage.url",
            "[metastore]",
            "kafka.properties.\"sasl.password\"",
        ];
        assert_eq!(keys, wanted);
    }
}

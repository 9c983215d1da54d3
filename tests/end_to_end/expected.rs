//! What the tables must hold, made from the topic by other means than landfall's: serde_json's own values.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::topic::Message;
use crate::world::{World, assert_same_rows};

/// The columns that Presto shows, and their types.
pub const PURCHASES: [(&str, &str); 8] = [
    ("raw_event", "varchar"),
    ("timestamp", "varchar"),
    ("accept", "varchar"),
    ("host", "varchar"),
    ("user-agent", "varchar"),
    ("event_type", "varchar"),
    ("type", "varchar"),
    ("cost", "bigint"),
];
pub const GUILDS: [(&str, &str); 9] = [
    ("raw_event", "varchar"),
    ("timestamp", "varchar"),
    ("accept", "varchar"),
    ("host", "varchar"),
    ("user-agent", "varchar"),
    ("event_type", "varchar"),
    ("guild_member_cnt", "bigint"),
    ("guild_name", "varchar"),
    ("tot_guild_member_cnt", "bigint"),
];
pub const DEAD_LETTERS: [(&str, &str); 9] = [
    ("reason", "varchar"),
    ("detail", "varchar"),
    ("raw_event", "varchar"),
    ("raw_bytes", "varbinary"),
    ("kafka_topic", "varchar"),
    ("kafka_partition", "integer"),
    ("kafka_offset", "bigint"),
    ("kafka_timestamp", "timestamp"),
    ("batch_id", "bigint"),
];

/// Rows as Presto's JSON has them.
#[derive(Debug, Default)]
pub struct Expected {
    pub sword_purchases: Vec<Vec<Value>>,
    pub purchases: Vec<Vec<Value>>,
    pub guilds: Vec<Vec<Value>>,
    /// reason, raw_event, raw_bytes in hex, kafka_topic, kafka_partition, kafka_offset, kafka_timestamp
    pub dead_letters: Vec<Vec<Value>>,
    pub unrouted: usize,
    pub tombstones: usize,
    /// The rows end with Kafka's partition and offset.
    positions: bool,
}

impl Expected {
    pub fn of(topic: &str, messages: &[Message]) -> Expected {
        let mut expected = Expected::default();
        messages.iter().for_each(|message| expected.add(topic, message));
        expected
    }

    /// Of tables that [declare](crate::job::Job::declare_positions) Kafka's partition and offset.
    pub fn with_positions(topic: &str, messages: &[Message]) -> Expected {
        let mut expected = Expected { positions: true, ..Expected::default() };
        messages.iter().for_each(|message| expected.add(topic, message));
        expected
    }

    /// How many rows each of [`crate::job::TABLES`] must have.
    pub fn counts(&self) -> [usize; 4] {
        [&self.sword_purchases, &self.purchases, &self.guilds, &self.dead_letters].map(Vec::len)
    }

    /// The tables hold these rows: each once, and no others.
    pub fn assert_landed(&self, world: &World, catalog: &str, schema: &str) {
        self.assert_landed_where(world, catalog, schema, ["true", "true"]);
    }

    /// The same for a part of the rows, by a condition for the tables of events and one for the dead letters.
    pub fn assert_landed_where(&self, world: &World, catalog: &str, schema: &str, [events, dead]: [&str; 2]) {
        for (table, rows) in
            [("sword_purchases", &self.sword_purchases), ("purchases", &self.purchases), ("guilds", &self.guilds)]
        {
            let found = world.presto(catalog, &format!("select * from {schema}.{table} where {events}"));
            assert_same_rows(format!("{catalog}.{schema}.{table}"), &found, rows);
        }
        let columns =
            "reason, raw_event, to_hex(raw_bytes), kafka_topic, kafka_partition, kafka_offset, kafka_timestamp";
        let found = world.presto(catalog, &format!("select {columns} from {schema}.dead_letters where {dead}"));
        assert_same_rows(format!("{catalog}.{schema}.dead_letters"), &found, &self.dead_letters);
        let wrong = format!("({dead}) and (batch_id < 0 or batch_id is null or coalesce(detail, '') = '')");
        let found = world.presto(catalog, &format!("select * from {schema}.dead_letters where {wrong}"));
        assert!(found.is_empty(), "{catalog}: dead letters without batch or detail: {found:?}");
    }

    fn add(&mut self, topic: &str, message: &Message) {
        let Some(bytes) = &message.value else {
            self.tombstones += 1;
            return;
        };
        let raw = std::str::from_utf8(bytes).ok();
        let event = match (raw, serde_json::from_slice::<Value>(bytes)) {
            (Some(raw), Ok(Value::Object(event))) => (raw, Value::Object(event)),
            (raw, parsed) => {
                let reason = match (raw, parsed) {
                    (None, _) => "invalid_utf8",
                    (_, Err(_)) => "malformed_json",
                    (_, Ok(_)) => "not_an_object",
                };
                let hex: String = bytes.iter().map(|b| format!("{b:02X}")).collect();
                let time = time(message.timestamp_ms).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
                let (partition, offset) = (message.partition, message.offset);
                self.dead_letters.push(vec![
                    json!(reason),
                    json!(raw),
                    json!(hex),
                    json!(topic),
                    json!(partition),
                    json!(offset),
                    json!(time),
                ]);
                return;
            }
        };
        let kind = text(&event.1, "event_type");
        let kind = kind.as_str().unwrap_or_default();
        let mut wanted = false;
        for (rows, columns, wants) in [
            (&mut self.sword_purchases, &PURCHASES[..], kind == "purchase_sword"),
            (&mut self.purchases, &PURCHASES[..], kind.contains("purchase")),
            (&mut self.guilds, &GUILDS[..], kind.contains("guild")),
        ] {
            if wants {
                let cells = columns.iter().map(|(column, hive)| cell(column, hive, event.0, &event.1, message));
                let position = [json!(message.partition), json!(message.offset)];
                rows.push(cells.chain(position.into_iter().filter(|_| self.positions)).collect());
                wanted = true;
            }
        }
        self.unrouted += usize::from(!wanted);
    }
}

fn cell(column: &str, presto_type: &str, raw: &str, event: &Value, message: &Message) -> Value {
    match (column, presto_type) {
        ("raw_event", _) => json!(raw),
        ("timestamp", _) => json!(time(message.timestamp_ms).strftime("%Y-%m-%d %H:%M:%S%.f").to_string()),
        ("accept", _) => text(event, "Accept"),
        ("host", _) => text(event, "Host"),
        ("user-agent", _) => text(event, "User-Agent"),
        (column, "bigint") => json!(event[column].as_i64()),
        (column, _) => text(event, column),
    }
}

fn text(event: &Value, field: &str) -> Value {
    match &event[field] {
        Value::Null => Value::Null,
        Value::String(text) => json!(text),
        other => json!(other.to_string()),
    }
}

fn time(ms: i64) -> jiff::Zoned {
    Timestamp::from_millisecond(ms).unwrap().to_zoned(TimeZone::UTC)
}

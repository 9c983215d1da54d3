//! Tables and settings, resolved once into what every message goes through.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::SchemaRef;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::limits::{LEAST_MEMORY, MAX_BYTES};
use super::source::Source;
use crate::config::Settings;
use crate::config::settings::{ColumnSource, Messages, OnMalformed, OnTypeError, Tombstones, Unrouted};
use crate::decode::{Decoder, Names, Reason, Reject, UnionRow};
use crate::route::Router;
use crate::schema::{Column, HiveType, Table, arrow_schema};

/// What becomes of a message: how it is decoded, where it goes, what each column takes.
#[derive(Debug)]
pub struct Plan {
    /// The tables, in the order of their migrations.
    pub tables: Vec<PlannedTable>,
    /// Index of the dead-letter table, if there is one.
    pub dead_letters: Option<usize>,
    /// `[messages]`
    pub messages: Messages,
    /// `timestamp_zone`
    pub zone: TimeZone,
    pub(super) decoder: Decoder,
    pub(super) router: Router,
    /// Slots of the router's fields.
    pub(super) route_slots: Vec<usize>,
    /// Whether any table has these, so that most jobs need not look at each of a message's tables.
    pub(super) any_paths: bool,
    pub(super) any_strict: bool,
    /// Fields at the top level that are known to each table, if unknown ones are to be counted.
    pub(super) known_fields: Option<Vec<Names>>,
}

/// A table and where its columns come from.
#[derive(Debug)]
pub struct PlannedTable {
    /// The table as declared.
    pub table: Table,
    /// Its Arrow schema, that of the Parquet files.
    pub schema: SchemaRef,
    /// Source of each column.
    pub sources: Vec<Source>,
    /// Source of each partition column.
    pub partition_sources: Vec<Source>,
    /// Whether a message with a value of another type than its column is a dead letter.
    pub is_strict: bool,
    /// Whether a column is filled from the end of a path.
    pub has_paths: bool,
    /// Physical names of the columns that hold whole messages: rarely the same twice.
    pub raw_columns: Vec<String>,
    /// Physical names of the columns that hold Kafka timestamps as text: rarely the same twice.
    pub timestamp_text_columns: Vec<String>,
}

impl Plan {
    /// Resolves the tables of the migrations against the settings. Each error is a sentence with the key to change.
    pub fn new(tables: &[Table], settings: &Settings) -> Result<Plan, Vec<String>> {
        let mut b = Builder { tables, settings, fields: Vec::new(), errors: Vec::new() };
        b.check_names();
        let dead_letters = b.dead_letters();
        let planned: Vec<PlannedTable> = (0..tables.len()).map(|i| b.table(i, dead_letters == Some(i))).collect();
        let zone = b.zone();
        let (max, memory) = (settings.messages.max_message_bytes.get(), settings.memory.max.get());
        if max > MAX_BYTES / 2 {
            b.errors.push(format!("messages.max_message_bytes: {max} is too large, at most {} will do", MAX_BYTES / 2));
        } else if memory < LEAST_MEMORY.max(4 * max) {
            b.errors.push(format!(
                "memory.max: {memory} bytes are too few; it takes {LEAST_MEMORY}, and four times \
                 messages.max_message_bytes, which is {max}"
            ));
        }
        let taking = tables.iter().enumerate().filter(|(i, _)| dead_letters != Some(*i));
        let when = |t: &Table| settings.tables.get(&t.name).and_then(|s| s.when.as_ref());
        let router = Router::new(taking.map(|(i, t)| (i, when(t))));
        let route_slots: Vec<usize> = router.fields().iter().map(|f| b.slot(f)).collect();
        let known_fields = settings.messages.count_unknown_fields.then(|| {
            let routes = router.fields().iter().map(|f| &f[0]);
            let fields = |p: &PlannedTable| -> BTreeSet<String> {
                let slots = p.all_sources().filter_map(Source::slot);
                slots.map(|slot| &b.fields[slot][0]).chain(routes.clone()).cloned().collect()
            };
            planned.iter().map(|p| Names::new(fields(p).into_iter().collect())).collect()
        });
        if !b.errors.is_empty() {
            return Err(b.errors);
        }
        let decoder = Decoder::new(&b.fields, &route_slots, settings.messages.max_depth.get());
        let messages = settings.messages.clone();
        let any_paths = planned.iter().any(|t| t.has_paths);
        let any_strict = planned.iter().any(|t| t.is_strict);
        Ok(Plan {
            tables: planned,
            dead_letters,
            messages,
            zone,
            decoder,
            router,
            route_slots,
            any_paths,
            any_strict,
            known_fields,
        })
    }

    /// Whether a column wants the headers of messages.
    pub fn wants_headers(&self) -> bool {
        self.tables.iter().any(|t| t.sources.contains(&Source::Headers))
    }

    /// The message as text, its fields in `row`; or why it is no good.
    pub(super) fn read<'a>(&self, value: &'a [u8], row: &mut UnionRow<'a>) -> Result<&'a str, Reject> {
        if value.len() as u64 > self.messages.max_message_bytes.get() {
            let limit = self.messages.max_message_bytes;
            let detail = format!("the message has {} bytes, allowed are {limit}", value.len());
            return Err(Reject::new(Reason::TooLarge, detail));
        }
        let text = text(value)?;
        self.decoder.decode(text, row)?;
        Ok(text)
    }
}

/// The message as text. Most are valid, which the quicker check sees; only the other one says what is wrong.
fn text(value: &[u8]) -> Result<&str, Reject> {
    simdutf8::basic::from_utf8(value)
        .or_else(|_| std::str::from_utf8(value).map_err(|e| Reject::new(Reason::InvalidUtf8, e.to_string())))
}

impl PlannedTable {
    /// Sources of all columns, those of the partition columns last.
    pub fn all_sources(&self) -> impl Iterator<Item = Source> + '_ {
        self.sources.iter().chain(&self.partition_sources).copied()
    }
}

struct Builder<'a> {
    tables: &'a [Table],
    settings: &'a Settings,
    /// Every JSON field that is wanted, by its path; its place is its slot.
    fields: Vec<Vec<String>>,
    errors: Vec<String>,
}

impl Builder<'_> {
    fn slot(&mut self, path: &[String]) -> usize {
        self.fields.iter().position(|f| f == path).unwrap_or_else(|| {
            self.fields.push(path.to_vec());
            self.fields.len() - 1
        })
    }

    fn check_names(&mut self) {
        let names: Vec<&str> = self.tables.iter().map(|t| t.name.as_str()).collect();
        for (i, t) in self.tables.iter().enumerate() {
            if names[..i].contains(&t.name.as_str()) {
                let (name, file) = (&t.name, &t.migration);
                self.errors.push(format!("table {name} of migration {file}: [tables.{name}] would mean two tables"));
            }
        }
        for name in self.settings.tables.keys().filter(|n| !names.contains(&n.as_str())) {
            self.errors
                .push(format!("tables.{name}: no migration declares table {name}; {}", known("table", &names, name)));
        }
    }

    fn dead_letters(&mut self) -> Option<usize> {
        let Messages { on_malformed, unrouted, dead_letter_table, .. } = &self.settings.messages;
        let strict = self.settings.tables.iter().find(|(_, t)| t.on_type_error == Some(OnTypeError::DeadLetter));
        let found = self.tables.iter().position(|t| t.name == dead_letter_table.to_lowercase());
        let asks = if *on_malformed == OnMalformed::DeadLetter {
            "messages.on_malformed".to_owned()
        } else if *unrouted == Unrouted::DeadLetter {
            "messages.unrouted".to_owned()
        } else if self.settings.messages.tombstones == Tombstones::DeadLetter {
            "messages.tombstones".to_owned()
        } else if self.settings.messages.on_type_error == OnTypeError::DeadLetter {
            "messages.on_type_error".to_owned()
        } else if let Some((name, _)) = strict {
            format!("tables.{name}.on_type_error")
        } else {
            return found;
        };
        if found.is_none() {
            self.errors.push(format!(
                "messages.dead_letter_table: no migration declares table {dead_letter_table}, \
                 and {asks} = \"dead_letter\" needs it"
            ));
        }
        found
    }

    fn zone(&mut self) -> TimeZone {
        let name = &self.settings.timestamp_zone;
        // The zones that the binary carries: every daemon of a job must write the same text.
        TimeZoneDatabase::bundled().get(name).unwrap_or_else(|_| {
            self.errors.push(format!(
                "timestamp_zone: no zone is named {name}; expected an IANA name like UTC or Europe/Paris"
            ));
            TimeZone::UTC
        })
    }

    fn table(&mut self, index: usize, dead: bool) -> PlannedTable {
        let table = &self.tables[index];
        let none = BTreeMap::new();
        let configured = self.settings.tables.get(&table.name);
        let own = configured.map_or(&none, |s| &s.columns);
        let name = &table.name;
        if configured.is_none() && !dead {
            self.errors.push(format!(
                "table {name} of migration {} has no [tables.{name}]; \
                 write an empty [tables.{name}] to send it every message",
                table.migration
            ));
        }
        if dead && configured.is_some_and(|s| s.when.is_some()) {
            self.errors.push(format!("tables.{name}.when: the dead-letter table takes no routed messages"));
        }
        let columns: Vec<&str> = table.all_columns().map(|c| c.name.as_str()).collect();
        for column in own.keys().filter(|c| !columns.contains(&c.as_str())) {
            self.errors.push(format!(
                "tables.{name}.columns.\"{column}\": table {name} has no column of this name; {}",
                known("column", &columns, column)
            ));
        }
        if dead {
            for needed in ["reason", "raw_bytes"] {
                if !table.columns.iter().any(|c| c.physical_name == needed) {
                    let file = &table.migration;
                    self.errors.push(format!("dead-letter table {name} of migration {file} needs a column {needed}"));
                }
            }
        }
        if dead && !table.partition_columns.is_empty() {
            self.errors.push(format!(
                "dead-letter table {name} of migration {}: it cannot be PARTITIONED BY; leave the clause out",
                table.migration
            ));
        }
        let sources: Vec<Source> = table.columns.iter().map(|c| self.source(table, c, own, dead)).collect();
        let keys = &table.partition_columns;
        let partition_sources: Vec<Source> = keys.iter().map(|c| self.source(table, c, own, dead)).collect();
        for (key, source) in keys.iter().zip(&partition_sources).filter(|(_, s)| !dead && !s.parts()) {
            self.errors.push(format!(
                "table {name}, partition column {}: {} would make a partition of nearly every row; \
                 take a JSON field, date(…), hour(…), kafka.key, kafka.topic or kafka.partition",
                key.name,
                source.name()
            ));
        }
        let of = |source: Source, hive_type: Option<HiveType>| {
            let columns = table.columns.iter().zip(&sources);
            let fits = move |c: &Column| hive_type.as_ref().is_none_or(|t| *t == c.hive_type);
            columns.filter(|(c, s)| **s == source && fits(c)).map(|(c, _)| c.physical_name.clone()).collect()
        };
        let mut slots = sources.iter().chain(&partition_sources).filter_map(|s| s.slot());
        let paths = slots.any(|slot| self.fields[slot].len() > 1);
        let on_type_error = configured.and_then(|s| s.on_type_error).unwrap_or(self.settings.messages.on_type_error);
        PlannedTable {
            schema: arrow_schema(table),
            is_strict: on_type_error == OnTypeError::DeadLetter,
            has_paths: paths,
            raw_columns: of(Source::Value, None),
            timestamp_text_columns: of(Source::Timestamp, Some(HiveType::String)),
            table: table.clone(),
            sources,
            partition_sources,
        }
    }

    fn source(&mut self, table: &Table, c: &Column, own: &BTreeMap<String, ColumnSource>, dead: bool) -> Source {
        let (t, name) = (&table.name, &c.name);
        let own_key = format!("tables.{t}.columns.\"{name}\"");
        let by_name = Source::of_dead_letter(&c.physical_name).filter(|_| dead);
        let (key, source) = if let Some(source) = own.get(name) {
            (own_key.clone(), Source::new(source, |f| self.slot(f)))
        } else if let Some(source) = by_name {
            (format!("dead-letter table {t}, column {name}"), source)
        } else if let Some(source) = self.settings.any_table.get(name) {
            (format!("tables.\"*\".columns.\"{name}\", in table {t}"), Source::new(source, |f| self.slot(f)))
        } else if let Some(source) = Source::built_in(&c.physical_name) {
            (format!("table {t}, column {name}"), Source::new(&source, |f| self.slot(f)))
        } else {
            (format!("table {t}, column {name}"), Source::Field(self.slot(std::slice::from_ref(name))))
        };
        if dead && matches!(source, Source::Field(_)) {
            self.errors.push(format!(
                "{key}: a dead letter has no JSON fields; give the column a kafka.… source in {own_key}"
            ));
        } else if !source.fills(&c.hive_type) {
            self.errors.push(format!(
                "{key}: {} cannot fill a column of type {} (migration {}); make it one of {}",
                source.name(),
                c.hive_type,
                table.migration,
                source.types()
            ));
        }
        source
    }
}

/// The known names, and the nearest to `name` if it is near.
fn known(what: &str, names: &[&str], name: &str) -> String {
    let near = names.iter().map(|n| (strsim::damerau_levenshtein(&n.to_lowercase(), &name.to_lowercase()), n)).min();
    let near = near.filter(|(distance, _)| *distance <= name.len().div_ceil(3));
    let near = near.map_or(String::new(), |(_, n)| format!("; did you mean {n}?"));
    if names.is_empty() {
        format!("there is no {what} at all")
    } else {
        format!("known are {}{near}", names.join(", "))
    }
}

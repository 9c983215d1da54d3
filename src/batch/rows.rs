//! Messages become rows of their tables.

use std::sync::Arc;

use super::columns::{Input, TableBuffer};
use super::plan::Plan;
use super::sealed::{FieldErrors, SealedTable, UnknownField};
use super::unknown::UnknownFields;
use crate::decode::{Reject, TimestampText, UnionRow};
use crate::model::Record;
use crate::route::Router;

/// What becomes of a dead letter that is sent through the tables again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// It is rows of its tables, like any message.
    Landed,
    /// It is still no good, and nothing was done.
    Bad(Reject),
    /// It is good, no table wants it, and nothing was done.
    Unrouted,
}

/// The rows of all tables.
pub(super) struct Rows {
    pub plan: Arc<Plan>,
    router: Router,
    tables: Vec<TableBuffer>,
    timestamps: TimestampText,
    unknown: UnknownFields,
}

impl Rows {
    pub(super) fn new(plan: Arc<Plan>) -> Rows {
        Rows {
            router: plan.router.clone(),
            tables: plan.tables.iter().map(|t| TableBuffer::new(t, &plan.zone)).collect(),
            timestamps: TimestampText::new(plan.zone.clone()),
            unknown: UnknownFields::default(),
            plan,
        }
    }

    /// Makes a message rows of all tables that want it, or of none.
    pub(super) fn add<'m>(
        &mut self,
        record: &Record<'_>,
        topic: &str,
        message: &'m str,
        row: &mut UnionRow<'m>,
    ) -> Again {
        let Plan { tables, route_slots: slots, decoder, known_fields, .. } = &*self.plan;
        let mask = self.router.route(|i| row.raw(slots[i]).and_then(|raw| row.text_of(raw)));
        if mask.is_empty() {
            return Again::Unrouted;
        }
        if self.plan.any_paths && mask.tables().iter().any(|&t| tables[t].has_paths) {
            decoder.descend(row);
        }
        if self.plan.any_strict {
            let strict = mask.tables().iter().filter(|&&t| tables[t].is_strict);
            if let Some(reject) = strict.copied().find_map(|t| self.tables[t].refuses(&tables[t], row)) {
                return Again::Bad(reject);
            }
        }
        if let Some(known) = known_fields {
            self.unknown.count(message, mask.tables(), known);
        }
        let timestamp = record.timestamp_ms.map(|ms| self.timestamps.format(ms));
        let text = Some(message);
        let input = Input { record, topic, row, text, bytes: Some(message.as_bytes()), timestamp, reject: None };
        for &table in mask.tables() {
            self.tables[table].append(&tables[table], &input);
        }
        Again::Landed
    }

    /// Makes a message a row of the dead-letter table.
    pub(super) fn bury(
        &mut self,
        record: &Record<'_>,
        topic: &str,
        bytes: Option<&[u8]>,
        text: Option<&str>,
        reject: &Reject,
    ) {
        let table = self.plan.dead_letters.expect("the plan has a dead-letter table wherever a setting needs one");
        let timestamp = record.timestamp_ms.map(|ms| self.timestamps.format(ms));
        let row = &UnionRow::default();
        let input = Input { record, topic, row, text, bytes, timestamp, reject: Some(reject) };
        self.tables[table].append(&self.plan.tables[table], &input);
    }

    /// How many files they will be.
    pub(super) fn files(&self) -> usize {
        self.tables.iter().map(TableBuffer::files).sum()
    }

    /// Hands them out, with the values that did not fit their columns and the fields that have none.
    pub(super) fn finish(&mut self) -> (Vec<SealedTable>, Vec<FieldErrors>, Vec<UnknownField>) {
        let (mut tables, mut field_errors) = (Vec::new(), Vec::new());
        for (table, (buffer, planned)) in self.tables.iter_mut().zip(&self.plan.tables).enumerate() {
            let name = &planned.table.name;
            field_errors.extend(buffer.take_errors().into_iter().map(|(i, count)| {
                let column = planned.table.all_columns().nth(i).map_or_else(String::new, |c| c.name.clone());
                FieldErrors { table: name.clone(), column, count }
            }));
            tables.extend(buffer.finish().into_iter().map(|(directory, rows, columns)| {
                let partition = Some(directory).filter(|d| !d.is_empty());
                SealedTable { table, name: name.clone(), partition, rows, schema: planned.schema.clone(), columns }
            }));
        }
        (tables, field_errors, self.unknown.take(|table| &self.plan.tables[table].table.name))
    }
}

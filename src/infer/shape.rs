//! What was seen of one value across a sample.

use std::collections::HashMap;

use crate::decode::{scan, unescape};

/// Levels of arrays and objects that are looked into; below, a value is text.
pub(super) const MAX_LEVELS: u32 = 16;
/// Fields of one object that are kept apart; the others are only counted.
pub(super) const MAX_FIELDS: usize = 1000;

/// How often which kind of value was seen, and the same of what is inside.
#[derive(Debug, Default, Clone)]
pub(super) struct Shape {
    pub nulls: u64,
    pub booleans: u64,
    /// Integers that a bigint holds.
    pub integers: u64,
    /// Integers that it does not.
    pub large: u64,
    pub fractions: u64,
    pub strings: u64,
    pub arrays: u64,
    pub objects: u64,
    /// Arrays and objects too deep to look into.
    pub deep: u64,
    pub element: Option<Box<Shape>>,
    /// In the order in which they were first seen.
    pub fields: Vec<(String, Shape)>,
    index: HashMap<String, usize>,
    /// Fields seen beyond [`MAX_FIELDS`], each time they were seen.
    pub more_fields: u64,
}

impl Shape {
    /// How often a value was there, null or not.
    pub(super) fn seen(&self) -> u64 {
        self.nulls + self.values()
    }

    /// How often a value other than null was there.
    pub(super) fn values(&self) -> u64 {
        self.booleans
            + self.integers
            + self.large
            + self.fractions
            + self.strings
            + self.arrays
            + self.objects
            + self.deep
    }

    /// Adds a value: well-formed JSON.
    pub(super) fn add(&mut self, raw: &str, level: u32) {
        match raw.as_bytes().first() {
            Some(b'n') => self.nulls += 1,
            Some(b't' | b'f') => self.booleans += 1,
            Some(b'"') => self.strings += 1,
            Some(b'{' | b'[') if level > MAX_LEVELS => self.deep += 1,
            Some(b'[') => {
                self.arrays += 1;
                let element = self.element.get_or_insert_default();
                scan::elements(raw).for_each(|value| element.add(value, level + 1));
            }
            Some(b'{') => {
                self.objects += 1;
                for (name, value) in scan::fields(raw) {
                    if let Some(field) = self.field(unescape(name).into_owned()) {
                        field.add(value, level + 1);
                    }
                }
            }
            _ if raw.contains(['.', 'e', 'E']) => self.fractions += 1,
            _ if raw.parse::<i64>().is_ok() => self.integers += 1,
            _ => self.large += 1,
        }
    }

    fn field(&mut self, name: String) -> Option<&mut Shape> {
        let at = match self.index.get(&name) {
            Some(&at) => at,
            None if self.fields.len() == MAX_FIELDS => {
                self.more_fields += 1;
                return None;
            }
            None => {
                self.index.insert(name.clone(), self.fields.len());
                self.fields.push((name, Shape::default()));
                self.fields.len() - 1
            }
        };
        Some(&mut self.fields[at].1)
    }

    /// All that was seen of the fields' values, whatever their names.
    pub(super) fn merged_fields(&self) -> Shape {
        let mut all = Shape::default();
        self.fields.iter().for_each(|(_, shape)| all.merge(shape));
        all
    }

    fn merge(&mut self, other: &Shape) {
        self.nulls += other.nulls;
        self.booleans += other.booleans;
        self.integers += other.integers;
        self.large += other.large;
        self.fractions += other.fractions;
        self.strings += other.strings;
        self.arrays += other.arrays;
        self.objects += other.objects;
        self.deep += other.deep;
        self.more_fields += other.more_fields;
        if let Some(element) = &other.element {
            self.element.get_or_insert_default().merge(element);
        }
        for (name, shape) in &other.fields {
            if let Some(own) = self.field(name.clone()) {
                own.merge(shape);
            }
        }
    }
}

//! A typed reader of the value tree: every value checked, every error collected, every default from the list of keys.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::keys::{self, Key, Kind, Preset};
use super::problem::Problem;
use super::properties::owned_by_landfall;
use super::scalar;
use super::tree::{Node, Origin, Value, join_path};

/// Reads typed values. A value that is wrong is reported, and its key's default taken, so that all errors come at once.
pub(super) struct Reader<'a> {
    root: &'a Node,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// A reader of `root` that adds to `problems`.
    pub(super) fn new(root: &'a Node, problems: Vec<Problem>) -> Reader<'a> {
        Reader { root, problems }
    }

    /// The node at `path`, if given.
    pub(super) fn node(&self, path: &str) -> Option<&'a Node> {
        self.root.get(path)
    }

    /// Reports that the value at `key` is wrong: `reason`, and what is allowed.
    pub(super) fn refuse(&mut self, key: String, node: &Node, reason: &str, allowed: &str) {
        let message = format!(" = {}: {reason}; allowed: {allowed}", node.shown(&key));
        self.report(key, message, Some(node));
    }

    /// Reports a problem in words of its own.
    pub(super) fn report(&mut self, key: String, message: String, node: Option<&Node>) {
        self.problems.push(Problem { key, message, origin: node.map(|node| node.origin.name.to_string()) });
    }

    pub(super) fn duration(&mut self, path: &str) -> Duration {
        self.read(path, |node, _| scalar::duration(text(node)?))
    }

    pub(super) fn size(&mut self, path: &str) -> NonZeroU64 {
        self.read(path, |node, _| match &node.value {
            Value::Int(number) => scalar::size(&number.to_string()),
            _ => scalar::size(text(node).map_err(|_| "not a size")?),
        })
    }

    pub(super) fn count(&mut self, path: &str) -> NonZeroU64 {
        self.read(path, count)
    }

    /// The count at `path`, which has no fixed default.
    pub(super) fn optional_count(&mut self, path: &str) -> Option<NonZeroU64> {
        let node = self.node(path)?;
        self.read_given(find(path), node, count)
    }

    /// The share at `path`, in millionths, which has no fixed default.
    pub(super) fn optional_share(&mut self, path: &str) -> Option<NonZeroU32> {
        let node = self.node(path)?;
        self.read_given(find(path), node, |node, _| scalar::share(text(node)?))
    }

    pub(super) fn bool(&mut self, path: &str) -> bool {
        self.read(path, |node, _| match &node.value {
            Value::Bool(it) => Ok(*it),
            Value::Text(text) if node.origin.is_text_only => text.parse().map_err(|_| "neither".to_owned()),
            _ => Err("neither".to_owned()),
        })
    }

    pub(super) fn text(&mut self, path: &str) -> String {
        self.read(path, checked_text)
    }

    /// The text at `path`, which has no fixed default.
    pub(super) fn optional_text(&mut self, path: &str) -> Option<String> {
        let node = self.node(path)?;
        self.read_given(find(path), node, checked_text)
    }

    /// One of the words of the key at `path`.
    pub(super) fn one_of(&mut self, path: &str) -> &'static str {
        self.read(path, known_word)
    }

    /// One of the words of the key listed as `pattern`, in `node`, whose key is `key`.
    pub(super) fn word(&mut self, pattern: &str, key: &str, node: &Node) -> Option<&'static str> {
        let listed = find(pattern);
        known_word(node, listed).map_err(|reason| self.refuse(key.to_owned(), node, &reason, &listed.allowed())).ok()
    }

    /// A list of texts: at least one, none twice.
    pub(super) fn list(&mut self, path: &str) -> Vec<String> {
        self.read(path, |node, key| {
            let given: Vec<&str> = match &node.value {
                Value::List(items) => items.iter().map(text).collect::<Result<_, String>>()?,
                Value::Text(list) if node.origin.is_text_only => list.split(',').map(str::trim).collect(),
                _ => return Err("not a list".to_owned()),
            };
            let check = if let Kind::List(check) = key.kind { check } else { scalar::any_text };
            let mut kept: Vec<String> = Vec::with_capacity(given.len());
            for item in given {
                let item = check(item).map_err(|reason| format!("{item:?} is {reason}"))?;
                if kept.contains(&item) {
                    return Err(format!("{item:?} stands there twice"));
                }
                kept.push(item);
            }
            if kept.is_empty() { Err("an empty list".to_owned()) } else { Ok(kept) }
        })
    }

    /// The properties below `section`, as text; for Kafka without those that landfall owns.
    pub(super) fn properties(&mut self, section: &str) -> BTreeMap<String, String> {
        let mut kept = BTreeMap::new();
        let Some(entries) = self.node(section).and_then(Node::entries) else { return kept };
        for (name, node) in entries {
            let mut path: Vec<String> = section.split('.').map(str::to_owned).collect();
            path.push(name.clone());
            let path = join_path(&path);
            let reserved = if section == "kafka.properties" { owned_by_landfall(name) } else { None };
            if let Some(reason) = reserved {
                self.report(path, format!("belongs to landfall: {reason}"), Some(node));
                continue;
            }
            let value = match &node.value {
                Value::Text(it) => it.clone(),
                Value::Bool(it) => it.to_string(),
                Value::Int(it) => it.to_string(),
                Value::Float(it) => it.to_string(),
                Value::List(_) | Value::Table(_) => {
                    self.refuse(path, node, "not a single value", "text, a number or true or false");
                    continue;
                }
            };
            if name == "isolation.level" && !["read_committed", "read_uncommitted"].contains(&value.as_str()) {
                self.refuse(path, node, "not a word known here", "read_committed, read_uncommitted");
                continue;
            }
            kept.insert(name.clone(), value);
        }
        kept
    }

    /// The value at `path`, or the key's default where it is absent or wrong.
    fn read<T>(&mut self, path: &str, parse: impl Fn(&Node, &Key) -> Result<T, String>) -> T {
        let key = find(path);
        if let Some(value) = self.node(path).and_then(|node| self.read_given(key, node, &parse)) {
            return value;
        }
        let Preset::Value(text) = key.preset else { panic!("{path} has no fixed default: read it as optional") };
        parse(&default_node(text), key).expect("defaults in the list of keys are valid: a test reads them all")
    }

    fn read_given<T>(&mut self, key: &Key, node: &Node, parse: impl Fn(&Node, &Key) -> Result<T, String>) -> Option<T> {
        match parse(node, key) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.refuse(key.path.to_owned(), node, &reason, &key.allowed());
                None
            }
        }
    }
}

fn find(path: &str) -> &'static Key {
    keys::find(path).expect("only listed keys are read: a test reads them all")
}

fn default_node(text: &str) -> Node {
    Node { value: Value::Text(text.to_owned()), origin: Origin { name: "the default".into(), is_text_only: true } }
}

/// The node's text, or the reason that it has none.
pub(super) fn text(node: &Node) -> Result<&str, String> {
    match &node.value {
        Value::Text(text) => Ok(text),
        _ => Err("not a text in quotes".to_owned()),
    }
}

fn known_word(node: &Node, key: &Key) -> Result<&'static str, String> {
    let given = text(node)?;
    let words = if let Kind::OneOf(words) = key.kind { words } else { &[] };
    words.iter().copied().find(|word| *word == given).ok_or("not a word known here".to_owned())
}

fn count(node: &Node, _: &Key) -> Result<NonZeroU64, String> {
    match &node.value {
        Value::Int(number) => scalar::count(&number.to_string()),
        Value::Text(text) if node.origin.is_text_only => scalar::count(text),
        _ => Err("not a whole number".to_owned()),
    }
}

fn checked_text(node: &Node, key: &Key) -> Result<String, String> {
    let check = if let Kind::Text(check) = key.kind { check } else { scalar::any_text };
    check(text(node)?)
}

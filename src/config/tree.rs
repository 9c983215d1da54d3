//! The value tree: what files and environment say, one over the other, each value with where it came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::config::ValueKind;

use super::problem::Problem;
use super::secret::{HIDDEN, is_secret, without_user_info};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// For messages: a file's name, or `environment variable X`.
    pub(super) name: Arc<str>,
    /// The environment knows only text: numbers, truth values and lists are read out of it.
    pub(super) is_text_only: bool,
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A value as TOML knows them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    /// A table without entries.
    pub(super) fn empty_table(origin: Origin) -> Node {
        Node { value: Value::Table(BTreeMap::new()), origin }
    }

    /// The value of a parser's tree.
    pub(super) fn from_config(value: ::config::Value, origin: &Origin) -> Node {
        let value = match value.kind {
            ValueKind::Boolean(it) => Value::Bool(it),
            ValueKind::I64(it) => Value::Int(it),
            ValueKind::Float(it) => Value::Float(it),
            ValueKind::String(it) => Value::Text(it),
            ValueKind::Table(it) => {
                Value::Table(it.into_iter().map(|(name, value)| (name, Node::from_config(value, origin))).collect())
            }
            ValueKind::Array(it) => Value::List(it.into_iter().map(|value| Node::from_config(value, origin)).collect()),
            // TOML yields none of these; as text they fail the type check of any key.
            other @ (ValueKind::Nil | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_)) => {
                Value::Text(other.to_string())
            }
        };
        Node { value, origin: origin.clone() }
    }

    /// The table's entries; `None` if it is no table.
    pub(super) fn entries(&self) -> Option<&BTreeMap<String, Node>> {
        match &self.value {
            Value::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// The node at `path`, if there.
    pub(super) fn get<'a>(&'a self, path: &str) -> Option<&'a Node> {
        path.split('.').try_fold(self, |node, segment| node.entries()?.get(segment))
    }

    /// The value for a message about `key`: short, and hidden if a secret.
    pub(super) fn shown(&self, key: &str) -> String {
        if is_secret(key) { HIDDEN.to_owned() } else { self.value.shown() }
    }
}

impl Value {
    fn shown(&self) -> String {
        const LONGEST: usize = 80;
        match self {
            Value::Bool(it) => it.to_string(),
            Value::Int(it) => it.to_string(),
            Value::Float(it) => it.to_string(),
            Value::Text(it) => {
                let open = without_user_info(it);
                match open.char_indices().nth(LONGEST) {
                    Some((cut, _)) => format!("{:?}…", &open[..cut]),
                    None => format!("{open:?}"),
                }
            }
            Value::List(items) => {
                let shown: Vec<String> = items.iter().take(5).map(|item| item.value.shown()).collect();
                format!("[{}{}]", shown.join(", "), if items.len() > 5 { ", …" } else { "" })
            }
            // A table may hold secrets under any name.
            Value::Table(_) => "{ … }".to_owned(),
        }
    }
}

/// `segments` as a TOML key: quoted where they must be.
pub(super) fn join_path(segments: &[String]) -> String {
    let is_bare = |segment: &str| {
        !segment.is_empty() && segment.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    let quoted: Vec<String> = segments
        .iter()
        .map(|segment| if is_bare(segment) { segment.clone() } else { format!("{segment:?}") })
        .collect();
    quoted.join(".")
}

/// Lays `over` over `base`: tables entry by entry, anything else, and a table's `when`, as a whole.
pub(super) fn merge(base: &mut Node, over: Node, path: &mut Vec<String>, problems: &mut Vec<Problem>) {
    // A condition is one thing: half of an earlier file's would make another condition.
    let is_whole = path.len() == 3 && path[0] == "tables" && path[2] == "when";
    match (&mut base.value, over) {
        (Value::Table(below), Node { value: Value::Table(above), .. }) if !is_whole => {
            for (name, node) in above {
                path.push(name.clone());
                match below.get_mut(&name) {
                    Some(there) => merge(there, node, path, problems),
                    None => drop(below.insert(name, node)),
                }
                path.pop();
            }
        }
        (Value::Table(_), over) if !is_whole => problems.push(Problem {
            key: join_path(path),
            message: format!(" = {}: not a section; allowed: single keys below it", over.shown(&join_path(path))),
            origin: Some(over.origin.name.to_string()),
        }),
        (_, over) => *base = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(toml: &str, name: &str) -> Node {
        let file = ::config::File::from_str(toml, ::config::FileFormat::Toml);
        let map = ::config::Source::collect(&file).unwrap();
        Node::from_config(map.into(), &Origin { name: name.into(), is_text_only: false })
    }

    #[test]
    fn a_later_tree_wins_key_by_key_and_each_value_knows_its_file() {
        let mut base = tree("a = 1\n[s]\nx = 1\ny = [1, 2]", "one");
        let mut problems = Vec::new();
        merge(&mut base, tree("b = 2\n[s]\ny = [3]\nz = true", "two"), &mut Vec::new(), &mut problems);
        assert_eq!(problems, []);
        let seen = |path: &str| {
            let node = base.get(path).unwrap();
            (node.shown(path), node.origin.name.to_string())
        };
        for (path, shown, origin) in
            [("a", "1", "one"), ("b", "2", "two"), ("s.x", "1", "one"), ("s.y", "[3]", "two"), ("s.z", "true", "two")]
        {
            assert_eq!(seen(path), (shown.to_owned(), origin.to_owned()), "{path}");
        }
        assert_eq!(base.get("s.x.deeper"), None);
    }

    #[test]
    fn a_condition_is_replaced_as_a_whole() {
        let mut base = tree("tables.t.when = { field = 'f', equals = 'x' }", "one");
        let over = tree("tables.t.when = { field = 'f', contains = 'y' }", "two");
        merge(&mut base, over.clone(), &mut Vec::new(), &mut Vec::new());
        assert_eq!(base, Node { origin: base.origin.clone(), ..base.clone() });
        assert_eq!(base.get("tables.t.when"), over.get("tables.t.when"));
    }

    #[test]
    fn a_value_in_place_of_a_section_is_an_error_and_the_section_stays() {
        let mut base = tree("[kafka]\ntopics = ['a']", "one");
        let mut problems = Vec::new();
        merge(&mut base, tree("kafka = 5", "two"), &mut Vec::new(), &mut problems);
        assert_eq!(problems[0].to_string(), "kafka = 5: not a section; allowed: single keys below it [two]");
        assert!(base.get("kafka.topics").is_some());
    }

    #[test]
    fn shown_values_are_short_and_hide_secrets() {
        let base = tree(&format!("long = '{}'\npassword = 'x'\nt.a = 1\nl = [1,2,3,4,5,6]", "é".repeat(200)), "one");
        assert_eq!(base.get("long").unwrap().shown("long"), format!("\"{}\"…", "é".repeat(80)));
        assert_eq!(base.get("password").unwrap().shown("password"), "(hidden)");
        assert_eq!(base.get("t").unwrap().shown("t"), "{ … }");
        assert_eq!(base.get("l").unwrap().shown("l"), "[1, 2, 3, 4, 5, …]");
        assert_eq!(join_path(&["tables".into(), "*".into(), "columns".into()]), "tables.\"*\".columns");
    }
}

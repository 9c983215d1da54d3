//! Paths of names below top-level fields, such as `$.sequences.counts.correct`: all paths below one field are found in
//! one walk through its text.

use super::names::Names;
use super::row::{BLOCKED, UnionRow};
use super::scan;

/// Paths below top-level fields, by the slots of these.
#[derive(Debug, Clone, Default)]
pub(super) struct Paths {
    roots: Vec<(usize, Node)>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// Where the value goes, if it is wanted itself.
    slot: Option<usize>,
    names: Names,
    /// By the places of `names`.
    children: Vec<Node>,
}

impl Paths {
    /// Has the value at `path`, names below the field in slot `root`, put into `slot`.
    pub(super) fn add(&mut self, root: usize, path: &[String], slot: usize) {
        let at = self.roots.iter().position(|(r, _)| *r == root).unwrap_or_else(|| {
            self.roots.push((root, Node::default()));
            self.roots.len() - 1
        });
        let mut node = &mut self.roots[at].1;
        for name in path {
            let known = node.names.all().iter().position(|n| n == name);
            let at = known.unwrap_or_else(|| {
                node.names = Names::new(node.names.all().iter().chain([name]).cloned().collect());
                node.children.push(Node::default());
                node.children.len() - 1
            });
            node = &mut node.children[at];
        }
        node.slot = Some(slot);
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Finds the values of all paths. A path ends at the value that a struct column would have there: of a name that
    /// comes twice, within the last value that is an object, or null.
    pub(super) fn resolve(&self, row: &mut UnionRow<'_>) {
        for (root, node) in &self.roots {
            let mut way = Way::default();
            for raw in row.raw(*root).into_iter().chain(row.before(*root)) {
                if way.is_open_by(raw) {
                    way.last = Some(raw);
                    break;
                }
                way.blocked = true;
            }
            node.go(way, row);
        }
    }
}

/// How far a path leads.
#[derive(Debug, Clone, Copy, Default)]
struct Way<'a> {
    /// The last value on it that is an object, or null.
    last: Option<&'a str>,
    /// Whether another value came after that.
    blocked: bool,
}

impl Way<'_> {
    fn is_open_by(self, raw: &str) -> bool {
        raw.starts_with(['{', 'n'])
    }
}

impl Node {
    fn go<'a>(&self, way: Way<'a>, row: &mut UnionRow<'a>) {
        if let Some(raw) = way.last.filter(|raw| raw.starts_with('{')) {
            let is_deep = self.children.iter().any(|c| !c.children.is_empty());
            let mut ways = if is_deep { vec![Way::default(); self.children.len()] } else { Vec::new() };
            let mut hint = 0;
            for (key, value) in scan::fields(raw) {
                let Some(at) = self.names.find(key, hint) else { continue };
                hint = at + 1;
                if let Some(slot) = self.children[at].slot {
                    row.set(slot, value);
                }
                if let Some(way) = ways.get_mut(at) {
                    let is_open = way.is_open_by(value);
                    *way = Way { last: if is_open { Some(value) } else { way.last }, blocked: !is_open };
                }
            }
            for (child, way) in self.children.iter().zip(ways) {
                child.go(way, row);
            }
        }
        if way.blocked {
            self.block(row);
        }
    }

    /// Something that is no object stands in the way.
    fn block(&self, row: &mut UnionRow<'_>) {
        for child in &self.children {
            if let Some(slot) = child.slot {
                row.set(slot, BLOCKED);
            }
            child.block(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::decoder::Decoder;
    use super::*;

    /// The number that a column of the slot would hold, and whether the last value was another.
    fn number(row: &UnionRow<'_>, slot: usize) -> (Option<i64>, bool) {
        let number = |raw: &str| raw.parse().ok();
        match row.raw(slot) {
            None | Some("null") => (None, false),
            Some(raw) => match number(raw) {
                None => (row.before(slot).find_map(number), true),
                found => (found, false),
            },
        }
    }

    fn path(names: &str) -> Vec<String> {
        names.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn paths_end_where_a_struct_column_would() {
        let wanted = ["a.b", "x", "a.c.d", "a.c", "a"].map(path).to_vec();
        let decoder = Decoder::new(&wanted, &[2], 100);
        for (text, b, d, c) in [
            (r#"{"a":{"b":1,"c":{"d":2}}}"#, (Some(1), false), (Some(2), false), Some(r#"{"d":2}"#)),
            (
                r#"{"x":0,"a":{"c" : {"e":[{"d":9}],"\u0064":2},"b":1},"y":1}"#,
                (Some(1), false),
                (Some(2), false),
                Some(r#"{"e":[{"d":9}],"\u0064":2}"#),
            ),
            (r"{}", (None, false), (None, false), None),
            (r#"{"a":null}"#, (None, false), (None, false), None),
            (r#"{"a":{"b":null,"c":null}}"#, (None, false), (None, false), Some("null")),
            (r#"{"a":5}"#, (None, true), (None, true), Some("")),
            (r#"{"a":[{"b":1}]}"#, (None, true), (None, true), Some("")),
            (r#"{"a":{"b":"1","c":"2"}}"#, (None, true), (None, true), Some("\"2\"")),
            (r#"{"a":{"b":1,"c":{"d":2}},"a":{"b":3}}"#, (Some(3), false), (None, false), None),
            (r#"{"a":{"b":1,"c":{"d":2}},"a":null}"#, (None, false), (None, false), None),
            (r#"{"a":{"b":1,"c":{"d":2}},"a":7}"#, (Some(1), true), (Some(2), true), Some("")),
            (
                r#"{"a":7,"a":{"b":1,"b":"x","c":{"d":1},"c":{"d":2}}}"#,
                (Some(1), true),
                (Some(2), false),
                Some(r#"{"d":2}"#),
            ),
        ] {
            let mut row = UnionRow::default();
            decoder.decode(text, &mut row).unwrap();
            // The path that a route wants is there at once.
            assert_eq!(number(&row, 2), d, "{text}");
            assert_eq!(row.raw(0), None, "{text}");
            decoder.descend(&mut row);
            let got = (number(&row, 0), number(&row, 2), row.raw(3));
            assert_eq!(got, (b, d, c), "{text}");
        }
    }
}

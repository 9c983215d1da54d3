//! Finds unknown keys and names the nearest known one.

use super::keys::describe_keys;
use super::problem::Problem;
use super::tree::{Node, Value, join_path};

/// Reports each key of the tree that [`describe_keys`] does not have, and each value in place of a section.
pub(super) fn check(root: &Node, problems: &mut Vec<Problem>) {
    let patterns: Vec<Vec<&str>> = describe_keys().iter().map(|key| key.segments().collect()).collect();
    walk(root, &mut Vec::new(), &patterns, problems);
}

fn walk(node: &Node, path: &mut Vec<String>, patterns: &[Vec<&str>], problems: &mut Vec<Problem>) {
    let depth = path.len();
    let Value::Table(entries) = &node.value else {
        let key = join_path(path);
        problems.push(Problem {
            message: format!(
                " = {}: not a section; allowed: a table of {}",
                node.shown(&key),
                known_at(depth, patterns)
            ),
            key,
            origin: Some(node.origin.name.to_string()),
        });
        return;
    };
    for (name, child) in entries {
        path.push(name.clone());
        let below: Vec<Vec<&str>> = select(patterns, depth, name);
        if below.is_empty() {
            problems.push(Problem {
                key: join_path(path),
                message: unknown(path, patterns),
                origin: Some(child.origin.name.to_string()),
            });
        } else if below.iter().all(|pattern| pattern.len() > depth + 1) {
            walk(child, path, &below, problems);
        }
        path.pop();
    }
}

/// The patterns that have `name` at `depth`: literally, else by a placeholder.
fn select<'a>(patterns: &[Vec<&'a str>], depth: usize, name: &str) -> Vec<Vec<&'a str>> {
    let with = |is_wanted: &dyn Fn(&str) -> bool| -> Vec<Vec<&'a str>> {
        patterns.iter().filter(|pattern| pattern.get(depth).is_some_and(|at| is_wanted(at))).cloned().collect()
    };
    let literal = with(&|segment| segment == name);
    if literal.is_empty() { with(&|segment| segment.starts_with('<')) } else { literal }
}

fn unknown(path: &[String], patterns: &[Vec<&str>]) -> String {
    if let [tables, any, _] = path
        && tables == "tables"
        && any == "*"
    {
        return "unknown key; tables.\"*\" may hold only columns".to_owned();
    }
    let Some((name, parent)) = path.split_last() else { return "unknown key".to_owned() };
    let siblings = patterns.iter().filter_map(|pattern| pattern.get(parent.len()).copied());
    if let Some(near) = nearest(name, siblings) {
        let mut full = parent.to_vec();
        full.push(near.to_owned());
        return format!("unknown key; did you mean {}?", join_path(&full));
    }
    // Right name, wrong section.
    let others = describe_keys().iter().filter_map(|key| Some((key.path, key.segments().last()?)));
    let elsewhere = others.filter(|(_, last)| !last.starts_with('<') && nearest(name, [*last].into_iter()).is_some());
    match elsewhere.map(|(path, last)| (strsim::damerau_levenshtein(name, last), path)).min() {
        Some((_, path)) => format!("unknown key; did you mean {path}?"),
        None => format!("unknown key; known here: {}", known_at(parent.len(), patterns)),
    }
}

fn known_at(depth: usize, patterns: &[Vec<&str>]) -> String {
    let mut names: Vec<&str> = patterns.iter().filter_map(|pattern| pattern.get(depth).copied()).collect();
    names.dedup();
    names.join(", ")
}

/// The candidate most like `name`, if any is like it at all.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

//! The language of `when`: which messages a table takes.
//!
//! A condition is a table with either `field` and exactly one test on it, or exactly one of `all`, `any`, `not`.

use std::collections::BTreeMap;

use super::known::nearest;
use super::reader::{Reader, text};
use super::settings::{FieldTest, Pattern, When};
use super::source;
use super::tree::{Node, Value};

const TESTS: [&str; 7] = ["equals", "contains", "starts_with", "ends_with", "matches", "in", "exists"];
const GROUPS: [&str; 3] = ["all", "any", "not"];
const SHAPE: &str = "{ field = \"…\" } with one of equals, contains, starts_with, ends_with, matches, in, exists; or one of { all = [ … ] }, { any = [ … ] }, { not = { … } }";

/// Reads the condition in `node`, whose key is `key`; reports what is wrong with it, and then gives `None`.
pub(super) fn parse(reader: &mut Reader<'_>, key: &str, node: &Node) -> Option<When> {
    let Value::Table(entries) = &node.value else {
        reader.refuse(key.to_owned(), node, "not a condition", SHAPE);
        return None;
    };
    if !has_known_names(reader, key, entries) {
        return None;
    }
    let given: Vec<&str> = TESTS.into_iter().chain(GROUPS).filter(|name| entries.contains_key(*name)).collect();
    match (entries.get("field"), given.as_slice()) {
        (None, [group]) if GROUPS.contains(group) => parse_group(reader, key, group, entries.get(*group)?),
        (Some(field), [test]) if TESTS.contains(test) => {
            let field = field_name(reader, &format!("{key}.field"), field);
            let test = parse_test(reader, &format!("{key}.{test}"), test, entries.get(*test)?);
            Some(When::Field { field: field?, test: test? })
        }
        (field, given) => {
            let reason = match (field.is_some(), given) {
                (false, []) => "an empty condition".to_owned(),
                (true, []) => "a field without a test".to_owned(),
                (false, [test]) => format!("{test} without a field"),
                (true, [group]) => format!("{group} beside a field"),
                (_, many) => format!("more than one test ({})", many.join(", ")),
            };
            reader.report(key.to_owned(), format!("{reason}; allowed: {SHAPE}"), Some(node));
            None
        }
    }
}

fn has_known_names(reader: &mut Reader<'_>, key: &str, entries: &BTreeMap<String, Node>) -> bool {
    let known = || ["field"].into_iter().chain(TESTS).chain(GROUPS);
    let mut is_good = true;
    for (name, node) in entries {
        if known().any(|it| it == name) {
            continue;
        }
        is_good = false;
        let message = match nearest(name, known()) {
            Some(near) => format!("unknown key; did you mean {key}.{near}?"),
            None => format!("unknown key; allowed: {SHAPE}"),
        };
        reader.report(format!("{key}.{name}"), message, Some(node));
    }
    is_good
}

fn field_name(reader: &mut Reader<'_>, key: &str, node: &Node) -> Option<Vec<String>> {
    let reason = match text(node) {
        Ok("") => "no name".to_owned(),
        Ok(name) if name.starts_with('$') => match source::path(name) {
            Ok(names) => return Some(names),
            Err(reason) => reason,
        },
        Ok(name) => return Some(vec![name.to_owned()]),
        Err(reason) => reason,
    };
    reader.refuse(
        key.to_owned(),
        node,
        &reason,
        "the name of a JSON field at the message's top level, or a path such as $.a.b",
    );
    None
}

fn parse_group(reader: &mut Reader<'_>, key: &str, group: &str, node: &Node) -> Option<When> {
    let key = format!("{key}.{group}");
    if group == "not" {
        return parse(reader, &key, node).map(|inner| When::Not(Box::new(inner)));
    }
    let parts = match &node.value {
        Value::List(items) if !items.is_empty() => {
            let parsed = items.iter().enumerate().map(|(at, item)| parse(reader, &format!("{key}[{at}]"), item));
            // Collected first, so that the errors of every part are seen.
            let parsed: Vec<Option<When>> = parsed.collect();
            parsed.into_iter().collect::<Option<Vec<When>>>()?
        }
        _ => {
            reader.refuse(key, node, "not a list of conditions", "a list of at least one condition");
            return None;
        }
    };
    Some(if group == "all" { When::All(parts) } else { When::Any(parts) })
}

fn parse_test(reader: &mut Reader<'_>, key: &str, test: &str, node: &Node) -> Option<FieldTest> {
    if let ("matches", Value::Text(pattern)) = (test, &node.value) {
        let pattern = Pattern::new(pattern).map_err(|reason| reader.refuse(key.to_owned(), node, &reason, PATTERN));
        return pattern.map(FieldTest::Matches).ok();
    }
    let parsed = match (test, &node.value) {
        ("exists", Value::Bool(wanted)) => Ok(FieldTest::Exists(*wanted)),
        ("exists", _) => Err(("neither", "true or false")),
        ("in", Value::List(items)) if !items.is_empty() => {
            let words: Result<Vec<String>, String> = items.iter().map(|item| text(item).map(str::to_owned)).collect();
            words.map(FieldTest::In).map_err(|_| ("not all texts in quotes", IN))
        }
        ("in", _) => Err(("not a list of texts", IN)),
        ("equals", Value::Text(it)) => Ok(FieldTest::Equals(it.clone())),
        (_, Value::Text(it)) if test != "equals" && it.is_empty() => {
            Err(("it is in every text", "a text of at least one character, or exists = true instead"))
        }
        ("contains", Value::Text(it)) => Ok(FieldTest::Contains(it.clone())),
        ("starts_with", Value::Text(it)) => Ok(FieldTest::StartsWith(it.clone())),
        ("ends_with", Value::Text(it)) => Ok(FieldTest::EndsWith(it.clone())),
        _ => Err(("not a text in quotes", "the text to compare with, in quotes; a number as its text, such as \"5\"")),
    };
    parsed.map_err(|(reason, allowed)| reader.refuse(key.to_owned(), node, reason, allowed)).ok()
}

const PATTERN: &str = "a regular expression as the Rust library regex has it, such as \"^purchase_(sword|shield)$\"; it may match \
                       anywhere in the text";
const IN: &str = "a list of at least one text, such as [\"a\", \"b\"]; numbers as their text";

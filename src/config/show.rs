//! The effective configuration with where each value comes from, for people; secrets are hidden.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::keys::{Key, Preset, describe_keys};
use super::load::{DEFAULT_FILE, read_all};
use super::parse::parse;
use super::problem::ConfigError;
use super::secret::{HIDDEN, is_secret, without_user_info};
use super::tree::{Node, Value, join_path};

/// A key that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its path, as TOML writes it.
    pub key: String,
    /// Its value, as TOML writes it, or `(hidden)` in quotes; `None`: nothing is set, see `origin`.
    pub value: Option<String>,
    /// The file or variable it comes from, `default`, or what holds in words.
    pub origin: String,
}

impl fmt::Display for Shown {
    /// A line of TOML with the origin as a comment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => {
                let line = format!("{} = {value}", self.key);
                write!(f, "{line:<50} # {}", self.origin)
            }
            None => {
                let line = format!("#{} =", self.key);
                write!(f, "{line:<50} # {}", self.origin)
            }
        }
    }
}

/// What [`load`](super::load()) would give of these files and variables: every key, in the order of the documentation.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn show(files: &[PathBuf], env: impl Iterator<Item = (String, String)>) -> Result<Vec<Shown>, ConfigError> {
    let (root, problems, is_whole) = read_all(files, env, Path::new(DEFAULT_FILE));
    parse(&root, problems, is_whole)?;
    Ok(shown(&root))
}

fn shown(root: &Node) -> Vec<Shown> {
    let mut all = Vec::new();
    for key in describe_keys() {
        let pattern: Vec<_> = key.segments().collect();
        let before = all.len();
        collect(root, &pattern, &mut Vec::new(), &mut all);
        if all.len() == before && !key.path.contains('<') && !pattern.contains(&"*") {
            all.push(preset(key));
        }
    }
    // A table with nothing but its name says something too: it takes every message.
    for (name, node) in root.get("tables").and_then(Node::entries).into_iter().flatten() {
        if node.entries().is_some_and(BTreeMap::is_empty) {
            let key = join_path(&["tables".to_owned(), name.clone()]);
            all.push(Shown { key, value: Some("{}".to_owned()), origin: node.origin.name.to_string() });
        }
    }
    all
}

fn collect(node: &Node, pattern: &[&str], path: &mut Vec<String>, all: &mut Vec<Shown>) {
    let Some((first, rest)) = pattern.split_first() else {
        let key = join_path(path);
        let value = if is_secret(&key) { format!("{HIDDEN:?}") } else { toml(&node.value) };
        all.push(Shown { key, value: Some(value), origin: node.origin.name.to_string() });
        return;
    };
    for (name, child) in node.entries().into_iter().flatten() {
        let wanted = name == first || (first.starts_with('<') && name != "*");
        if wanted {
            path.push(name.clone());
            collect(child, rest, path, all);
            path.pop();
        }
    }
}

fn preset(key: &Key) -> Shown {
    match key.preset {
        Preset::Value(text) => {
            let bare = text == "true" || text == "false" || text.parse::<i64>().is_ok();
            let value = if bare { text.to_owned() } else { format!("{text:?}") };
            let value = if key.path == "kafka.topics" { format!("[{value}]") } else { value };
            Shown { key: key.path.to_owned(), value: Some(value), origin: "default".to_owned() }
        }
        Preset::Derived(words) => Shown { key: key.path.to_owned(), value: None, origin: format!("default: {words}") },
    }
}

fn toml(value: &Value) -> String {
    match value {
        Value::Bool(it) => it.to_string(),
        Value::Int(it) => it.to_string(),
        Value::Float(it) => it.to_string(),
        Value::Text(it) => quoted(&without_user_info(it)),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(|item| toml(&item.value)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(entries) => {
            let entry = |(name, node): (&String, &Node)| {
                let hidden = is_secret(name) && matches!(node.value, Value::Text(_));
                let value = if hidden { format!("{HIDDEN:?}") } else { toml(&node.value) };
                format!("{} = {value}", join_path(std::slice::from_ref(name)))
            };
            let entries: Vec<_> = entries.iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_texts;
    use super::*;

    fn lines(texts: &[&str], env: &[(&str, &str)]) -> (Vec<Shown>, String) {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = (0..texts.len()).map(|at| folder.path().join(format!("{at}.toml"))).collect();
        files.iter().zip(texts).for_each(|(file, text)| std::fs::write(file, text).unwrap());
        let env = env.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let shown = show(&files, env).unwrap();
        let text: String = shown.iter().map(|line| format!("{line}\n")).collect();
        (shown, text)
    }

    #[test]
    fn every_value_is_shown_with_its_origin_and_no_secret_is() {
        let base = "[kafka]\nbootstrap_servers = 'b:1'\n[kafka.properties]\nsasl.username = 'anna'\nsasl.password = 'pa55-one'\n\
                    [tables.t]\nwhen = { any = [{ field = 'a\"b', equals = 'x' }, { not = { field = 'c', in = ['1', '2'] } }] }\n\
                    [tables.u]\n[tables.'*'.columns]\nraw = 'kafka.value'\n[storage.properties]\nfs.s3a.secret.key = 'pa55-two'";
        let env = [
            ("LANDFALL__TRIGGER__INTERVAL", "3s"),
            ("LANDFALL__KAFKA__PROPERTIES__SSL_KEY_PASSWORD", "pa55-three"),
            ("LANDFALL__STORAGE__USER", "who:pa55-four@x"),
        ];
        let (shown, text) = lines(&[base], &env);
        assert!(!text.contains("pa55"), "{text}");
        let of = |key: &str| {
            let line = shown.iter().find(|s| s.key == key).unwrap_or_else(|| panic!("{key} is not in:\n{text}"));
            (line.value.clone().unwrap_or_default(), line.origin.rsplit('/').next().unwrap().to_owned())
        };
        let is = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
        assert_eq!(of("kafka.bootstrap_servers"), is("\"b:1\"", "0.toml"));
        assert_eq!(of("kafka.topics"), is("[\"events\"]", "default"));
        assert_eq!(of("trigger.interval"), is("\"3s\"", "environment variable LANDFALL__TRIGGER__INTERVAL"));
        assert_eq!(of("trigger.max_rows"), is("500000", "default"));
        assert_eq!(of("kafka.group_id"), is("", "default: landfall-<job>"));
        assert_eq!(of("kafka.properties.\"sasl.password\"").0, "\"(hidden)\"");
        assert_eq!(of("kafka.properties.\"sasl.username\"").0, "\"anna\"");
        assert_eq!(of("storage.user").0, "\"(hidden)@x\"");
        assert_eq!(of("tables.u").0, "{}");
        assert_eq!(of("tables.\"*\".columns.raw").0, "\"kafka.value\"");
        let when = of("tables.t.when").0;
        assert_eq!(when, r#"{ any = [{ equals = "x", field = "a\"b" }, { not = { field = "c", in = ["1", "2"] } }] }"#);
    }

    #[test]
    fn what_is_shown_can_be_read_again_and_means_the_same() {
        let (_, text) = lines(&[super::super::EMBEDDED], &[]);
        let again = load_texts(&[&text], &[]).unwrap();
        assert_eq!(again, load_texts(&[super::super::EMBEDDED], &[]).unwrap(), "{text}");
    }
}

//! Files and environment, one over the other, into one value tree, and that into [`Settings`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use super::keys::find;
use super::parse::parse;
use super::problem::{ConfigError, Problem};
use super::reader::text;
use super::secret_file::read_named_files;
use super::settings::Settings;
use super::tree::{Node, Origin, Value, join_path, merge};

/// Read when no file is named, if it is there.
pub const DEFAULT_FILE: &str = "config/default.toml";
/// What [`DEFAULT_FILE`] held when landfall was built: read when no file is named and none is there.
pub const EMBEDDED: &str = include_str!("../../config/default.toml");
/// Beginning of the environment variables that are configuration: `LANDFALL__KAFKA__TOPICS` is `kafka.topics`.
pub const ENV_PREFIX: &str = "LANDFALL__";

/// Sections whose keys are other programs' names with dots in them.
const PROPERTIES: [[&str; 2]; 2] = [["kafka", "properties"], ["storage", "properties"]];

/// Loads the configuration: `files`, each over the former (none: [`DEFAULT_FILE`], else [`EMBEDDED`]), then those
/// variables of `env` that begin with [`ENV_PREFIX`]. What none of them says has the default of
/// [`describe_keys`](super::describe_keys).
///
/// # Errors
/// Everything that is wrong, at once.
pub fn load(files: &[PathBuf], env: impl Iterator<Item = (String, String)>) -> Result<Settings, ConfigError> {
    load_or_default(files, env, Path::new(DEFAULT_FILE))
}

/// [`load`] of the embedded file alone, with `env` over it: what `landfall demo` runs on.
///
/// # Errors
/// Everything that is wrong with `env`, at once.
pub fn load_embedded(env: impl Iterator<Item = (String, String)>) -> Result<Settings, ConfigError> {
    load_or_default(&[], env, Path::new("/dev/null/no-such-file"))
}

/// The process's environment for [`load`]; text that is no UTF-8 comes with replacement characters.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

/// [`load`], with another place for the default file.
pub(super) fn load_or_default(
    files: &[PathBuf],
    env: impl Iterator<Item = (String, String)>,
    default_file: &Path,
) -> Result<Settings, ConfigError> {
    let (root, problems, is_whole) = read_all(files, env, default_file);
    parse(&root, problems, is_whole)
}

/// The folder of the migrations, also if the rest of the configuration is wrong: their errors can be told with its.
pub fn migrations_folder(files: &[PathBuf], env: impl Iterator<Item = (String, String)>) -> PathBuf {
    let (root, _, _) = read_all(files, env, Path::new(DEFAULT_FILE));
    let given = root.get("migrations").and_then(|node| text(node).ok().map(PathBuf::from));
    given.unwrap_or_else(|| find("migrations").map_or("", |key| key.default()).into())
}

/// All layers in one tree, what is wrong with them, and whether every file could be read.
pub(super) fn read_all(
    files: &[PathBuf],
    env: impl Iterator<Item = (String, String)>,
    default_file: &Path,
) -> (Node, Vec<Problem>, bool) {
    let mut root = Node::empty_table(Origin { name: "".into(), is_text_only: false });
    let mut problems = Vec::new();
    let mut is_whole = true;
    let default_files = [default_file.to_path_buf()];
    let files = match files {
        [] if default_file.exists() => &default_files,
        given => given,
    };
    let mut layers: Vec<Result<Node, Problem>> = files.iter().map(|file| read_file(file)).collect();
    if layers.is_empty() {
        layers.push(read_toml(EMBEDDED, "the built-in config/default.toml"));
    }
    for layer in layers {
        match layer {
            Ok(mut layer) => {
                tidy(&mut layer, &mut problems);
                merge(&mut root, layer, &mut Vec::new(), &mut problems);
            }
            Err(problem) => {
                is_whole = false;
                problems.push(problem);
            }
        }
    }
    // In order of names, so that the same environment always gives the same settings and errors.
    let ours: BTreeMap<String, String> = env.filter(|(name, _)| name.starts_with(ENV_PREFIX)).collect();
    for (name, value) in ours {
        match read_variable(&name, value) {
            Ok(mut layer) => {
                tidy(&mut layer, &mut problems);
                merge(&mut root, layer, &mut Vec::new(), &mut problems);
            }
            Err(problem) => problems.push(problem),
        }
    }
    (root, problems, is_whole)
}

fn read_file(file: &Path) -> Result<Node, Problem> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => read_toml(&text, &name),
        Err(error) => Err(whole_file(format!("{name} cannot be read: {error}"))),
    }
}

fn read_toml(text: &str, name: &str) -> Result<Node, Problem> {
    let file = ::config::File::from_str(text, ::config::FileFormat::Toml);
    let map = ::config::Source::collect(&file)
        .map_err(|error| whole_file(format!("{name} is not TOML: {}", without_source_lines(&error.to_string()))))?;
    Ok(Node::from_config(map.into(), &Origin { name: name.into(), is_text_only: false }))
}

/// The parser's message without the lines of the file that it quotes: they may hold a password.
fn without_source_lines(message: &str) -> String {
    let is_quote = |line: &&str| {
        let mark = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        mark.starts_with('|')
    };
    let kept: Vec<&str> =
        message.lines().filter(|line| !is_quote(line) && !line.trim().is_empty()).map(str::trim).collect();
    kept.join("; ").replacen("TOML parse error at ", "", 1)
}

fn whole_file(message: String) -> Problem {
    Problem { key: String::new(), message, origin: None }
}

/// Brings one file's tree to its one form: table names in lower case, dotted property names in one piece.
fn tidy(root: &mut Node, problems: &mut Vec<Problem>) {
    let Value::Table(sections) = &mut root.value else { return };
    if let Some(Node { value: Value::Table(tables), .. }) = sections.get_mut("tables") {
        let given = std::mem::take(tables);
        let renamed = given.into_iter().map(|(name, node)| (name.to_lowercase(), node));
        insert_each_once(tables, renamed, &["tables"], problems);
    }
    for path in PROPERTIES {
        let section = sections.get_mut(path[0]).and_then(|section| match &mut section.value {
            Value::Table(entries) => entries.get_mut(path[1]),
            _ => None,
        });
        if let Some(Node { value: Value::Table(entries), .. }) = section {
            let mut flat = Vec::new();
            flatten(std::mem::take(entries), "", &mut flat);
            let flat = read_named_files(flat, &path, problems);
            insert_each_once(entries, flat.into_iter(), &path, problems);
        }
    }
}

/// `security.protocol = …` without quotes is a table in TOML, and one name for librdkafka.
fn flatten(entries: BTreeMap<String, Node>, prefix: &str, into: &mut Vec<(String, Node)>) {
    for (name, node) in entries {
        let name = format!("{prefix}{name}");
        match node.value {
            Value::Table(inner) => flatten(inner, &format!("{name}."), into),
            value => into.push((name, Node { value, origin: node.origin })),
        }
    }
}

fn insert_each_once(
    into: &mut BTreeMap<String, Node>,
    entries: impl Iterator<Item = (String, Node)>,
    parent: &[&str],
    problems: &mut Vec<Problem>,
) {
    for (name, node) in entries {
        match into.entry(name) {
            Entry::Vacant(free) => drop(free.insert(node)),
            Entry::Occupied(taken) => {
                let path: Vec<String> = parent.iter().map(|it| it.to_string()).chain([taken.key().clone()]).collect();
                problems.push(Problem {
                    key: join_path(&path),
                    message: "given twice in one file, in two spellings; keep one".to_owned(),
                    origin: Some(node.origin.name.to_string()),
                });
            }
        }
    }
}

/// The tree of one variable. Two underscores part the sections; in properties, underscores are dots.
fn read_variable(name: &str, value: String) -> Result<Node, Problem> {
    let origin = Origin { name: format!("environment variable {name}").into(), is_text_only: true };
    let lower = name[ENV_PREFIX.len()..].to_lowercase();
    let mut path: Vec<String> = lower.split("__").map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        let message = format!("{name}: not a key's name; allowed: {ENV_PREFIX}SECTION__KEY");
        return Err(Problem { key: String::new(), message, origin: None });
    }
    if path.len() > 2 && PROPERTIES.iter().any(|section| path[..2] == section[..]) {
        let property = path.split_off(2).join(".").replace('_', ".");
        path.push(property);
    }
    // A condition is written as in a file; everything else is text to be read by the key's type.
    let is_condition = path.len() == 3 && path[0] == "tables" && path[2] == "when";
    let leaf = match is_condition {
        true => read_condition(&value, &origin).map_err(|message| Problem {
            key: join_path(&path),
            message,
            origin: Some(origin.name.to_string()),
        })?,
        false => Node { value: Value::Text(value), origin: origin.clone() },
    };
    Ok(path.into_iter().rev().fold(leaf, |inner, segment| Node {
        value: Value::Table(BTreeMap::from([(segment, inner)])),
        origin: origin.clone(),
    }))
}

fn read_condition(text: &str, origin: &Origin) -> Result<Node, String> {
    let file = ::config::File::from_str(&format!("when = {text}"), ::config::FileFormat::Toml);
    let map = ::config::Source::collect(&file);
    let when = map.ok().filter(|map| map.len() == 1).and_then(|mut map| map.remove("when"));
    when.map(|when| Node::from_config(when, origin)).ok_or_else(|| {
        format!(" = {text:?}: not a condition; allowed: as in a file, {{ field = \"…\", equals = \"…\" }}")
    })
}

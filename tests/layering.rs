//! The house rules that a machine can check: `docs/architecture.md` has the floors.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each folder or file of `src` with its floor; a file imports only from lower floors, or from its own folder.
const FLOORS: [(&str, u8); 24] = [
    ("main", 8),
    ("cli", 7),
    ("app", 6),
    ("pipeline", 5),
    ("batch", 4),
    ("commit", 4),
    ("infer", 4),
    ("verify", 4),
    ("decode", 3),
    ("route", 3),
    ("encode", 3),
    ("source", 3),
    ("checkpoint", 3),
    ("catalog", 3),
    ("web", 3),
    ("schema", 2),
    ("config", 2),
    ("storage", 2),
    ("observe", 2),
    ("game", 2),
    ("model", 1),
    ("fault", 1),
    ("failpoint", 1),
    ("lib", 9),
];

const MOST_LINES: usize = 400;

/// Each client or server library with the one place that may name it, or each of them.
const ADAPTERS: [(&str, &[&str]); 7] = [
    ("rdkafka", &["source/"]),
    ("landfall_batch_queue", &["source/"]),
    ("hdfs_native", &["storage/hdfs/"]),
    ("landfall_metastore", &["catalog/hive.rs"]),
    ("axum", &["cli/game_api.rs", "web/server.rs", "web/connection.rs"]),
    ("maud", &["web/page/"]),
    ("prometheus_client", &["observe/metrics/"]),
];

/// Folders and files that are functions: no I/O, no clock, no randomness, no tasks.
const PURE: [&str; 19] = [
    "decode/",
    "route/",
    "encode/",
    "batch/",
    "checkpoint/",
    "infer/",
    "schema/",
    "game/",
    "model/",
    "commit/machine.rs",
    "web/health.rs",
    "web/history.rs",
    "web/page/",
    "verify/finding.rs",
    "verify/chain.rs",
    "verify/facts.rs",
    "verify/mend.rs",
    "verify/audit.rs",
    "verify/content.rs",
];
const IMPURE: [&str; 7] =
    ["async fn", "tokio::", "std::fs", "std::net", "SystemTime::now", "Instant::now", "rand::rng()"];

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "target" {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Path below `src`, and text, of every source file.
fn sources() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let read = |p: PathBuf| {
        let name = p.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&p).unwrap())
    };
    files.into_iter().map(read).collect()
}

fn room(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The code without comments and without test modules.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().map(|l| l.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The rooms that a text names by `crate::room`, also in `use crate::{a, b::c}`.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        // `landfall::…` of the binary and `$crate` do not occur; `pub(crate)` has no `::`.
        let rest = &text[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap(),
            None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap(),
        };
        found.extend(names.split(',').map(|n| n.trim().split("::").next().unwrap().to_owned()));
    }
    found.retain(|n| !n.is_empty());
    found
}

#[test]
fn a_file_imports_only_downwards() {
    let floors: BTreeMap<_, _> = FLOORS.into();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let own = room(&file);
        let floor = floors.get(own).unwrap_or_else(|| panic!("src/{file}: give `{own}` a floor in tests/layering.rs"));
        for import in imports(&code(&text)) {
            let Some(of) = floors.get(import.as_str()) else { continue };
            if import != own && of >= floor {
                wrong.push(format!("src/{file} (floor {floor}) imports crate::{import} (floor {of})"));
            }
        }
    }
    assert!(wrong.is_empty(), "imports must go downwards:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let mut files = Vec::new();
    for dir in ["src", "tests", "crates"] {
        rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut files);
    }
    let long = files.iter().map(|f| (f, std::fs::read_to_string(f).unwrap().lines().count()));
    let long: Vec<_> = long.filter(|(_, n)| *n > MOST_LINES).collect();
    assert!(files.len() > 80, "the walk finds the files");
    assert!(long.is_empty(), "split these: {long:?}");
}

#[test]
fn client_libraries_are_named_in_their_adapters_only() {
    for (file, text) in sources() {
        for (library, places) in ADAPTERS {
            let names = code(&text).contains(&format!("{library}::"));
            let may = places.iter().any(|place| file.starts_with(place));
            assert!(!names || may, "src/{file} names {library}; only {places:?} of src may");
        }
    }
}

/// The lint forbids it in every crate that takes the workspace's lints: that all others do is seen to here.
#[test]
fn unsafe_code_is_in_two_crates_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut free = Vec::new();
    for entry in std::fs::read_dir(root.join("crates")).unwrap() {
        let manifest = std::fs::read_to_string(entry.as_ref().unwrap().path().join("Cargo.toml")).unwrap();
        if !manifest.contains("[lints]\nworkspace = true") {
            free.push(entry.unwrap().file_name());
        }
    }
    let workspace = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"forbid\"") && workspace.contains("[lints]\nworkspace = true"));
    free.sort();
    assert_eq!(free, ["batch-queue", "malloc"]);
}

#[test]
fn the_core_is_a_function() {
    for (file, text) in sources() {
        if PURE.iter().any(|p| file.starts_with(p)) {
            for word in IMPURE {
                assert!(!code(&text).contains(word), "src/{file} uses {word}: time, ids and files are arguments here");
            }
        }
    }
}

/// The names given to these calls, where they stand in them as text.
fn failpoints(text: &str) -> Vec<&str> {
    let calls = ["failpoint::reached(", "failing::at(", "failing::io(", "around("];
    let arguments = calls.iter().flat_map(|call| text.split(call).skip(1));
    arguments.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next()).collect()
}

#[test]
fn every_failpoint_is_listed_and_every_listed_one_is_placed() {
    let sources: Vec<_> = sources().into_iter().filter(|(file, _)| file != "failpoint.rs").collect();
    let listed = landfall::failpoint::ALL.map(|(name, _)| name);
    for (file, text) in &sources {
        for name in failpoints(&code(text)) {
            assert!(listed.contains(&name), "src/{file}: {name} is missing in failpoint::ALL");
        }
    }
    for name in listed {
        // As the first of some brackets, or as what a variable for it is set to.
        let places = [format!("(\"{name}\""), format!("{{ \"{name}\" }}")];
        let placed = |text: &str| places.iter().any(|p| code(text).contains(p));
        assert!(sources.iter().any(|(_, text)| placed(text)), "{name} of failpoint::ALL is nowhere in src");
    }
}

#[test]
fn the_check_itself_sees_what_it_must() {
    assert_eq!(imports("use crate::batch::Plan;\nlet x = crate::app::now();"), ["batch", "app"]);
    assert_eq!(imports("use crate::{fault::Fault, model::Slot};"), ["fault", "model"]);
    assert_eq!(failpoints("failing::at(\n \"a.b\", &x); reached(\"c\"); failpoint::reached(\"d\")"), ["d", "a.b"]);
    assert_eq!(code("a // crate::b\n#[cfg(test)]\nmod tests {\n crate::c").trim(), "a");
}

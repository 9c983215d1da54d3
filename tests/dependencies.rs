//! What may be linked: licences, origins, one version of what must be one, nothing unused.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Licences that need no more than to be named. An SPDX expression passes if one of its choices is made of these.
const ALLOWED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates of which two versions would mix types that do not fit, or that are pinned on purpose.
const ONE_VERSION: [(&str, &str); 4] =
    [("arrow-array", "59."), ("parquet", "59."), ("hdfs-native", "0.14."), ("rdkafka", "0.39.")];

fn metadata() -> Value {
    let root = env!("CARGO_MANIFEST_DIR");
    // Only what is linked here: the crates of other platforms need not even be downloaded.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let run = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &platform])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(run.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).unwrap()
}

fn allowed(expression: &str) -> bool {
    // `A OR B`, `A/B` (old form), `(A OR B) AND C`: every part of a conjunction needs one allowed choice.
    let expression = expression.replace('/', " OR ");
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for word in expression.replace('(', " ( ").replace(')', " ) ").split_whitespace() {
        match word {
            "(" => depth += 1,
            ")" => depth -= 1,
            "AND" if depth == 0 => parts.push(String::new()),
            word => {
                let last = parts.last_mut().unwrap();
                last.push_str(word);
                last.push(' ');
            }
        }
    }
    parts.iter().all(|part| {
        part.split(" OR ").any(|choice| choice.split(" AND ").all(|licence| ALLOWED.contains(&licence.trim())))
    })
}

#[test]
fn licences_and_origins_are_known() {
    let mut wrong = Vec::new();
    for package in metadata()["packages"].as_array().unwrap() {
        let name = format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        let Some(source) = package["source"].as_str() else { continue };
        if source != "registry+https://github.com/rust-lang/crates.io-index" {
            wrong.push(format!("{name} comes from {source}"));
        }
        let licence = package["license"].as_str().unwrap_or("none");
        if !allowed(licence) {
            wrong.push(format!("{name} has licence {licence}"));
        }
    }
    assert!(wrong.is_empty(), "decide about these, and say so in ALLOWED:\n{}", wrong.join("\n"));
    assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0") && allowed("MIT/Apache-2.0"));
    assert!(!allowed("GPL-3.0") && !allowed("MIT AND GPL-3.0") && !allowed("none"));
}

#[test]
fn pinned_crates_are_linked_once() {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata()["packages"].as_array().unwrap() {
        let version = package["version"].as_str().unwrap().to_owned();
        versions.entry(package["name"].as_str().unwrap().to_owned()).or_default().push(version);
    }
    for (name, prefix) in ONE_VERSION {
        let found = &versions[name];
        assert!(found.len() == 1 && found[0].starts_with(prefix), "{name}: {found:?}, wanted one of {prefix}x");
    }
}

fn text_of(dir: &Path, out: &mut String) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text_of(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_direct_dependency_is_used() {
    for package in metadata()["packages"].as_array().unwrap().iter().filter(|p| p["source"].is_null()) {
        let root = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
        let mut text = String::new();
        ["src", "tests", "benches"].iter().for_each(|d| text_of(&root.join(d), &mut text));
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap().replace('-', "_");
            let used = text.contains(&format!("{name}::")) || text.contains(&format!("use {name}"));
            assert!(used, "{} does not use its dependency {name}", package["name"]);
        }
    }
}

#[test]
fn the_image_is_built_with_every_crate_and_bench_of_the_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (dockerfile, context) = (read("Dockerfile"), read(".dockerignore"));
    for entry in std::fs::read_dir(root.join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let copy = format!("COPY crates/{name}/Cargo.toml crates/{name}/\n");
        assert!(dockerfile.contains(&copy), "Dockerfile: {copy}");
        assert!(dockerfile.contains(&format!("crates/{name}/src")), "Dockerfile: no empty sources of {name}");
    }
    // A manifest that names a bench is refused where its file is missing.
    for bench in read("Cargo.toml").split("[[bench]]").skip(1) {
        let name = bench.split('"').nth(1).unwrap();
        assert!(dockerfile.contains(&format!("benches/{name}.rs")), "Dockerfile: no empty benches/{name}.rs");
        assert!(context.contains("!benches"), ".dockerignore: benches must be sent");
    }
}

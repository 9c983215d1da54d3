//! The list of keys, the documentation and the shipped files say the same.

use std::path::PathBuf;

use super::super::describe_keys;
use super::super::keys::{Kind, Preset};
use super::super::load::EMBEDDED;
use super::super::properties::OWNED;
use super::load_texts;

const BEGIN: &str = "<!-- made from the list of keys: LANDFALL_WRITE_DOCS=1 cargo test --lib config -->\n";
const END: &str = "<!-- end -->\n";

/// The documentation's table of keys.
fn table() -> String {
    let code = |text: &str| format!("`{text}`");
    let words = |text: &str| text.replace('<', "&lt;");
    let mut table = "| key | default | allowed | meaning |\n|---|---|---|---|\n".to_owned();
    for key in describe_keys() {
        let default = match key.preset {
            Preset::Value(value) => code(value),
            Preset::Derived(text) => words(text),
        };
        let allowed = match key.kind {
            Kind::OneOf(all) => all.iter().map(|word| code(word)).collect::<Vec<_>>().join(", "),
            _ => words(&key.allowed()),
        };
        table.push_str(&format!("| {} | {default} | {allowed} | {} |\n", code(key.path), words(key.meaning)));
    }
    table
}

#[test]
fn the_documentation_holds_every_key() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the mark where the table begins");
    let (found, after) = rest.split_once(END).expect("the mark where the table ends");
    if std::env::var_os("LANDFALL_WRITE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert_eq!(found, table(), "docs/configuration.md is not what the list of keys says");
    }
    for (name, _) in OWNED {
        assert!(after.contains(&format!("`{name}`")), "{name} is missing among the refused properties");
    }
    // Its examples are tried, too.
    for example in text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        assert!(load_texts(&[example], &[]).is_ok(), "{example}: {:?}", load_texts(&[example], &[]));
    }
}

#[test]
fn the_shipped_file_shows_every_key() {
    for key in describe_keys().iter().filter(|key| !key.path.contains('<')) {
        let name = key.path.rsplit('.').next().unwrap();
        let is_shown = EMBEDDED.lines().any(|line| line.trim_start_matches('#').starts_with(&format!("{name} =")));
        assert!(is_shown, "{} is missing in config/default.toml", key.path);
    }
}

#[test]
fn every_listed_key_is_read() {
    // A value that no key takes must be an error for each.
    for key in describe_keys() {
        let path = key.path.replace("<table>", "t").replace("<column>", "c").replace("<name>", "n");
        let text = format!("{path} = [[]]");
        let error = load_texts(&[&text, "[tables.x]"], &[]).expect_err(&text);
        assert_eq!(error.problems().len(), 1, "{error}");
        assert_eq!(error.problems()[0].key, path);
    }
}

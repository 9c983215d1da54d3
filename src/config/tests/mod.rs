//! Tests of the configuration as a whole: text and variables in, settings or errors out.

mod docs;
mod errors;
mod layers;

use std::path::{Path, PathBuf};

use super::load::load_or_default;
use super::{ConfigError, Settings};

/// Settings of these files' contents and variables. The files are named `0.toml`, `1.toml`, … in messages.
pub(super) fn load_texts(texts: &[&str], env: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = (0..texts.len()).map(|at| folder.path().join(format!("{at}.toml"))).collect();
    for (file, text) in files.iter().zip(texts) {
        std::fs::write(file, text).unwrap();
    }
    load_or_default(&files, variables(env), Path::new("no/such/default.toml"))
}

fn variables(env: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    env.iter().map(|(name, value)| (name.to_string(), value.to_string()))
}

/// The lines of the error, without header and origins.
pub(super) fn error_lines(texts: &[&str], env: &[(&str, &str)]) -> Vec<String> {
    let error = load_texts(texts, env).expect_err("a configuration with errors");
    error.problems().iter().map(|it| super::Problem { origin: None, ..it.clone() }.to_string()).collect()
}

const ONE_TABLE: &str = "[tables.t]\n";

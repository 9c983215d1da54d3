//! Configuration: files and environment, parsed once into settings that cannot be wrong.

mod keys;
mod known;
mod listen;
mod load;
mod parse;
mod problem;
mod properties;
mod reader;
mod restart;
mod scalar;
mod secret;
mod secret_file;
pub mod settings;
mod show;
mod source;
mod tree;
mod when;

#[cfg(test)]
mod tests;

pub use keys::{Key, describe_keys};
pub use load::{DEFAULT_FILE, EMBEDDED, ENV_PREFIX, environment, load, load_embedded, migrations_folder};
pub use problem::{ConfigError, Problem};
pub use restart::needs_restart;
pub use secret::{HIDDEN, is_secret};
pub use settings::Settings;
pub use show::{Shown, show};

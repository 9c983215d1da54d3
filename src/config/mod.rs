//! Configuration: files and environment, parsed once into settings that cannot be wrong.

pub mod settings;

pub use settings::Settings;

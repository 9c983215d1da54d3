//! Logs on standard error: one JSON object a line, or readable text on a terminal.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// The filter of the process's logging, once it is set up.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// Sets up logging for the process. `filter` is that of `RUST_LOG` (`info`, `landfall=debug`); a bad one falls back
/// to `info`. Does nothing if logging is set up already. Says whether lines are JSON.
pub fn init_logging(format: LogFormat, filter: &str) -> bool {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let text = match format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    // A second call, as in tests, is refused; the first one stays.
    let set_up = if text {
        let fields = tracing_subscriber::fmt::format::debug_fn(|w, field, value| match field.name() {
            "message" => write!(w, "{value:?}"),
            // The readable line says it all; the record is for machines.
            "progress" => Ok(()),
            name => write!(w, "{name}={value:?}"),
        });
        let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
        registry.with(layer.fmt_fields(fields)).try_init()
    } else {
        registry.with(JsonLines).try_init()
    };
    if set_up.is_ok() {
        // Only the one that was set up comes here.
        _ = FILTER.set(handle);
    }
    !text
}

/// Logs by another filter from now on. An error says what is wrong with it, or that logging was not set up by
/// [`init_logging`]; then all stays as it was.
pub fn set_log_filter(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|e| e.to_string())?;
    let handle = FILTER.get().ok_or("logging is not set up")?;
    handle.reload(filter).map_err(|e| e.to_string())
}

/// One JSON object a line. The field `progress` is JSON itself and goes in as such, not as an escaped string.
struct JsonLines;

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        let parsed = (field.name() == "progress").then(|| serde_json::from_str(value).ok()).flatten();
        self.0.insert(field.name().to_owned(), parsed.unwrap_or_else(|| value.into()));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}

fn line(event: &Event<'_>) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let mut object = Map::new();
    object.insert("timestamp".to_owned(), jiff::Timestamp::now().to_string().into());
    object.insert("level".to_owned(), event.metadata().level().as_str().into());
    if let Some(message) = fields.0.remove("message") {
        object.insert("message".to_owned(), message);
    }
    // Records of crates that use `log` bring their target in a field, beside lines of their own source.
    let own = fields.0.remove("log.target");
    fields.0.retain(|name, _| !name.starts_with("log."));
    object.insert("target".to_owned(), own.unwrap_or_else(|| event.metadata().target().into()));
    object.append(&mut fields.0);
    format!("{}\n", Value::Object(object))
}

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // There is nowhere to report to when standard error is gone.
        _ = std::io::stderr().lock().write_all(line(event).as_bytes());
    }
}

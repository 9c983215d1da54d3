//! Which values must never be shown.

use std::collections::BTreeMap;
use std::fmt;

/// Shown in place of a secret.
pub const HIDDEN: &str = "(hidden)";

/// Parts of a key's name that make its value a secret. Rather one value too many hidden than one shown.
const SECRET_PARTS: [&str; 7] = ["password", "passwd", "secret", "token", "credential", "private", "key.pem"];
/// Whole names that carry secrets without saying so.
const SECRET_NAMES: [&str; 2] = ["sasl.oauthbearer.config", "sasl.jaas.config"];

/// Whether the value of the key of this name, or path, is a secret such as a password.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = name.replace('"', "");
    SECRET_PARTS.iter().any(|part| plain.contains(part)) || SECRET_NAMES.iter().any(|whole| plain.ends_with(whole))
}

/// `text` with the user's part of a URL, `user:password@`, hidden: all before the last `@`, but for the scheme.
pub(super) fn without_user_info(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    match text.rfind('@') {
        Some(at) if at >= start && !text[start..].starts_with('/') => {
            format!("{}{HIDDEN}{}", &text[..start], &text[at..])
        }
        _ => text.to_owned(),
    }
}

/// Properties whose secrets are hidden when printed with `{:?}`.
pub(super) struct Properties<'a>(pub(super) &'a BTreeMap<String, String>);

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.iter().map(|(name, value)| (name, if is_secret(name) { HIDDEN } else { value.as_str() })))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "sasl.password",
            "kafka.properties.\"sasl.password\"",
            "ssl.key.password",
            "ssl.key.pem",
            "ssl.keystore.password",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.config",
            "fs.s3a.secret.key",
            "PASSWORD",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["sasl.username", "security.protocol", "kafka.bootstrap_servers", "ssl.ca.location", "when"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn printed_properties_hide_secrets() {
        let given = [("sasl.password", "pa55"), ("sasl.username", "anna")];
        let properties = given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let printed = format!("{:?}", Properties(&properties));
        assert_eq!(printed, r#"{"sasl.password": "(hidden)", "sasl.username": "anna"}"#);
    }

    #[test]
    fn the_user_of_a_url_is_hidden() {
        let cases = [
            ("hdfs://anna:pa55@nn:8020/x", "hdfs://(hidden)@nn:8020/x"),
            ("anna:pa55@nn:8020", "(hidden)@nn:8020"),
            ("a:1,bob:pa,5/5@b:2", "(hidden)@b:2"),
            ("hdfs://nn:8020", "hdfs://nn:8020"),
            ("file:///tmp/a@b", "file:///tmp/a@b"),
        ];
        for (given, shown) in cases {
            assert_eq!(without_user_info(given), shown);
        }
    }
}

//! Properties whose value stands in a file of its own, as Docker and Kubernetes hand out secrets.

use std::sync::Arc;

use super::problem::Problem;
use super::tree::{Node, Origin, Value, join_path};

/// Of a property's name, where its value is not the value but the file that holds it.
const SUFFIX: &str = ".file";

/// Puts the contents of the files in place of their names: `"sasl.password" = { file = "…" }` is `sasl.password.file` by
/// now. A line's end behind the contents is not part of them.
pub(super) fn read_named_files(
    entries: Vec<(String, Node)>,
    section: &[&str],
    problems: &mut Vec<Problem>,
) -> Vec<(String, Node)> {
    let mut read = Vec::with_capacity(entries.len());
    for (name, node) in entries {
        let Some(property) = name.strip_suffix(SUFFIX) else {
            read.push((name, node));
            continue;
        };
        match contents(&node) {
            Ok(text) => {
                let origin: Arc<str> = format!("the file that {} names", node.origin.name).into();
                let node = Node { value: Value::Text(text), origin: Origin { name: origin, ..node.origin } };
                read.push((property.to_owned(), node));
            }
            // The path is not told: somebody may have written the secret itself in its place.
            Err(reason) => {
                let path: Vec<String> = section.iter().copied().chain([name.as_str()]).map(str::to_owned).collect();
                let message = format!("the file named here {reason}; allowed: the path of a text file");
                problems.push(Problem { key: join_path(&path), message, origin: Some(node.origin.name.to_string()) });
            }
        }
    }
    read
}

fn contents(node: &Node) -> Result<String, String> {
    let Value::Text(path) = &node.value else { return Err("is no path".to_owned()) };
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot be read: {e}"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{error_lines, load_texts};

    #[test]
    fn a_property_can_stand_in_a_file_which_a_later_layer_can_replace() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("one"), "pa55\n").unwrap();
        std::fs::write(path("two"), " of two\r\n").unwrap();
        let quoted = format!("[tables.t]\n[kafka.properties]\n\"sasl.password\" = {{ file = '{}' }}", path("one"));
        let password = |texts: &[&str], env: &[(&str, &str)]| {
            load_texts(texts, env).unwrap().kafka.properties["sasl.password"].clone()
        };
        assert_eq!(password(&[&quoted], &[]), "pa55");
        let two = path("two");
        assert_eq!(password(&[&quoted], &[("LANDFALL__KAFKA__PROPERTIES__SASL_PASSWORD_FILE", &two)]), " of two");
        assert_eq!(password(&[&quoted], &[("LANDFALL__KAFKA__PROPERTIES__SASL_PASSWORD", "plain")]), "plain");
        let both = format!("{quoted}\n\"sasl.password.file\" = '{two}'");
        assert_eq!(error_lines(&[&both], &[]).len(), 1, "twice in one file");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_that_does_not_tell_what_stands_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty").display().to_string();
        std::fs::write(&empty, "\n").unwrap();
        for (given, wanted) in [
            ("'hunter2'".to_owned(), "No such file"),
            (format!("'{empty}'"), "is empty"),
            ("5".to_owned(), "is no path"),
        ] {
            let text = format!("[tables.t]\n[kafka.properties]\n\"sasl.password\" = {{ file = {given} }}");
            let lines = error_lines(&[&text], &[]);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].starts_with("kafka.properties.\"sasl.password.file\": the file named here"), "{lines:?}");
            assert!(lines[0].contains(wanted) && !lines[0].contains("hunter2"), "{lines:?}");
        }
    }
}

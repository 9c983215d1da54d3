//! One spelling for what people, Spark and metastores write in several: types and locations. Pure.

/// The one spelling of a Hive type: lower case, no white space, Hive's names for the words of others, a decimal's
/// digits written out. Names of struct fields stay names, in lower case as readers compare them.
pub(super) fn canonical_type(hive_type: &str) -> String {
    let text = hive_type.to_lowercase();
    let mut out = String::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '`' => rest[1..].find('`').map_or(rest.len(), |at| at + 2),
            ',' | '<' | '>' | '(' | ')' | ':' => 1,
            _ => rest.find(|c: char| ",<>():`".contains(c) || c.is_whitespace()).unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(end);
        rest = after.trim_start();
        if rest.starts_with(':') {
            out.push_str(word.trim_matches('`'));
            continue;
        }
        match word {
            "integer" => out.push_str("int"),
            "long" => out.push_str("bigint"),
            "precision" if out.ends_with("double") => {}
            "decimal" | "numeric" | "dec" => {
                let (digits, after) = match rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
                    Some((digits, after)) => (digits.split_whitespace().collect::<String>(), after.trim_start()),
                    None => ("10".to_owned(), rest),
                };
                let scale = if digits.contains(',') { "" } else { ",0" };
                out.push_str(&format!("decimal({digits}{scale})"));
                rest = after;
            }
            // words of one type that stand apart, as in `timestamp with local time zone`
            _ => {
                if out.ends_with(char::is_alphanumeric) && word.starts_with(char::is_alphanumeric) {
                    out.push(' ');
                }
                out.push_str(word);
            }
        }
    }
    out
}

/// Whether two locations are one directory, however they are written.
pub fn same_location(a: &str, b: &str) -> bool {
    normal_location(a) == normal_location(b)
}

/// One spelling of a location: the metastore gives `file:/x` back for `file:///x`, and people add a slash at the end
/// or the default port of a namenode.
fn normal_location(location: &str) -> String {
    let (scheme, rest) = match location.split_once(":/") {
        Some((scheme, rest)) => (scheme.to_lowercase(), rest),
        None => (String::new(), location.strip_prefix('/').unwrap_or(location)),
    };
    // `rest` has lost the first slash: another one at its start opens an authority, which may be empty
    let (authority, path) = match rest.strip_prefix('/') {
        Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
        None => ("", rest),
    };
    let authority = authority.to_lowercase();
    let authority = match scheme.as_str() {
        "file" if authority == "localhost" => "",
        "hdfs" => authority.strip_suffix(":8020").unwrap_or(&authority),
        _ => &authority,
    };
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    format!("{scheme}://{authority}/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_many_spellings() {
        for (text, want) in [
            ("BIGINT", "bigint"),
            ("long", "bigint"),
            (" Integer ", "int"),
            ("double precision", "double"),
            ("decimal", "decimal(10,0)"),
            ("DECIMAL( 5 )", "decimal(5,0)"),
            ("numeric(18, 4)", "decimal(18,4)"),
            ("array<struct<A:int, B: long>>", "array<struct<a:int,b:bigint>>"),
            ("map<string, array< decimal(3,1) > >", "map<string,array<decimal(3,1)>>"),
            ("struct<integer:integer,long:long,decimal:dec>", "struct<integer:int,long:bigint,decimal:decimal(10,0)>"),
            ("struct<`a`:int,b :string>", "struct<a:int,b:string>"),
            ("varchar( 10 )", "varchar(10)"),
            ("timestamp with local  time zone", "timestamp with local time zone"),
            ("array<double precision>", "array<double>"),
        ] {
            assert_eq!(canonical_type(text), want, "{text}");
            assert_eq!(canonical_type(want), want, "it is its own spelling");
        }
    }

    #[test]
    fn a_location_has_many_spellings() {
        for (a, b, same) in [
            ("file:/x/y", "file:///x/y", true),
            ("file:///x/y/", "file://localhost/x/y", true),
            ("hdfs://nn:8020/x", "HDFS://NN/x/", true),
            ("hdfs://nn:9000/x", "hdfs://nn/x", false),
            ("hdfs://nn/x", "hdfs://other/x", false),
            ("hdfs://nn/x", "hdfs://nn/X", false),
            ("hdfs://nn/x", "file:///x", false),
            ("hdfs://nn//x///y", "hdfs://nn/x/y", true),
            ("hdfs://nn", "hdfs://nn/", true),
            ("/x", "/x/", true),
        ] {
            assert_eq!(normal_location(a) == normal_location(b), same, "{a} {b}");
        }
    }
}

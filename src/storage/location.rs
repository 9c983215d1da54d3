//! A table's `LOCATION` as a path on the storage.

/// The path below `storage_url` that `location` stands for: an absolute path is below the URL's own path; a full URI
/// must begin with the URL. The error says what to write.
pub fn resolve_location(storage_url: &str, location: &str) -> Result<String, String> {
    let url = storage_url.trim_end_matches('/');
    let path = if location.contains("://") {
        match location.strip_prefix(url) {
            Some(rest) if rest.starts_with('/') => rest,
            _ => {
                return Err(format!(
                    "LOCATION '{location}' is not below storage.url = \"{storage_url}\"; a commit is one rename, and so \
                     all tables and the checkpoint must lie in one file system. Write an absolute path, as in '/tmp/purchases'"
                ));
            }
        }
    } else if location.starts_with('/') {
        location
    } else {
        return Err(format!("LOCATION '{location}' is not an absolute path; write it with a leading /"));
    };
    let parts: Vec<_> = path.split('/').filter(|p| !p.is_empty()).collect();
    if parts.is_empty() || parts.iter().any(|p| *p == "." || *p == "..") {
        return Err(format!("LOCATION '{location}' must name a directory of its own, without . and .."));
    }
    Ok(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::resolve_location;

    #[test]
    fn locations_lie_below_the_storage() {
        let url = "hdfs://nn:8020/data";
        for (location, want) in [
            ("/tmp/purchases", Some("/tmp/purchases")),
            ("/tmp//purchases/", Some("/tmp/purchases")),
            ("hdfs://nn:8020/data/x", Some("/x")),
            ("hdfs://nn:8020/database/x", None),
            ("hdfs://other:8020/data/x", None),
            ("tmp/purchases", None),
            ("/", None),
            ("/a/../b", None),
        ] {
            assert_eq!(resolve_location(url, location).ok().as_deref(), want, "{location}");
        }
    }
}

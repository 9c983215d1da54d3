//! Names of fields, looked up by key.

use super::text::unescape;

/// Some names, all different; a name's place is its index.
#[derive(Debug, Clone, Default)]
pub struct Names {
    names: Vec<String>,
    /// Indexes by (length, name), to look up a key that does not come in the expected order.
    sorted: Vec<usize>,
}

impl Names {
    /// These names.
    pub fn new(names: Vec<String>) -> Names {
        let mut sorted: Vec<usize> = (0..names.len()).collect();
        sorted.sort_by_key(|&i| (names[i].len(), names[i].as_str()));
        Names { names, sorted }
    }

    /// The names by index.
    pub fn all(&self) -> &[String] {
        &self.names
    }

    /// The name that the key stands for, as it stands between its quotes; `hint` is tried first: keys of one producer
    /// mostly come in the order of the columns.
    #[inline]
    pub fn find(&self, key: &str, hint: usize) -> Option<usize> {
        match key.as_bytes().contains(&b'\\') {
            false => self.look_up(key, hint),
            true => self.look_up(&unescape(key), hint),
        }
    }

    #[inline]
    fn look_up(&self, name: &str, hint: usize) -> Option<usize> {
        if self.names.get(hint).is_some_and(|f| f == name) {
            return Some(hint);
        }
        let key = |&i: &usize| (self.names[i].len(), self.names[i].as_str());
        let found = self.sorted.binary_search_by_key(&(name.len(), name), key).ok()?;
        Some(self.sorted[found])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_any_spelling_and_order() {
        let names = Names::new(["b", "User-Agent", "a", ""].map(str::to_owned).to_vec());
        for (key, hint, want) in [
            ("b", 0, Some(0)),
            ("a", 0, Some(2)),
            ("a", 99, Some(2)),
            ("", 2, Some(3)),
            ("User\\u002dAgent", 2, Some(1)),
            ("user-agent", 1, None),
            ("\\ud800", 0, None),
        ] {
            assert_eq!(names.find(key, hint), want, "{key}");
        }
        assert_eq!(Names::default().find("a", 0), None);
    }
}

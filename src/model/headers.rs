//! The headers of a message.

/// Headers of one message, in order, in one run of bytes: for each its key's length, its key, its value's length, its
/// value. Empty where there are none, or where nobody wants them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headers<'a>(&'a [u8]);

/// Length that stands for no value.
const NULL: u32 = u32::MAX;

impl<'a> Headers<'a> {
    /// The headers that [`Headers::push`] has written to `bytes`.
    pub fn new(bytes: &'a [u8]) -> Headers<'a> {
        Headers(bytes)
    }

    /// Appends a header to `bytes`.
    pub fn push(bytes: &mut Vec<u8>, key: &str, value: Option<&[u8]>) {
        // Kafka's protocol has 31-bit lengths.
        bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(&value.map_or(NULL, |v| v.len() as u32).to_le_bytes());
        bytes.extend_from_slice(value.unwrap_or_default());
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes, for [`Headers::new`].
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Keys and values in the order of the message; a key may come more than once, and a value may be null.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (key_len, after) = split_length(rest)?;
            let (key, after) = after.split_at_checked(key_len as usize)?;
            let (value_len, after) = split_length(after)?;
            let (value, after) = match value_len {
                NULL => (None, after),
                len => after.split_at_checked(len as usize).map(|(value, after)| (Some(value), after))?,
            };
            rest = after;
            Some((std::str::from_utf8(key).ok()?, value))
        })
    }
}

fn split_length(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*length), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_pushed() {
        let want = [("a", Some(&b"1"[..])), ("", None), ("é", Some(b"")), ("a", Some(b"\xff"))];
        let mut bytes = Vec::new();
        want.iter().for_each(|(key, value)| Headers::push(&mut bytes, key, *value));
        assert_eq!(Headers::new(&bytes).iter().collect::<Vec<_>>(), want);
        assert!(Headers::default().is_empty() && Headers::default().iter().next().is_none());
        for cut in 0..bytes.len() {
            assert!(Headers::new(&bytes[..cut]).iter().count() < want.len());
        }
    }
}

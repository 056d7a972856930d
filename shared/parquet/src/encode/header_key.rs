//! Header keys as text: Kafka allows any bytes, Parquet's STRING only UTF-8.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What marks a key that is written in Base64.
const MARK: &str = "base64:";

/// A header key as it is written: itself, if it is UTF-8 and does not begin with the mark, else
/// the mark and its Base64. So each text stands for exactly one key.
pub(super) fn header_key_text(key: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(key) {
        Ok(text) if !text.starts_with(MARK) => Cow::Borrowed(text),
        Ok(_) | Err(_) => Cow::Owned(format!("{MARK}{}", STANDARD.encode(key))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_need_it_are_written_in_base64() {
        let cases: [(&[u8], &str); 5] = [
            (b"trace", "trace"),
            (b"", ""),
            ("ключ".as_bytes(), "ключ"),
            (b"\xff\x00", "base64:/wA="),
            (b"base64:x", "base64:YmFzZTY0Ong="),
        ];
        for (key, text) in cases {
            assert_eq!(header_key_text(key), text);
        }
    }
}

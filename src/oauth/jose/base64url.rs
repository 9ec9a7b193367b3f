//! Strict base64url without padding (RFC 7515 §2): no other alphabet, no line breaks, no unused bits.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Decodes a text. Returns `None` if it is not the canonical encoding of its value.
pub(in crate::oauth) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes a value of known length.
pub(in crate::oauth) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

/// Encodes bytes.
pub(in crate::oauth) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_encoding_for_each_value() {
        assert_eq!(decode("AQAB"), Some(vec![1, 0, 1]));
        assert_eq!(decode("-_8"), Some(vec![0xfb, 0xff]));
        assert_eq!(decode(""), Some(vec![]));
        for text in ["+/8", "AQ==", "AQ=", "AR", "A", "AQ AB", "AQ\nAB", " AQAB", "AQAB ", "ÄQAB"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}

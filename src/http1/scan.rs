//! Classifies bytes according to the grammar (RFC 9110 §5.6.2, RFC 9112 §2).

/// The byte cannot be part of a token.
pub(super) const NONE: u8 = 0;
/// A letter, a digit or `-`. Nearly all header names consist of these only.
pub(super) const PLAIN: u8 = 1;
/// Any other character that can be part of a token.
pub(super) const TOKEN: u8 = 2;

/// The class of each byte.
pub(super) static TOKENS: [u8; 256] = {
    let mut table = [NONE; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => PLAIN,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'.' | b'^' | b'_' | b'`' | b'|'
            | b'~' => TOKEN,
            _ => NONE,
        };
        byte += 1;
    }
    table
};

/// Returns whether these bytes form a token.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| TOKENS[usize::from(*byte)] != NONE)
}

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES * 0x80;

/// Returns the position of the first control character at or after `from`: a byte below 0x20, or 0x7F.
/// Returns the length if there is none.
///
/// It processes eight bytes at a time. After the increment, the control characters are the values up to 0x20,
/// 0x7F being 0. Without their high bits, the bytes do not carry into the next byte.
#[inline]
pub(super) fn find_control(bytes: &[u8], from: usize) -> usize {
    let mut rest = bytes.get(from..).unwrap_or_default();
    while let Some((chunk, behind)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let next = ((word & !HIGH) + ONES) & !HIGH;
        let others = (next + ONES * (0x80 - 0x21)) | word;
        let found = !others & HIGH;
        if found != 0 {
            return bytes.len() - rest.len() + (found.trailing_zeros() / 8) as usize;
        }
        rest = behind;
    }
    bytes.len() - rest.len()
        + rest.iter().position(|byte| *byte < 0x20 || *byte == 0x7f).unwrap_or(rest.len())
}

/// Returns the position of the first byte at or after `from` that is not a letter, a digit or `-`. Returns
/// the length if there is none.
#[inline]
pub(super) fn find_not_plain(bytes: &[u8], from: usize) -> usize {
    let mut rest = bytes.get(from..).unwrap_or_default();
    while let Some((chunk, behind)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        // Without their high bits, the bytes neither borrow from nor carry into the next byte.
        let ascii = word & !HIGH;
        let letter = ascii | (ONES * 0x20);
        let letters =
            letter.wrapping_add(ONES * u64::from(0x80 - b'a')) & (ONES * u64::from(0x80 | b'z') - letter);
        let digits =
            ascii.wrapping_add(ONES * u64::from(0x80 - b'0')) & (ONES * u64::from(0x80 | b'9') - ascii);
        let dash = HIGH - (ascii ^ (ONES * u64::from(b'-')));
        let others = !(letters | digits | dash) & HIGH | word & HIGH;
        if others != 0 {
            return bytes.len() - rest.len() + (others.trailing_zeros() / 8) as usize;
        }
        rest = behind;
    }
    bytes.len() - rest.len()
        + rest.iter().position(|byte| TOKENS[usize::from(*byte)] != PLAIN).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_byte_is_plain_or_not_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..16 {
                let mut bytes = [b'a'; 16];
                bytes[place] = byte;
                let plain = byte.is_ascii_alphanumeric() || byte == b'-';
                assert_eq!(find_not_plain(&bytes, 0), if plain { 16 } else { place }, "{byte:#x}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_first_control_character_is_found(
            bytes in proptest::collection::vec(prop_oneof![4 => 0x20_u8.., 1 => any::<u8>()], 0..70),
            from in 0..70_usize,
        ) {
            let from = from.min(bytes.len());
            let slow = bytes.iter().skip(from).position(u8::is_ascii_control);
            prop_assert_eq!(find_control(&bytes, from), slow.map_or(bytes.len(), |at| from + at));
        }

        #[test]
        fn the_first_byte_that_is_not_plain_is_found(
            bytes in proptest::collection::vec(prop_oneof![9 => b'a'..=b'z', 2 => b'-'..=b'9', 1 => any::<u8>()], 0..70),
            from in 0..70_usize,
        ) {
            let from = from.min(bytes.len());
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
            let slow = bytes.iter().skip(from).position(|byte| !plain(byte));
            prop_assert_eq!(find_not_plain(&bytes, from), slow.map_or(bytes.len(), |at| from + at));
        }
    }
}

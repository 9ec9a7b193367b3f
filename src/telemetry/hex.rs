//! Hex digits, for the ids of requests and of traces.

/// Returns the eight hex digits of a number. All are made at once: each digit in a byte of its own.
#[inline]
pub(super) fn digits(number: u32) -> [u8; 8] {
    const ONES: u64 = u64::MAX / 255;
    let mut digits = u64::from(number);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in the bytes of the digits from ten on, which are letters.
    let letters = (digits + ONES * 6) >> 4 & ONES;
    (digits + ONES * u64::from(b'0') + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 1, 0x0123_4567, 0x89ab_cdef, 0xfedc_ba98, u32::MAX, 0x9a9a_9a9a, 0x0a00_0000] {
            assert_eq!(digits(number), *format!("{number:08x}").as_bytes());
        }
    }
}

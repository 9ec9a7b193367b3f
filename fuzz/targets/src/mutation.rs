//! Inputs made from seeds and the words of a dictionary, without the feedback that a fuzzer has.

/// A generator of numbers that always makes the same ones from the same start (SplitMix64).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn of<'a>(&mut self, all: &'a [Vec<u8>]) -> &'a [u8] {
        all.get(self.below(all.len())).map_or(&[], Vec::as_slice)
    }
}

/// The most bytes of one input.
const LONGEST: usize = 4096;

/// One more input: a changed seed, words one behind the other, or random bytes.
pub fn input(random: &mut Random, seeds: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = match random.below(8) {
        0 => (0..random.below(256)).map(|_| random.byte()).collect(),
        1 | 2 => (0..random.below(12)).flat_map(|_| random.of(words).to_vec()).collect(),
        _ => random.of(seeds).to_vec(),
    };
    for _ in 0..=random.below(5) {
        change(random, &mut bytes, seeds, words);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[Vec<u8>]) {
    const EDGES: [u8; 12] = *b"\0\r\n\t :;%/\x7f\x80\xff";
    let at = random.below(bytes.len() + 1);
    let end = at + random.below((bytes.len() - at).min(32) + 1);
    match random.below(8) {
        0 => bytes.extend_from_slice(random.of(words)),
        1 => drop(bytes.splice(at..at, random.of(words).iter().copied())),
        2 => drop(bytes.drain(at..end)),
        3 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
        4 => {
            // The beginning of this input and the end of another one.
            let other = random.of(seeds);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[random.below(other.len())..]);
        }
        5 => drop(bytes.splice(at..at, [random.byte()])),
        kind => {
            let edge = EDGES[random.below(EDGES.len())];
            if let Some(byte) = bytes.get_mut(at) {
                *byte = if kind == 6 { edge } else { *byte ^ (1 << random.below(8)) };
            }
        }
    }
}

/// The words of a dictionary in libFuzzer's format: one a line, in quotes, with `\xNN`, `\\` and `\"`.
pub fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let quoted = dictionary.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    quoted.map(unescaped).collect()
}

fn unescaped(word: &str) -> Vec<u8> {
    let mut parts = word.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    while let Some(part) = parts.next() {
        match part.strip_prefix('x') {
            Some(code) => {
                let (digits, rest) = code.split_at(2);
                bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits after \\x"));
                bytes.extend_from_slice(rest.as_bytes());
            }
            // A backslash before a backslash splits into an empty part.
            None if part.is_empty() => {
                bytes.push(b'\\');
                bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
            }
            None => bytes.extend_from_slice(part.as_bytes()),
        }
    }
    bytes
}

#[test]
fn a_dictionary_is_read_as_libfuzzer_reads_it() {
    let read = words("# a comment\n\"a\\x0d\\x0Ab\"\n\n\"\\\\\"\n\"c\\\"\\\\d\"\n");
    assert_eq!(read, [&b"a\r\nb"[..], b"\\", b"c\"\\d"]);
}

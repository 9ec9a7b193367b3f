//! The bytes that were read from a connection and not consumed yet.
//!
//! An idle connection owns no read buffer. Its thread lends it a buffer when data is to be read, and the
//! connection returns the buffer once all data is consumed. Between two polls a connection keeps only the
//! remaining bytes, in a buffer of exactly their size.

use std::cell::{Cell, RefCell};

/// The size of a lent buffer. Only the part that data is read into is ever touched.
const ROOM: usize = 64 * 1024;
/// The number of buffers that a thread keeps for the next connections. Usually only one is in use at a time.
const MAX_KEPT: usize = 16;
/// The minimum free space to read into. With less, the existing bytes are moved to the front.
const LEAST_ROOM: usize = 4 * 1024;

thread_local! {
    /// The buffer that was returned last, which is in the CPU cache.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Returns a buffer of [`ROOM`] bytes, all of them initialised.
#[inline]
fn lend() -> Vec<u8> {
    let spare = SPARE.with(Cell::take);
    if spare.is_empty() { lend_another() } else { spare }
}

#[cold]
fn lend_another() -> Vec<u8> {
    BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; ROOM])
}

/// Takes a buffer back. The thread may be ending.
#[inline]
fn give_back(buffer: Vec<u8>) {
    if buffer.len() == ROOM
        && let Ok(before) = SPARE.try_with(|spare| spare.replace(buffer))
        && !before.is_empty()
    {
        keep(before);
    }
}

#[cold]
fn keep(buffer: Vec<u8>) {
    let _ = BUFFERS.try_with(|buffers| {
        if let Ok(mut buffers) = buffers.try_borrow_mut()
            && buffers.len() < MAX_KEPT
        {
            buffers.push(buffer);
        }
    });
}

/// Bytes that were read from a connection and not consumed yet.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// Lent by the thread, or exactly as large as the remaining bytes.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// Returns the bytes, oldest first.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Returns whether there are no bytes.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Removes this many bytes from the front.
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Returns free space to read into, after the existing bytes. It is never empty. The caller then passes
    /// the number of bytes read to [`Self::fill`].
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.buffer.is_empty() {
            self.buffer = lend();
        } else if self.buffer.len() - self.end < LEAST_ROOM {
            self.make_room();
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    #[cold]
    fn make_room(&mut self) {
        let left = self.end - self.start;
        if self.buffer.len() < ROOM {
            let mut lent = lend();
            if let (Some(to), Some(from)) = (lent.get_mut(..left), self.buffer.get(self.start..self.end)) {
                to.copy_from_slice(from);
            }
            self.buffer = lent;
        } else {
            self.buffer.copy_within(self.start..self.end, 0);
            if self.buffer.len() - left < LEAST_ROOM {
                // The caller would not continue reading if a head of this size were not allowed.
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
        }
        (self.start, self.end) = (0, left);
    }

    /// Records that this many bytes were read into the free space.
    #[inline]
    pub(crate) fn fill(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Returns the buffer before the task is suspended. Remaining bytes are kept in a buffer of exactly their
    /// size.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            give_back(std::mem::take(&mut self.buffer));
        } else if self.buffer.len() >= ROOM {
            let left = self.bytes().to_vec();
            (self.start, self.end) = (0, left.len());
            give_back(std::mem::replace(&mut self.buffer, left));
        }
    }

    /// Removes and returns all bytes.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let all = self.bytes().to_vec();
        self.start = self.end;
        self.settle();
        all
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &mut Input, bytes: &[u8]) {
        let room = input.room();
        room[..bytes.len()].copy_from_slice(bytes);
        input.fill(bytes.len());
    }

    #[test]
    fn a_buffer_is_lent_and_what_is_left_is_kept() {
        let mut input = Input::default();
        read(&mut input, b"one two");
        input.consume(4);
        assert_eq!(input.bytes(), b"two");
        input.settle();
        assert_eq!((input.bytes(), input.buffer.capacity()), (&b"two"[..], 3));
        read(&mut input, b" three");
        assert_eq!(input.bytes(), b"two three");
        input.consume(100);
        assert!(input.is_empty());
        input.settle();
        assert_eq!(input.buffer.capacity(), 0, "an idle connection owns nothing");
    }

    #[test]
    fn a_full_buffer_grows_and_is_not_kept_by_the_thread() {
        let mut input = Input::default();
        let mut all = Vec::new();
        for round in 0..40_u8 {
            let piece = [round; 4096];
            read(&mut input, &piece);
            all.extend_from_slice(&piece);
        }
        assert_eq!(input.bytes(), all);
        input.consume(all.len() - 1);
        read(&mut input, b"x");
        assert_eq!(input.bytes(), [39, b'x']);
        drop(input);
        assert!(BUFFERS.with_borrow(|buffers| buffers.iter().all(|buffer| buffer.len() == ROOM)));
    }
}

//! Write buffers that a thread lends to its connections. A connection with nothing to write owns no buffer.

use std::cell::{Cell, RefCell};

/// The capacity of a new buffer. It is enough for a head, or for a small response.
const ROOM: usize = 2 * 1024;
/// A buffer that has grown beyond this capacity is not kept.
const MOST_ROOM: usize = 64 * 1024;
/// The number of buffers that a thread keeps for the next messages.
const MAX_KEPT: usize = 128;

thread_local! {
    /// The buffer that was returned last, which is in the CPU cache.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Returns an empty buffer.
#[inline]
pub(crate) fn lend() -> Vec<u8> {
    let spare = SPARE.with(Cell::take);
    if spare.capacity() == 0 { lend_another() } else { spare }
}

#[inline(never)]
fn lend_another() -> Vec<u8> {
    BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(ROOM))
}

/// Takes back a buffer that is no longer needed.
#[inline]
pub(crate) fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > MOST_ROOM {
        return;
    }
    buffer.clear();
    // The access fails if the thread is ending.
    if let Ok(before) = SPARE.try_with(|spare| spare.replace(buffer))
        && before.capacity() > 0
    {
        keep(before);
    }
}

#[inline(never)]
fn keep(buffer: Vec<u8>) {
    let _ = BUFFERS.try_with(|buffers| {
        if let Ok(mut buffers) = buffers.try_borrow_mut()
            && buffers.len() < MAX_KEPT
        {
            buffers.push(buffer);
        }
    });
}

//! Buffers for what is written, lent by the thread: a connection that has nothing to write owns none.

use std::cell::RefCell;

/// How large a new buffer is: a head, or a response that is not large.
const ROOM: usize = 2 * 1024;
/// A buffer that has grown beyond this is not kept.
const MOST_ROOM: usize = 64 * 1024;
/// Buffers that a thread keeps for the next messages.
const MAX_KEPT: usize = 128;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer.
pub(crate) fn lend() -> Vec<u8> {
    BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(ROOM))
}

/// Takes a buffer back that is not needed any more.
pub(crate) fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > MOST_ROOM {
        return;
    }
    buffer.clear();
    // The thread itself may be ending.
    let _ = BUFFERS.try_with(|buffers| {
        if let Ok(mut buffers) = buffers.try_borrow_mut()
            && buffers.len() < MAX_KEPT
        {
            buffers.push(buffer);
        }
    });
}

//! A reference to a gate that does not keep it alive.

use std::sync::{Arc, Weak};

use crate::gate::instance::{Gate, Inner};

/// A reference to a gate that does not keep it alive, for threads that end with the gate.
pub(crate) struct WeakGate(Weak<Inner>);

impl WeakGate {
    /// Returns the gate, or `None` if its last clone is dropped.
    pub(crate) fn upgrade(&self) -> Option<Gate> {
        self.0.upgrade().map(|inner| Gate { inner })
    }
}

impl Gate {
    /// Returns a reference that does not keep the gate alive.
    pub(crate) fn downgrade(&self) -> WeakGate {
        WeakGate(Arc::downgrade(&self.inner))
    }
}

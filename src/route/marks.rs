//! Properties of a path that servers read differently, and the sets that routes accept.

use std::ops::{BitOr, BitOrAssign};

/// Properties of a canonical path that make servers read it in several ways. A route has a set of those that
/// it accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks(u8);

impl Marks {
    /// No mark: all servers read the path in the same way.
    pub const NONE: Self = Self(0);
    /// A `;` or `%3B`.
    pub const SEMICOLON: Self = Self(1);
    /// A `%2F`.
    pub const ENCODED_SLASH: Self = Self(1 << 1);
    /// A `%3F` or `%23`.
    pub const ENCODED_DELIMITER: Self = Self(1 << 2);
    /// Two slashes in a row, but not at the beginning.
    pub const EMPTY_SEGMENT: Self = Self(1 << 3);
    /// An escape of a character that is also allowed unescaped. Every route accepts it.
    pub const RESERVED_ESCAPE: Self = Self(1 << 4);
    /// A property of a table, not of a path: some of its routes match in any case.
    pub(super) const FOLDED: Self = Self(1 << 7);

    /// Returns this set if `condition` holds, and the empty one otherwise.
    #[must_use]
    pub fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }

    /// Returns whether all of `other` are in this set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns whether the set is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Marks {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

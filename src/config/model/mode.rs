//! Whether routes refuse requests.

/// Whether a route refuses requests whose token is missing or does not meet its requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// They are refused.
    #[default]
    Enforce,
    /// They are forwarded, and counted as what would be refused.
    Shadow,
}

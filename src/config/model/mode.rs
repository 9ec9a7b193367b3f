//! Whether routes refuse requests.

use serde::{Deserialize, Serialize};

/// Whether a route refuses requests whose token is missing or does not meet its requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are refused.
    #[default]
    Enforce,
    /// They are forwarded, and counted as what would be refused.
    Shadow,
}

impl Mode {
    /// Both modes with their names.
    pub(crate) const ALL: [(&'static str, Self); 2] = [("enforce", Self::Enforce), ("shadow", Self::Shadow)];

    /// Returns the name of the mode in gateway.toml.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}

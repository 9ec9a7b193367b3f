//! JWTs for upstreams: keys that sign, the published key set, and one JWT for each grant and audience.

mod key;
mod ring;
mod sign;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use key::{SigningKey, SigningKeyError};
pub(crate) use ring::KeyRing;
pub(crate) use state::{JwtPolicy, JwtSigner, JwtStats};

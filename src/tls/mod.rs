//! Certificates and private keys in PEM files: reading them, checking them, and errors that name the file,
//! the problem and the remedy; and the verifier of servers that the system's authorities do not vouch for.
//!
//! The configuration checks the files with it, and the server and the upstreams load them.

pub(crate) mod error;
pub(crate) mod pem_file;
pub(crate) mod server_verifier;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// Returns the cryptography provider. Never the process-wide default, which any crate may set.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

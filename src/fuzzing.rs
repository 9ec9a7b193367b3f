//! Access to internals for the fuzz targets in `fuzz/`. It exists only with the feature `_fuzzing`.

pub use crate::http1::fuzzing::*;
pub use crate::oauth::bearer::{Presented, Scheme, presented};
pub use crate::oauth::certificate::{Certificate, CertificateError};
pub use crate::oauth::client_auth::ClientAuth;
pub use crate::oauth::form::{Form, FormError, decode};
pub use crate::oauth::public_origin::PublicOrigins;
pub use crate::proxy::client::fuzzing::*;
pub use crate::route::marks::Marks;
pub use crate::route::path::canonical;
pub use crate::route::pattern::Pattern;
pub use crate::route::strip::strip_prefix;
pub use crate::route::table::{Entry, Match, RouteTable};

/// Client assertions (RFC 7523).
pub mod assertion {
    pub use crate::oauth::assertion::{AssertionError, Claims, Expect, check, peek_client, refuse};
}

/// DPoP proofs (RFC 9449).
pub mod dpop {
    pub use crate::oauth::dpop::{BoundToken, DpopError, Expect, HEADER, Proof, check, from_headers};
}

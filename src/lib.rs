//! OAuth 2.0 client-credentials protection for HTTP APIs.

mod answer;
pub mod clock;
pub mod oauth;

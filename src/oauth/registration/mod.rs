//! Dynamic client registration (RFC 7591, RFC 7592): the metadata of clients, the responses, and the tokens
//! that authorize registration.

mod metadata;
#[cfg(test)]
mod metadata_tests;
mod response;
mod template;
mod token;

pub(crate) use metadata::{ClientMetadata, Update};
pub(crate) use response::{Issued, registered, removed};
pub(crate) use template::{AuthMethod, Template};
pub(crate) use token::{CLIENT_ID_LENGTH, RegistrationToken, TokenKind, client_id, is_client_id};

//! One file for each target: a function that takes an input and panics if something is wrong.

pub mod assertion;
pub mod basic;
pub mod bearer;
pub mod certificate;
pub mod chunked;
pub mod connection;
pub mod dpop;
pub mod form;
pub mod jwks;
pub mod path;
pub mod request_head;
pub mod response_head;
pub mod routes;
pub mod scope;

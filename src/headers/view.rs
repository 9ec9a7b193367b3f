//! A view of a request head in either protocol.

use http::{HeaderName, Method, Version};

use super::class::{Class, ClassSet};
use super::field::Field;
use super::list::elements;
use super::outgoing::{Framing, Outgoing};
use crate::oauth::evidence::Credentials;

/// The forms of a request target (RFC 9112 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    /// `/path?query`.
    #[default]
    Origin,
    /// `http://host/path?query`.
    Http,
    /// `https://host/path?query`.
    Https,
    /// With another scheme.
    OtherScheme,
    /// `host:port`, of CONNECT.
    Authority,
    /// `*`, of OPTIONS.
    Asterisk,
}

/// The head of a request: spans for HTTP/1, a map for HTTP/2. Nothing is copied.
pub(crate) trait RequestView {
    /// Returns the method.
    fn method(&self) -> &Method;

    /// Returns the HTTP version of the request.
    fn version(&self) -> Version;

    /// Returns the form of the target. An HTTP/2 target with an authority is in absolute-form.
    fn form(&self) -> Form;

    /// Returns the authority in the target, if it has one.
    fn authority(&self) -> Option<&str>;

    /// Returns the path as received. It is ASCII, but not checked otherwise.
    fn path(&self) -> &str;

    /// Returns the query as received.
    fn query(&self) -> Option<&[u8]>;

    /// Returns all headers in their order.
    fn fields(&self) -> impl Iterator<Item = Field<'_>>;

    /// Returns the classes of the headers. Other spellings of a name are other headers.
    fn seen(&self) -> ClassSet;

    /// Returns the values of all headers of this class. Other spellings of a name are other headers.
    fn values(&self, class: Class) -> impl Iterator<Item = &[u8]>;

    /// Returns the protocol of the upgrade that the request asks for (RFC 9110 §7.8). Only HTTP/1.1 has
    /// upgrades.
    fn upgrade(&self) -> Option<&[u8]> {
        if !self.seen().has(Class::Upgrade) {
            return None;
        }
        let protocol = self.values(Class::Upgrade).next()?;
        let mut options = self.values(Class::Connection).flat_map(elements);
        let named = options.any(|option| option.eq_ignore_ascii_case(b"upgrade"));
        (named && self.version() == Version::HTTP_11).then_some(protocol)
    }

    /// Writes the headers for an HTTP/1.1 server, and returns how the body is framed.
    fn write_upstream(&self, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) -> Framing;

    /// Returns the value of the only header of this class, or `None` if there is none or more than one.
    fn only(&self, class: Class) -> Option<&[u8]> {
        let mut values = self.values(class);
        values.next().filter(|_| values.next().is_none())
    }
}

/// The credentials in the `Authorization` header of a request.
pub(crate) struct CredentialsOf<'a, V>(pub(crate) &'a V);

/// The credentials of a request whose token is in another header than `Authorization`, either after a scheme
/// or alone.
pub(crate) struct CredentialsIn<'a, V> {
    request: &'a V,
    values: Vec<Vec<u8>>,
}

impl<'a, V: RequestView> CredentialsIn<'a, V> {
    /// Creates the credentials in the header `name`.
    pub(crate) fn new(request: &'a V, name: &HeaderName) -> Self {
        let name = name.as_str().as_bytes();
        let fields = request.fields().filter(|field| field.name.eq_ignore_ascii_case(name));
        let with_scheme = |field: Field<'_>| match field.value {
            value if value.contains(&b' ') => value.to_vec(),
            token => [b"Bearer ", token].concat(),
        };
        // More than one value is refused, so two are enough.
        Self { request, values: fields.take(2).map(with_scheme).collect() }
    }
}

impl<V: RequestView> Credentials for CredentialsIn<'_, V> {
    fn authorization(&self) -> impl Iterator<Item = &[u8]> {
        self.values.iter().map(Vec::as_slice)
    }

    fn proofs(&self) -> impl Iterator<Item = &[u8]> {
        self.request.values(Class::Dpop)
    }
}

impl<V: RequestView> Credentials for CredentialsOf<'_, V> {
    fn authorization(&self) -> impl Iterator<Item = &[u8]> {
        self.0.values(Class::Authorization)
    }

    fn proofs(&self) -> impl Iterator<Item = &[u8]> {
        self.0.values(Class::Dpop)
    }
}

//! A view of a request's head, whatever it came in.

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

/// The head of a request as the gateway looks at it: spans for HTTP/1, a map for HTTP/2. Nothing is copied.
pub(crate) trait RequestView {
    /// The method.
    fn method(&self) -> &Method;

    /// The version that the client speaks.
    fn version(&self) -> Version;

    /// The form of the target. A target of HTTP/2 with an authority is in absolute-form.
    fn form(&self) -> Form;

    /// The authority in the target; `None` where it has none.
    fn authority(&self) -> Option<&str>;

    /// The path as it came. It may be anything but is ASCII.
    fn path(&self) -> &str;

    /// The query as it came, byte for byte.
    fn query(&self) -> Option<&[u8]>;

    /// All headers, in their order.
    fn fields(&self) -> impl Iterator<Item = Field<'_>>;

    /// The classes of the headers. Other spellings of a name are other headers.
    fn seen(&self) -> ClassSet;

    /// The values of all headers of this class. Other spellings of a name are other headers.
    fn values(&self, class: Class) -> impl Iterator<Item = &[u8]>;

    /// The protocol of an upgrade that the request asks for (RFC 9110 §7.8). Only HTTP/1.1 has upgrades.
    fn upgrade(&self) -> Option<&[u8]> {
        if !self.seen().has(Class::Upgrade) {
            return None;
        }
        let protocol = self.values(Class::Upgrade).next()?;
        let mut options = self.values(Class::Connection).flat_map(elements);
        let named = options.any(|option| option.eq_ignore_ascii_case(b"upgrade"));
        (named && self.version() == Version::HTTP_11).then_some(protocol)
    }

    /// Writes the headers that go to an HTTP/1.1 server, and returns how the body behind them is framed.
    fn write_upstream(&self, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) -> Framing;

    /// The value of the only header of this class; `None` where there is none, or more than one.
    fn only(&self, class: Class) -> Option<&[u8]> {
        let mut values = self.values(class);
        values.next().filter(|_| values.next().is_none())
    }
}

/// The credentials of a request, as the gate reads them.
pub(crate) struct CredentialsOf<'a, V>(pub(crate) &'a V);

/// The credentials of a request whose token is in another header than `Authorization`: after a scheme, as in
/// `Authorization`, or alone.
pub(crate) struct CredentialsIn<'a, V> {
    request: &'a V,
    values: Vec<Vec<u8>>,
}

impl<'a, V: RequestView> CredentialsIn<'a, V> {
    /// Those that a request has in the header `name`.
    pub(crate) fn new(request: &'a V, name: &HeaderName) -> Self {
        let name = name.as_str().as_bytes();
        let fields = request.fields().filter(|field| field.name.eq_ignore_ascii_case(name));
        let with_scheme = |field: Field<'_>| match field.value {
            value if value.contains(&b' ') => value.to_vec(),
            token => [b"Bearer ", token].concat(),
        };
        // Two are refused, however many more there are.
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

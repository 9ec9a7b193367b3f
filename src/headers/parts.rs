//! The view of a head that is a map: requests of HTTP/2.

use http::request::Parts;
use http::{HeaderValue, Method, Version, header};

use super::class::Class;
use super::field::Field;
use super::outgoing::{Framing, Outgoing};
use super::request::for_upstream;
use super::sink::HeaderSink as _;
use super::view::{Form, RequestView};

impl RequestView for Parts {
    fn method(&self) -> &Method {
        &self.method
    }

    fn version(&self) -> Version {
        self.version
    }

    fn form(&self) -> Form {
        match self.uri.scheme_str() {
            Some("http") => Form::Http,
            Some("https") => Form::Https,
            Some(_) => Form::OtherScheme,
            None if self.method == Method::CONNECT => Form::Authority,
            None if self.uri.path() == "*" => Form::Asterisk,
            None => Form::Origin,
        }
    }

    fn authority(&self) -> Option<&str> {
        self.uri.authority().map(http::uri::Authority::as_str)
    }

    fn path(&self) -> &str {
        self.uri.path()
    }

    fn query(&self) -> Option<&[u8]> {
        self.uri.query().map(str::as_bytes)
    }

    fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.headers.iter().map(|(name, value)| Field::in_map(name, value))
    }

    fn values(&self, class: Class) -> impl Iterator<Item = &[u8]> {
        // These are looked up for every request.
        let name = match class {
            Class::Authorization => Some(header::AUTHORIZATION),
            Class::Host => Some(header::HOST),
            Class::Origin => Some(header::ORIGIN),
            _ => None,
        };
        let found = name.map(|name| self.headers.get_all(name).iter().map(HeaderValue::as_bytes));
        let sought = found.is_none().then(|| {
            self.fields()
                .filter(move |field| field.class == class && !field.disguised)
                .map(|field| field.value)
        });
        found.into_iter().flatten().chain(sought.into_iter().flatten())
    }

    fn write_upstream(&self, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) -> Framing {
        let framing = for_upstream(self, outgoing, out);
        // HTTP/2 says by the end of the stream that there is no body. Servers of HTTP/1.1 ask for a length with methods
        // that usually have one (RFC 9110 §8.6).
        if framing == Framing::Unframed
            && self.version == Version::HTTP_2
            && matches!(self.method, Method::POST | Method::PUT | Method::PATCH)
        {
            out.add(&header::CONTENT_LENGTH, b"0");
            return Framing::Length;
        }
        framing
    }
}

//! The view of a head in a map, for HTTP/2 requests.

use http::header::{self, ValueIter};
use http::request::Parts;
use http::{HeaderValue, Method, Version};

use super::class::{Class, ClassSet};
use super::field::Field;
use super::outgoing::{Framing, Outgoing};
use super::request::for_upstream;
use super::sink::HeaderSink as _;
use super::view::{Form, RequestView};

/// The number of headers whose classes are stored. The classes of further headers are computed on each use.
const KEPT: usize = 32;

/// The head of a request in a map, with the classes of its headers.
pub(crate) struct MapHead<'a> {
    pub(super) parts: &'a Parts,
    /// The class of each header in the order of the map, and whether its name is another spelling of a known
    /// name.
    classes: [(Class, bool); KEPT],
    seen: ClassSet,
}

impl<'a> MapHead<'a> {
    /// Classifies each header once.
    pub(crate) fn new(parts: &'a Parts) -> Self {
        let (mut classes, mut seen) = ([(Class::Other, false); KEPT], ClassSet::default());
        for (at, name) in parts.headers.iter().map(|(name, _)| name).enumerate() {
            let (class, disguised) = Class::of(name.as_str().as_bytes());
            if !disguised {
                seen.insert(class);
            }
            if let Some(kept) = classes.get_mut(at) {
                *kept = (class, disguised);
            }
        }
        Self { parts, classes, seen }
    }

    /// Returns the number of headers.
    pub(crate) fn len(&self) -> usize {
        self.parts.headers.len()
    }
}

/// The values of the headers of one class.
enum Values<'a, S> {
    None,
    /// Looked up by the name.
    Found(ValueIter<'a, HeaderValue>),
    Sought(S),
}

impl<'a, S: Iterator<Item = &'a [u8]>> Iterator for Values<'a, S> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::None => None,
            Self::Found(values) => values.next().map(HeaderValue::as_bytes),
            Self::Sought(values) => values.next(),
        }
    }
}

impl RequestView for MapHead<'_> {
    fn method(&self) -> &Method {
        &self.parts.method
    }

    fn version(&self) -> Version {
        self.parts.version
    }

    fn form(&self) -> Form {
        match self.parts.uri.scheme_str() {
            Some("http") => Form::Http,
            Some("https") => Form::Https,
            Some(_) => Form::OtherScheme,
            None if self.parts.method == Method::CONNECT => Form::Authority,
            None if self.parts.uri.path() == "*" => Form::Asterisk,
            None => Form::Origin,
        }
    }

    fn authority(&self) -> Option<&str> {
        self.parts.uri.authority().map(http::uri::Authority::as_str)
    }

    fn path(&self) -> &str {
        self.parts.uri.path()
    }

    fn query(&self) -> Option<&[u8]> {
        self.parts.uri.query().map(str::as_bytes)
    }

    fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.parts.headers.iter().enumerate().map(|(at, (name, value))| match self.classes.get(at) {
            Some(class) => Field::of_class(*class, name, value),
            None => Field::in_map(name, value),
        })
    }

    fn seen(&self) -> ClassSet {
        self.seen
    }

    fn values(&self, class: Class) -> impl Iterator<Item = &[u8]> {
        if !self.seen.has(class) {
            return Values::None;
        }
        // These are looked up for every request.
        let name = match class {
            Class::Authorization => header::AUTHORIZATION,
            Class::Host => header::HOST,
            Class::Origin => header::ORIGIN,
            _ => {
                let fields = self.fields().filter(move |field| field.class == class && !field.disguised);
                return Values::Sought(fields.map(|field| field.value));
            }
        };
        Values::Found(self.parts.headers.get_all(name).iter())
    }

    fn write_upstream(&self, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) -> Framing {
        let framing = for_upstream(self, outgoing, out);
        // HTTP/2 marks a missing body with the end of the stream. HTTP/1.1 servers expect a length for
        // methods that usually have a body (RFC 9110 §8.6).
        if framing == Framing::Unframed
            && self.parts.version == Version::HTTP_2
            && matches!(self.parts.method, Method::POST | Method::PUT | Method::PATCH)
        {
            out.add(&header::CONTENT_LENGTH, b"0");
            return Framing::Length;
        }
        framing
    }
}

//! A view of a request's head, whatever it came in.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Version, header};

use super::class::Class;
use super::field::Field;
use super::request::{Form, RequestHead};

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

    /// The values of all headers of this class. Other spellings of a name are other headers.
    fn values(&self, class: Class) -> impl Iterator<Item = &[u8]> {
        self.fields().filter(move |field| field.class == class && !field.disguised).map(|field| field.value)
    }

    /// The value of the only header of this class; `None` where there is none, or more than one.
    fn only(&self, class: Class) -> Option<&[u8]> {
        let mut values = self.values(class);
        values.next().filter(|_| values.next().is_none())
    }
}

impl RequestView for RequestHead<'_> {
    fn method(&self) -> &Method {
        RequestHead::method(self)
    }

    fn version(&self) -> Version {
        RequestHead::version(self)
    }

    fn form(&self) -> Form {
        RequestHead::form(self)
    }

    fn authority(&self) -> Option<&str> {
        RequestHead::authority(self)
    }

    fn path(&self) -> &str {
        RequestHead::path(self)
    }

    fn query(&self) -> Option<&[u8]> {
        RequestHead::query(self)
    }

    fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        RequestHead::fields(self)
    }
}

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
}

impl<'a> Field<'a> {
    /// A header of a map.
    pub(crate) fn in_map(name: &'a HeaderName, value: &'a HeaderValue) -> Self {
        let name = name.as_str().as_bytes();
        let (class, disguised) = Class::of(name);
        Self { class, disguised, repaired: true, name, value: value.as_bytes(), line: (0, 0) }
    }
}

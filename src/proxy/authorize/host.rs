//! The host that a request is for, by its target and its `Host` field.

use http::Version;

use crate::headers::{Class, Form, RequestView};
use crate::route::host::{Host, HostError, HostRule, LastHost, TargetHost};

/// Returns the host that a request is for.
pub(in crate::proxy) fn host_of<'a>(
    request: &'a impl RequestView,
    last: &'a mut LastHost,
) -> Result<Host<'a>, HostError> {
    let target = match (request.form(), request.authority()) {
        (Form::OtherScheme, _) => return Err(HostError::Scheme),
        (_, None) => None,
        (form, Some(authority)) => {
            let default_port = match form {
                Form::Http => Some(80),
                Form::Https => Some(443),
                _ => None,
            };
            Some(TargetHost { authority, default_port })
        }
    };
    let rule = match request.version() {
        Version::HTTP_10 => HostRule::Optional,
        Version::HTTP_2 => HostRule::TargetSuffices,
        _ => HostRule::Required,
    };
    last.of_request(target, request.values(Class::Host), rule)
}

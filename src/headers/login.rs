//! Recognizes logins that authenticate a connection instead of a request.

use super::field::Field;
use super::list::elements;

/// The authentication schemes that authenticate the connection (RFC 4559 §4.1, MS-NTHT), in lower case.
const SCHEMES: [&[u8]; 4] = [b"ntlm", b"negotiate", b"kerberos", b"nego2"];

/// Returns whether an `Authorization` or one of the challenges of a `WWW-Authenticate` authenticates the
/// connection.
pub(crate) fn authenticates_connection(value: &[u8]) -> bool {
    elements(value).any(|element| {
        // A folded value has line breaks, which count as spaces (RFC 9112 §5.2).
        let scheme = element.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default();
        SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

/// Returns whether a response says that its connection is being authenticated, or is authenticated.
pub(crate) fn announces_connection_login<'a>(mut fields: impl Iterator<Item = Field<'a>>) -> bool {
    fields.any(|field| {
        field.name.eq_ignore_ascii_case(b"www-authenticate") && authenticates_connection(field.value)
            || field.name.eq_ignore_ascii_case(b"persistent-auth")
                && elements(field.value).any(|value| value.eq_ignore_ascii_case(b"true"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::Class;

    #[test]
    fn schemes_of_connections_are_recognized_in_any_case_and_position() {
        for value in [
            "NTLM",
            "ntlm TlRMTVNTUAAB",
            "Negotiate YII=",
            "Basic realm=\"a\", NTLM",
            "Digest a=b,negotiate",
            "Basic,\r\n NTLM",
        ] {
            assert!(authenticates_connection(value.as_bytes()), "{value}");
        }
        for value in
            ["", "Basic bnRsbQ==", "Bearer NTLM", "NTLMv9 a", "Digest username=\"NTLM\", realm=\"a\""]
        {
            assert!(!authenticates_connection(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_response_announces_a_login_by_its_challenge_or_by_persistent_auth() {
        for (name, value, expected) in [
            ("WWW-Authenticate", "Negotiate oRQwEqADCgEB", true),
            ("www-authenticate", "Basic realm=\"a\"", false),
            ("Persistent-Auth", "true", true),
            ("Persistent-Auth", "false", false),
            ("X-Persistent-Auth", "true", false),
        ] {
            let field = Field {
                class: Class::Other,
                disguised: false,
                repaired: false,
                name: name.as_bytes(),
                value: value.as_bytes(),
                line: (0, 0),
            };
            assert_eq!(announces_connection_login([field].into_iter()), expected, "{name}: {value}");
        }
    }
}

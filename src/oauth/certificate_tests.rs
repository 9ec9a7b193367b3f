use super::*;
use proptest::prelude::*;

const FULL: &[u8] = include_bytes!("../../tests/certificates/full.der");
const PLAIN: &[u8] = include_bytes!("../../tests/certificates/plain.der");
const MULTI: &[u8] = include_bytes!("../../tests/certificates/multi.der");

/// As `openssl x509 -subject -nameopt RFC2253` prints it.
const FULL_SUBJECT: &str = r"emailAddress=ops@example.com,organizationIdentifier=PSDDE-BAFIN-123456,CN=Server One,OU=Two\+Three,OU=One,O=Beispiel\, GmbH & S\C3\B6hne,C=DE";

fn is_of(der: &[u8], subject: &Subject) -> bool {
    Certificate::parse(der).unwrap().is_of(subject)
}

#[test]
fn thumbprints_are_those_that_openssl_computes() {
    let table = [
        (FULL, "XdMlgw2GoaZnNVlj3mVYFeZfzYbHrDCMOLnJOpdN44I"),
        (PLAIN, "zxv5vwSHlKPYZbwkAROw5sOsF9PVJPd_JXwERMkMIkY"),
        (MULTI, "593hjRFPCfvIQ3QXCT1V-0R50e-vlpKc_krS5Lcr9kw"),
    ];
    for (der, thumbprint) in table {
        assert_eq!(Certificate::parse(der).unwrap().thumbprint().to_string(), thumbprint);
        assert_eq!(Thumbprint::of(der).to_string(), thumbprint);
    }
}

#[test]
fn subject_names() {
    let table = [
        (PLAIN, "CN=plain", true),
        (PLAIN, "cn=plain", true),
        (PLAIN, "2.5.4.3=plain", true),
        (PLAIN, " CN = plain ", true),
        (PLAIN, r"CN=\70lain", true),
        (PLAIN, "CN=#0c05706c61696e", true),
        (PLAIN, "CN=#1305706c61696e", true),
        (PLAIN, "CN=Plain", false),
        (PLAIN, r"CN=plain\ ", false),
        (PLAIN, "CN=plai", false),
        (PLAIN, "CN=plain,C=DE", false),
        (PLAIN, "CN=plain+CN=plain", false),
        (PLAIN, "O=plain", false),
        (PLAIN, "CN=#0405706c61696e", false),
        (MULTI, "UID=17+CN=multi,C=FR", true),
        (MULTI, "CN=multi+UID=17,C=FR", true),
        (MULTI, "0.9.2342.19200300.100.1.1=17 + CN=multi, C=FR", true),
        (MULTI, "C=FR,UID=17+CN=multi", false),
        (MULTI, "UID=17,CN=multi,C=FR", false),
        (MULTI, "CN=multi,C=FR", false),
        (FULL, FULL_SUBJECT, true),
        (FULL, &FULL_SUBJECT.replace(r"S\C3\B6hne", "Söhne"), true),
        (FULL, &FULL_SUBJECT.replace(r"\,", r"\2c"), true),
        (FULL, &FULL_SUBJECT.replace(r"OU=Two\+Three,OU=One", r"OU=One,OU=Two\+Three"), false),
        (FULL, &FULL_SUBJECT.replace(",C=DE", ""), false),
        (FULL, "C=DE", false),
    ];
    for (der, text, same) in table {
        assert_eq!(is_of(der, &Subject::dn(text).unwrap()), same, "{text}");
    }
    assert_eq!(Subject::dn(""), Err(NameError::Empty));
    assert!(!is_of(PLAIN, &Subject::Dn(DistinguishedName::default())));
}

#[test]
fn alternative_names() {
    let ip = |text: &str| Subject::Ip(text.parse().unwrap());
    let table = [
        (Subject::Dns("client.example.com".into()), true),
        (Subject::Dns("CLIENT.example.com".into()), true),
        (Subject::Dns("*.wild.example.com".into()), true),
        (Subject::Dns("a.wild.example.com".into()), false),
        (Subject::Dns("example.com".into()), false),
        (Subject::Dns("Server One".into()), false),
        (Subject::Dns("".into()), false),
        (Subject::Uri("spiffe://example.com/ns/a/sa/b".into()), true),
        (Subject::Uri("spiffe://example.com/ns/a/sa/B".into()), false),
        (Subject::Uri("client.example.com".into()), false),
        (ip("192.0.2.7"), true),
        (ip("2001:db8::7"), true),
        (ip("192.0.2.8"), false),
        (ip("::ffff:192.0.2.7"), false),
        (Subject::Email("Ops@EXAMPLE.com".into()), true),
        (Subject::Email("ops@example.com".into()), false),
        (Subject::Email("Ops".into()), false),
    ];
    for (subject, same) in table {
        assert_eq!(is_of(FULL, &subject), same, "{subject:?}");
        assert!(!is_of(PLAIN, &subject), "{subject:?}");
    }
}

#[test]
fn text_that_is_not_a_certificate() {
    for length in 0..FULL.len() {
        assert_eq!(Certificate::parse(&FULL[..length]), Err(CertificateError::Malformed), "first {length}");
    }
    let trailing = [FULL, &[0]].concat();
    assert_eq!(Certificate::parse(&trailing), Err(CertificateError::Malformed));
    let long = vec![0x30; Certificate::MAX_LENGTH + 1];
    assert_eq!(Certificate::parse(&long), Err(CertificateError::TooLong));
}

/// Makes one element, with a length of any size.
fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = match contents.len() {
        short @ 0..0x80 => vec![short as u8],
        long => [vec![0x82], (long as u16).to_be_bytes().to_vec()].concat(),
    };
    let length = if let [0x82, 0, one] = length[..] { vec![0x81, one] } else { length };
    [vec![tag], length, contents.to_vec()].concat()
}

fn extension(names: &[u8]) -> Vec<u8> {
    let value = element(tag::OCTET_STRING, &element(tag::SEQUENCE, names));
    element(tag::SEQUENCE, &[element(tag::OID, &SUBJECT_ALTERNATIVE_NAME), value].concat())
}

/// Makes a certificate with only these extensions.
fn certificate(extensions: &[u8]) -> Vec<u8> {
    let empty = element(tag::SEQUENCE, &[]);
    let fields = [
        element(tag::INTEGER, &[1]),
        empty.repeat(5),
        element(tag::explicit(3), &element(tag::SEQUENCE, extensions)),
    ]
    .concat();
    let whole = [element(tag::SEQUENCE, &fields), empty, element(tag::BIT_STRING, &[0])].concat();
    element(tag::SEQUENCE, &whole)
}

#[test]
fn odd_alternative_names() {
    let one = |tag, contents: &[u8]| Certificate::parse(&certificate(&extension(&element(tag, contents))));
    assert!(one(tag::DNS_NAME, b"a.example").unwrap().is_of(&Subject::Dns("a.example".into())));
    assert!(one(tag::DNS_NAME, b"a.example").unwrap().subject().is_empty());
    for (tag, contents) in [
        (tag::DNS_NAME, &b"a.example\0.evil"[..]),
        (tag::DNS_NAME, b"\xc3\xa4.example"),
        (tag::URI, b"\xff"),
        (tag::RFC822_NAME, b"a\nb@c"),
        (tag::IP_ADDRESS, &[1, 2, 3]),
        (tag::IP_ADDRESS, &[0; 8]),
    ] {
        assert_eq!(one(tag, contents), Err(CertificateError::Malformed), "{contents:?}");
    }
    let name = element(tag::DNS_NAME, b"a");
    assert!(Certificate::parse(&certificate(&extension(&name.repeat(256)))).is_ok());
    let many = certificate(&extension(&name.repeat(257)));
    assert_eq!(Certificate::parse(&many), Err(CertificateError::TooManyNames));
    let twice = certificate(&extension(&name).repeat(2));
    assert_eq!(Certificate::parse(&twice), Err(CertificateError::Malformed));
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Certificate::parse(&bytes);
    }

    #[test]
    fn damaged_certificates_never_panic(place in 0..FULL.len(), byte: u8, from in 0..FULL.len(), count in 0usize..4) {
        let mut der = FULL.to_vec();
        der[place] = byte;
        der.drain(from..(from + count).min(der.len()));
        let _ = Certificate::parse(&der);
    }
}

use super::*;
use proptest::prelude::*;

fn values(text: &str) -> Result<Vec<String>, NameError> {
    let name = DistinguishedName::parse(text)?;
    let texts = name.relative.iter().rev().flatten().map(|attribute| match &attribute.value {
        Value::Text(text) => text.clone(),
        Value::Other(kind, contents) => format!("{kind}:{contents:?}"),
    });
    Ok(texts.collect())
}

#[test]
fn the_examples_of_rfc_4514_section_4() {
    let table: [(&str, &[&str]); 7] = [
        ("UID=jsmith,DC=example,DC=net", &["jsmith", "example", "net"]),
        // A relative name is a set: sorted by type, CN before OU.
        ("OU=Sales+CN=J.  Smith,DC=example,DC=net", &["J.  Smith", "Sales", "example", "net"]),
        (
            r#"CN=James \"Jim\" Smith\, III,DC=example,DC=net"#,
            &["James \"Jim\" Smith, III", "example", "net"],
        ),
        (r"CN=Before\0dAfter,DC=example,DC=net", &["Before\rAfter", "example", "net"]),
        ("1.3.6.1.4.1.1466.0=#04024869", &["4:[72, 105]"]),
        (r"CN=Lu\C4\8Di\C4\87", &["Lučić"]),
        (r"CN=\ #a\=b=c \ ", &[" #a=b=c  "]),
    ];
    for (text, expected) in table {
        assert_eq!(values(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn text_that_is_not_a_name() {
    let table = [
        ("plain", NameError::NoEquals),
        ("CN=a,", NameError::NoEquals),
        (",CN=a", NameError::NoEquals),
        ("CN=a,,O=b", NameError::NoEquals),
        ("CN=a, b", NameError::NoEquals),
        ("Nickname=a", NameError::Type),
        ("=a", NameError::Type),
        ("2=a", NameError::Type),
        ("2.5.4.03=a", NameError::Type),
        ("2.5..3=a", NameError::Type),
        ("3.1=a", NameError::Type),
        ("1.40=a", NameError::Type),
        ("2.5.99999999999999999999=a", NameError::Type),
        ("2.-5=a", NameError::Type),
        ("OID.2.5.4.3=a", NameError::Type),
        ("CN=a;O=b", NameError::Escape),
        ("CN=\"a\"", NameError::Escape),
        ("CN=<a>", NameError::Escape),
        ("CN=a\0", NameError::Escape),
        (r"CN=a\", NameError::Escape),
        (r"CN=a\x", NameError::Escape),
        (r"CN=a\4", NameError::Escape),
        (r"CN=a\C3", NameError::Encoding),
        ("CN=#", NameError::Hexadecimal),
        ("CN=#0c", NameError::Hexadecimal),
        ("CN=#0c0161ff", NameError::Hexadecimal),
        ("CN=#0c016", NameError::Hexadecimal),
        ("CN=#zz", NameError::Hexadecimal),
        ("CN=", NameError::NoValue),
        ("CN= ,O=a", NameError::NoValue),
    ];
    for (text, error) in table {
        assert_eq!(values(text), Err(error), "{text:?}");
    }
    assert_eq!(values(&"CN=a,".repeat(1000)), Err(NameError::TooLong));
    assert_eq!(values("  "), Ok(vec![]));
}

#[test]
fn equal_strings_of_different_types() {
    let of = |kind, contents: &[u8]| Value::from_der(kind, contents);
    let text = |text: &str| Value::Text(text.to_owned());
    for kind in
        [tag::UTF8_STRING, tag::PRINTABLE_STRING, tag::IA5_STRING, tag::TELETEX_STRING, tag::VISIBLE_STRING]
    {
        assert_eq!(of(kind, b"abc"), text("abc"));
    }
    assert_eq!(of(tag::BMP_STRING, &[0, 0x61, 0x01, 0x0d]), text("ač"));
    assert_eq!(of(tag::BMP_STRING, &[0xd8, 0x3d, 0xde, 0x00]), text("😀"));
    assert_eq!(of(tag::UNIVERSAL_STRING, &[0, 1, 0xf6, 0]), text("😀"));
    assert_eq!(of(tag::UTF8_STRING, "č".as_bytes()), text("č"));
    for (kind, contents) in [
        (tag::UTF8_STRING, &b"\xff"[..]),
        (tag::PRINTABLE_STRING, "č".as_bytes()),
        (tag::TELETEX_STRING, b"\xe4"),
        (tag::BMP_STRING, &[0]),
        (tag::BMP_STRING, &[0xd8, 0]),
        (tag::UNIVERSAL_STRING, &[0, 0, 0xd8, 0]),
        (tag::OCTET_STRING, b"abc"),
    ] {
        assert_eq!(of(kind, contents), Value::Other(kind, contents.to_vec()));
    }
}

#[test]
fn object_identifiers() {
    assert_eq!(encode_oid("2.5.4.3").unwrap(), [0x55, 4, 3]);
    assert_eq!(encode_oid("1.2.840.113549.1.9.1").unwrap(), [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1]);
    assert_eq!(encode_oid("2.999.0").unwrap(), [0x88, 0x37, 0]);
    assert_eq!(encode_oid("2.18446744073709551615"), None);
    for (name, dotted) in TYPES {
        assert!(encode_oid(dotted).is_some(), "{name}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(text in any::<String>(), shaped in "([A-Za-z0-9.]{0,4}[= ]{0,2}[a-z#\\\\ ,+;é0-9]{0,8}[,+]?){0,4}") {
        let _ = DistinguishedName::parse(&text);
        let _ = DistinguishedName::parse(&shaped);
    }

    #[test]
    fn escaped_names_are_read_back(value in "[ -~é\\n]{1,20}") {
        let escaped: String = value.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        prop_assert_eq!(values(&format!("CN={escaped},O=b")), Ok(vec![value, "b".to_owned()]));
    }
}

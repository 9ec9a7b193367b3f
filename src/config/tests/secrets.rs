//! No error and no `Debug` output contains a secret.

use proptest::prelude::*;

use super::*;

/// Every key that may have a secret, and those where one is easily written by mistake. `@` is the secret.
const PLACES: [&str; 24] = [
    "clients = \"@\"",
    "[clients]\na = \"@\"",
    "[clients.a]\nsecret = \"@\"",
    "[clients.a]\nsecret = [\"@\"]",
    "[clients.a]\nsecret = { hash = \"@\" }",
    "[clients.a]\nsecret = \"env:@ \"",
    "[clients.a]\nsecrets = \"@\"",
    "[clients.a]\nsecrets = [\"@\"]",
    "[clients.a]\nsecrets = [{ id = \"1\", hash = \"@\" }]",
    "[clients.a]\nsecrets = [{ id = \"1\", hash = \"HASH\", extra = \"@\" }]",
    "[clients.a]\nsecret = \"HASH\"\nscrt = \"@\"",
    "[clients.a]\njwks = '[{\"kty\":\"oct\",\"k\":\"@\"}]'\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]",
    "[clients.a]\njwks = \"@\"\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]",
    "[clients.a]\nsecret = \"@",
    "[clients.a]\nsecret = @ @",
    "[upstreams.a]\nservers = [\"http://user:@@h\"]",
    "[upstreams.a]\nservers = [\"http://h\"]\ncredentials = \"@\"",
    "[upstreams.a]\nservers = [\"http://h\"]\ncredentials = { basic = \"@\" }",
    "[upstreams.a]\nservers = [\"http://h\"]\ncredentials = { header = \"X\", value = \"@\\n\" }",
    "[upstreams.a]\nservers = [\"http://h\"]\ncredentials = { header = \"X\", value = [\"@\"] }",
    "[upstreams.a]\nservers = [\"http://h\"]\ncredentials = { basic = { user = \"u\", password = \"@\\u0000\" } }",
    "[upstreams.a]\nservers = [\"user:@@h\"]",
    "[clients.a]\njwks_uri = \"ftp://h?key=@\"\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]",
    "[token_service]\nissuer = \"https://user:@@h\"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn errors_never_hold_a_secret(secret in "[A-Za-z0-9]{12,40}|[ !#-\\[\\]-~]{12,40}") {
        for place in PLACES {
            // The last `@` of a URL belongs to the URL.
            let text = match place.split_once("@@") {
                Some((before, after)) => format!("{before}{secret}@{after}\n"),
                None => format!("{}\n", place.replace('@', &secret)),
            };
            let errors = parse(&text).expect_err(&text);
            prop_assert!(!errors.to_string().contains(&secret), "{errors}");
            prop_assert!(!format!("{errors:?}").contains(&secret), "{errors:?}");
        }
    }

    #[test]
    fn debug_never_holds_a_secret(secret in "[A-Za-z0-9]{12,40}|[!#-\\[\\]-~]{12,40}") {
        let text = format!(
            "[clients.a]\nsecret = \"HASH\"\n[upstreams.a]\nservers = [\"http://h\"]\n\
             credentials = {{ header = \"X\", value = \"{secret}\" }}\n[upstreams.b]\nservers = [\"http://h\"]\n\
             credentials = {{ basic = {{ user = \"u\", password = \"{secret}\" }} }}\n"
        );
        let shown = format!("{:?}", good(&text));
        prop_assert!(!shown.contains(&secret) && !shown.contains("argon2id"), "{shown}");
    }

    #[test]
    fn nothing_makes_it_panic(text in "(\\[{0,2}[a-z.]{0,9}\\]{0,2}|[a-z]{1,6} = |[\"'\\[\\]{}=,.#\n é0-9-]|\"[a-z:/ ]{0,9}\"){0,40}") {
        let _ = parse(&text);
    }
}

#[test]
fn a_secret_in_a_file_or_in_the_environment_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "from-the-file").unwrap();
    for source in ["env:LEGACY_KEY", "file:secret"] {
        let errors = parse_in(&format!("[clients.a]\nsecret = \"{source}\"\n"), folder.path()).unwrap_err();
        assert_eq!(errors.len(), 1);
        let shown = format!("{errors} {errors:?}");
        assert!(!shown.contains("from-the"), "{shown}");
        assert!(shown.contains("(a secret, not shown)"), "{shown}");
    }
}

#[test]
fn a_secret_file_has_one_secret_of_bounded_size() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large"), vec![b'a'; 70_000]).unwrap();
    std::fs::write(folder.path().join("empty"), "\n").unwrap();
    let text = |file: &str| {
        format!(
            "[upstreams.a]\nservers = [\"http://h\"]\ncredentials = {{ header = \"X\", value = \"file:{file}\" }}\n"
        )
    };
    for (file, help) in [("large", "larger than 64 KiB"), ("empty", "is empty")] {
        let errors = parse_in(&text(file), folder.path()).unwrap_err();
        assert!(errors.len() == 1 && errors.to_string().contains(help), "{errors}");
    }
}

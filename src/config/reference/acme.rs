//! `[server.tls.acme]`.

use serde_json::json;

use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::Acme;
use crate::config::settings::acme as settings;

pub(super) fn acme() -> Table {
    Table::new(
        "[server.tls.acme]",
        "Certificates that an authority such as Let's Encrypt issues by itself (ACME, RFC 8555), over the challenge \
         TLS-ALPN-01 (RFC 8737), which needs no other port than that of the gateway. They are kept in `state_dir`, and \
         renewed while the gateway serves. See [Certificates](certificates.md).",
        "[server.tls.acme]\n§",
    )
    .base("agree_to_terms = true\ndomains = [\"api.example.com\"]")
    .keys([
        Key::new(
            "agree_to_terms",
            Kind::Schema("`true`", json!({ "const": true })),
            "Says that you have read the terms of service of the authority and agree to them.",
        )
        .required()
        .example("true")
        .wrong("false")
        .beside("domains = [\"api.example.com\"]"),
        Key::new(
            "directory",
            Kind::text("URL: `https://`, or `http://` on loopback", pattern::secure_url(true)),
            "The directory of the authority.",
        )
        .default(format!("{:?}", settings::DIRECTORY))
        .example(r#""https://acme-staging-v02.api.letsencrypt.org/directory""#)
        .wrong(r#""http://ca.example.com/directory""#),
        Key::new(
            "directory_ca",
            Kind::text("path of a PEM file", pattern::LINE),
            "The authorities that the certificate of the directory's server is verified with, instead of those of the \
             system. A private authority needs it.",
        )
        .default_note("the authorities of the system")
        .example(r#""tls/client_ca.pem""#)
        .wrong_for_check(r#""missing.pem""#),
        Key::new(
            "contact",
            Kind::set(Kind::text("`mailto:` and an address", pattern::MAILTO)),
            "The addresses that the authority may write to, about the account or a problem with its certificates.",
        )
        .default("[]")
        .example(r#"["mailto:operators@example.com"]"#)
        .wrong(r#"["operators@example.com"]"#),
        Key::new(
            "domains",
            Kind::set(Kind::text("DNS name", pattern::certificate_name())).not_empty().most(Acme::MAX_DOMAINS),
            "The names that certificates are ordered for. Each has a certificate of its own, so that a name that does \
             not lead to this gateway stops no other. Wildcards and addresses need a certificate in a file.",
        )
        .default_note("the hosts of `token_service.issuer` and of the routes")
        .example(r#"["api.example.com", "login.example.com"]"#)
        .wrong(r#"["*.example.com"]"#)
        .beside("agree_to_terms = true"),
        Key::new(
            "external_account",
            Kind::Table(external_account()),
            "The account at the authority that orders are billed to (external account binding), if the authority wants \
             one. It is used when the gateway makes its ACME account.",
        )
        .default_note("none")
        .example(r#"{ kid = "kid-1", hmac_secret = "AAECAwQFBgcICQoLDA0ODw" }"#)
        .wrong(r#""kid-1""#),
        Key::number(
            &settings::RENEW_PERCENT_LEFT,
            "A certificate is renewed when this share of its lifetime is left, in percent, or earlier if the authority \
             suggests it (ACME renewal information, RFC 9773).",
        )
        .example("50"),
        Key::duration(
            &settings::RETRY_AFTER,
            "How long the gateway waits after the first failure for a domain. The wait doubles with each further failure, \
             to at most six hours, and is longer if the authority asks for it.",
        ),
        Key::number(
            &settings::MAX_ORDERS_PER_HOUR,
            "The most orders in an hour, over restarts and for all domains together.",
        ),
    ])
}

fn external_account() -> Table {
    Table::new(
        "external_account",
        "What the authority has given you.",
        "[server.tls.acme]\nagree_to_terms = true\ndomains = [\"api.example.com\"]\nexternal_account = { § }",
    )
    .base("kid = \"kid-1\", hmac_secret = \"AAECAwQFBgcICQoLDA0ODw\"")
    .keys([
        Key::new("kid", Kind::text("key identifier", pattern::LINE), "The key identifier.")
            .required()
            .example(r#""kid-1""#)
            .wrong(r#""""#)
            .beside("hmac_secret = \"AAECAwQFBgcICQoLDA0ODw\""),
        Key::new(
            "hmac_secret",
            Kind::Schema("secret", pattern::secret_value()),
            "The HMAC key in base64url, or where it comes from.",
        )
        .required()
        .example(r#""AAECAwQFBgcICQoLDA0ODw""#)
        .wrong_for_check(r#""not base64url!""#)
        .beside("kid = \"kid-1\""),
    ])
}

//! `[server.tls.acme]`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{addresses::secure_url, tls::authorities};
use crate::config::{
    address::{Host, Origin, Scheme},
    error::ErrorKind,
    model::{Acme, ExternalAccount, HostPattern, Issuer, Route, ServerCertificate, ServerTls, TokenService},
    reader::{Table, Value},
    settings::acme::{DIRECTORY, MAX_ORDERS_PER_HOUR, RENEW_PERCENT_LEFT, RETRY_AFTER},
    warning::Lint,
};

const DOMAIN: &str = "a DNS name such as \"api.example.com\"";
const CONTACT: &str = "an address such as \"mailto:operators@example.com\"";

/// Reads `[server.tls.acme]`. If it has no `domains`, the list is empty until [`name_domains`] fills it.
pub(super) fn acme(value: &Value<'_>) -> Option<Box<Acme>> {
    value.table("a table: [server.tls.acme]", read)?
}

fn read(table: &mut Table<'_>) -> Option<Box<Acme>> {
    const TERMS: &str = "true, if you have read the terms of service of the authority and agree to them";
    let agreed = match table.need("agree_to_terms", TERMS) {
        None => None,
        Some(value) => match value.boolean() {
            Some(false) => {
                value.invalid(format!("must be {TERMS}: no authority issues certificates otherwise"))
            }
            agreed => agreed,
        },
    };
    let directory = match table.take("directory") {
        None => Some(DIRECTORY.to_owned()),
        Some(value) => directory(&value),
    };
    let directory_ca = table.or("directory_ca", None, |value| authorities(&value).map(Some));
    let contact = table.or("contact", Vec::new(), |value| value.set_of("addresses", contact));
    let domains = match table.take("domains") {
        None => Some(Vec::new()),
        Some(value) => domains(&value),
    };
    let external_account = match table.take("external_account") {
        None => Some(None),
        Some(value) => {
            value.table("a table: { kid = \"…\", hmac_secret = \"env:NAME\" }", external_account)?.map(Some)
        }
    };
    let (renew_percent_left, retry_after) = (table.number(&RENEW_PERCENT_LEFT), table.duration(&RETRY_AFTER));
    let max_orders_per_hour = table.number(&MAX_ORDERS_PER_HOUR);
    agreed?;
    Some(Box::new(Acme {
        directory: directory?,
        directory_ca,
        contact,
        domains: domains?,
        external_account: external_account?,
        renew_percent_left,
        retry_after,
        max_orders_per_hour,
        position: table.position(),
    }))
}

fn directory(value: &Value<'_>) -> Option<String> {
    let url = secure_url(value, "the URL of an ACME directory", true)?;
    if Origin::parse_with_rest(url).is_ok_and(|(origin, _)| origin.scheme == Scheme::Http) {
        value.warn(
            Lint::PlainHttp,
            "is a directory without TLS, which RFC 8555 §6.1 does not allow: every user of this machine can pretend to \
             be the authority",
        );
    }
    Some(url.to_owned())
}

fn contact(value: &Value<'_>) -> Option<String> {
    let text = value.text(CONTACT, 255)?;
    let is_good = text.strip_prefix("mailto:").is_some_and(|address| {
        address.split_once('@').is_some_and(|(mailbox, host)| {
            !mailbox.is_empty() && Host::parse(host).is_some() && !mailbox.contains(['?', ',', ' ', '@'])
        })
    });
    if is_good { Some(text.to_owned()) } else { value.invalid(format!("must be {CONTACT}")) }
}

fn domains(value: &Value<'_>) -> Option<Vec<String>> {
    let mut domains: Vec<String> = Vec::new();
    for domain in value.set_of("DNS names", domain)? {
        // The list may have the same name in another case.
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    match domains.len() {
        0 => value
            .invalid("is empty, so no certificate would be ordered: leave it out for the hosts of this file"),
        1..=Acme::MAX_DOMAINS => Some(domains),
        _ => value.invalid(format!("has more than {} names", Acme::MAX_DOMAINS)),
    }
}

fn domain(value: &Value<'_>) -> Option<String> {
    let text = value.string(DOMAIN)?;
    if text.starts_with("*.") {
        return value.invalid(
            "is a wildcard, which an authority validates over DNS alone (RFC 8555 §7.1.3): name each host, or use a \
             certificate in a file",
        );
    }
    match Host::parse(text) {
        Some(Host::Name(name)) if !name.contains('_') => Some(name.into()),
        Some(Host::Address(_)) => value.invalid(
            "is an address: certificates are ordered for DNS names only. Use a certificate in a file for an address",
        ),
        Some(Host::Name(_)) | None => value.invalid(format!("must be {DOMAIN}")),
    }
}

fn external_account(table: &mut Table<'_>) -> Option<ExternalAccount> {
    const KEY: &str = "the HMAC key that the authority gave you, in base64url";
    let kid = table.need("kid", "the key identifier that the authority gave you");
    let kid = kid.and_then(|value| value.text("a key identifier", 1024).map(str::to_owned));
    let value = table.need("hmac_secret", KEY)?;
    let secret = value.clone().secret_text(KEY)?;
    let decoded = URL_SAFE_NO_PAD.decode(secret.expose().trim_end_matches('='));
    if !decoded.is_ok_and(|key| !key.is_empty()) {
        return value.secret().invalid(format!("must be {KEY}"));
    }
    Some(ExternalAccount { kid: kid?, hmac_secret: secret })
}

/// Sets the domains if `[server.tls.acme]` has none: the hosts of the issuer and of the routes. Reports an
/// error if there are no such hosts, or too many.
pub(super) fn name_domains(
    tls: &mut ServerTls,
    token_service: &TokenService,
    routes: &[Route],
    root: &Table<'_>,
) -> Option<()> {
    let ServerCertificate::Acme(acme, _) = &mut tls.certificate else { return Some(()) };
    if !acme.domains.is_empty() {
        return Some(());
    }
    let issuer = match &token_service.issuer {
        Issuer::Configured(issuer) => Origin::parse_with_rest(issuer).ok().map(|(origin, _)| origin.host),
        Issuer::FromListener(_) => None,
    };
    let hosts = routes.iter().flat_map(|route| &route.hosts).filter_map(|host| match host {
        HostPattern::Exact(host) => Some(host),
        HostPattern::Below(_) => None,
    });
    for host in issuer.iter().chain(hosts) {
        match host {
            Host::Name(name) if !host.is_loopback() && !name.contains('_') => {
                if !acme.domains.iter().any(|known| **known == **name) {
                    acme.domains.push(name.to_string());
                }
            }
            Host::Name(_) | Host::Address(_) => {}
        }
    }
    let message = match acme.domains.len() {
        0 => "orders no certificate: neither token_service.issuer nor a route has a host. Set `domains`"
            .to_owned(),
        1..=Acme::MAX_DOMAINS => return Some(()),
        hosts => format!(
            "would order certificates for {hosts} hosts, and the most is {}: set `domains`",
            Acme::MAX_DOMAINS
        ),
    };
    root.problem_at(acme.position, "server.tls.acme", ErrorKind::MissingKey, message);
    None
}

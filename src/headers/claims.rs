//! Headers with which a client could impersonate another client, or obtain another resource than the
//! authorized one.
//!
//! Servers, frameworks and other gateways trust these headers, because they expect a proxy in front of them
//! to set them. This is the only list. `docs/headers.md` is generated from it.

use super::spelling::same_variable;

/// What a header claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The client's identity. Never forwarded: the gateway sets it.
    Identity,
    /// The requested path, host or method. Never forwarded: the server might act on it.
    Resource,
    /// What a proxy in front of the gateway saw, such as the client's address. Forwarded from trusted proxies
    /// only.
    Connection,
}

/// A name in lower case, or a prefix of names if it ends with `*`, and what the header claims.
type Entry = (&'static str, Claim);

use Claim::{Connection, Identity, Resource};

/// All names, sorted by their first letter. A name with its own entry comes before a prefix that covers it.
pub(crate) const CLAIMS: &[Entry] = &[
    ("cf-access-*", Identity),
    ("cf-connecting-ip", Connection),
    ("cf-connecting-ipv6", Connection),
    ("cf-pseudo-ipv4", Connection),
    ("client-cert", Identity),
    ("client-cert-chain", Identity),
    ("client-ip", Connection),
    ("do-connecting-ip", Connection),
    ("fastly-client-ip", Connection),
    ("fly-client-ip", Connection),
    ("incap-client-ip", Connection),
    ("iv-creds", Identity),
    ("iv-groups", Identity),
    ("iv-user", Identity),
    ("oidc-claim-*", Identity),
    // CGI programs receive it as HTTP_PROXY, which their HTTP clients obey.
    ("proxy", Resource),
    ("proxy-client-ip", Connection),
    ("remote-addr", Connection),
    ("remote-email", Identity),
    ("remote-groups", Identity),
    ("remote-name", Identity),
    ("remote-user", Identity),
    ("sm-universalid", Identity),
    ("sm-user", Identity),
    ("sm-userdn", Identity),
    ("ssl-client-*", Identity),
    ("tailscale-user-*", Identity),
    ("true-client-ip", Connection),
    ("wl-proxy-client-ip", Connection),
    ("wl-proxy-ssl", Connection),
    ("x-amzn-oidc-*", Identity),
    ("x-anonymous-consumer", Identity),
    ("x-apigateway-api-userinfo", Identity),
    ("x-appengine-user-ip", Connection),
    ("x-arr-clientcert", Identity),
    ("x-auth-request-*", Identity),
    ("x-authenticated-*", Identity),
    ("x-authentik-*", Identity),
    ("x-azure-clientip", Connection),
    ("x-azure-socketip", Connection),
    ("x-client-cert*", Identity),
    ("x-client-dn", Identity),
    ("x-client-ip", Connection),
    ("x-client-verify", Identity),
    ("x-cluster-client-ip", Connection),
    ("x-consumer-*", Identity),
    ("x-credential-identifier", Identity),
    ("x-endpoint-api-userinfo", Identity),
    ("x-envoy-external-address", Connection),
    ("x-envoy-original-*", Resource),
    ("x-forwarded-access-token", Identity),
    ("x-forwarded-client-cert", Identity),
    ("x-forwarded-email", Identity),
    ("x-forwarded-groups", Identity),
    ("x-forwarded-method", Resource),
    ("x-forwarded-path", Resource),
    ("x-forwarded-preferred-username", Identity),
    ("x-forwarded-tls-client-cert*", Identity),
    ("x-forwarded-uri", Resource),
    ("x-forwarded-user", Identity),
    ("x-forwarded-*", Connection),
    ("x-goog-authenticated-user-*", Identity),
    ("x-goog-iap-jwt-assertion", Identity),
    ("x-http-host-override", Resource),
    ("x-http-method", Resource),
    ("x-http-method-override", Resource),
    ("x-method-override", Resource),
    // Next.js up to 15.2.2 skips its own checks if this header is present.
    ("x-middleware-subrequest", Resource),
    ("x-ms-client-principal*", Identity),
    ("x-nf-client-connection-ip", Connection),
    ("x-original-forwarded-for", Connection),
    ("x-original-host", Resource),
    ("x-original-method", Resource),
    ("x-original-path", Resource),
    ("x-original-uri", Resource),
    ("x-original-url", Resource),
    ("x-originating-ip", Connection),
    ("x-pomerium-*", Identity),
    ("x-proxyuser-ip", Connection),
    ("x-real-ip", Connection),
    ("x-remote-addr", Connection),
    ("x-remote-email", Identity),
    ("x-remote-extra-*", Identity),
    ("x-remote-group*", Identity),
    ("x-remote-ip", Connection),
    ("x-remote-name", Identity),
    ("x-remote-user*", Identity),
    ("x-rewrite-uri", Resource),
    ("x-rewrite-url", Resource),
    ("x-ssl-cert", Identity),
    ("x-ssl-client*", Identity),
    ("x-sucuri-clientip", Connection),
    ("x-tls-client-*", Identity),
    ("x-userinfo", Identity),
    ("x-vercel-forwarded-for", Connection),
    ("x-vouch-*", Identity),
    ("x-waws-unencoded-url", Resource),
    ("x-webauth-*", Identity),
];

/// The range of [`CLAIMS`] for each first letter, and the second bytes of these names.
#[derive(Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
    seconds: u32,
}

static GROUPS: [Group; 26] = {
    let mut groups = [Group { start: 0, end: 0, seconds: 0 }; 26];
    let mut at = 0;
    while at < CLAIMS.len() {
        let name = CLAIMS[at].0.as_bytes();
        let group = &mut groups[(name[0] - b'a') as usize];
        if group.end == 0 {
            group.start = at;
        }
        group.end = at + 1;
        group.seconds |= bit(name[1]);
        at += 1;
    }
    groups
};

/// The bit for a second byte. All bytes other than letters share one bit.
const fn bit(byte: u8) -> u32 {
    let letter = (byte | 0x20).wrapping_sub(b'a');
    if letter < 26 { 1 << letter } else { 1 << 31 }
}

/// Returns what a header of this name claims. The name may be in any case, and in any spelling that CGI-like
/// servers treat as the same name.
#[inline]
pub(crate) fn claim(name: &[u8]) -> Option<Claim> {
    let [first, second, ..] = name else { return None };
    let group = GROUPS.get(usize::from((first | 0x20).wrapping_sub(b'a')))?;
    if group.seconds & bit(*second) == 0 { None } else { find(group, name) }
}

fn find(group: &Group, name: &[u8]) -> Option<Claim> {
    let entries = CLAIMS.get(group.start..group.end)?;
    let matches = |(known, _): &&Entry| match known.strip_suffix('*') {
        Some(beginning) => {
            name.get(..beginning.len()).is_some_and(|name| same_variable(beginning.as_bytes(), name))
        }
        None => same_variable(known.as_bytes(), name),
    };
    entries.iter().find(matches).map(|(_, claim)| *claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_spelling() {
        for (name, expected) in CLAIMS {
            let name = name.replace('*', "x");
            for name in [name.clone(), name.to_uppercase(), name.replace('-', "_"), name.replace('-', ".")] {
                assert_eq!(claim(name.as_bytes()), Some(*expected), "{name}");
            }
        }
    }

    #[test]
    fn the_list_is_in_order() {
        assert!(CLAIMS.is_sorted_by_key(|(name, _)| name.as_bytes()[0]));
        for (at, (name, _)) in CLAIMS.iter().enumerate() {
            assert!(
                !CLAIMS[..at].iter().any(|(earlier, _)| {
                    earlier.strip_suffix('*').map_or(earlier == name, |beginning| name.starts_with(beginning))
                }),
                "{name} is hidden by an earlier entry"
            );
        }
    }

    #[test]
    fn other_names_claim_nothing() {
        for name in
            ["x", "", "x-forwarded", "content-type", "client", "user-agent", "x-request-id", "remote-users"]
        {
            assert_eq!(claim(name.as_bytes()), None, "{name}");
        }
    }

    /// `TOLLGATE_BLESS=1` writes the lists of `docs/headers.md`.
    #[test]
    fn the_documented_lists_are_these() {
        const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/headers.md");
        let page = std::fs::read_to_string(PAGE).expect("docs/headers.md");
        let mut written = page.clone();
        for (mark, claim) in [("identity", Identity), ("resource", Resource), ("connection", Connection)] {
            let names = CLAIMS.iter().filter(|(_, of)| *of == claim);
            let list: String = names.map(|(name, _)| format!("- `{}`\n", title_case(name))).collect();
            let (start, end) = (format!("<!-- names: {mark} -->\n"), "<!-- end of names -->");
            let from = written.find(&start).expect("the mark of a list") + start.len();
            let to = from + written[from..].find(end).expect("the end of a list");
            written.replace_range(from..to, &format!("\n{list}\n"));
        }
        if std::env::var_os("TOLLGATE_BLESS").is_some() {
            std::fs::write(PAGE, &written).expect("docs/headers.md");
        } else {
            assert_eq!(page, written, "run the test with TOLLGATE_BLESS=1");
        }
    }

    fn title_case(name: &str) -> String {
        let word = |word: &str| word[..word.len().min(1)].to_uppercase() + &word[word.len().min(1)..];
        name.split('-').map(word).collect::<Vec<_>>().join("-")
    }
}

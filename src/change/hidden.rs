//! Hides secrets in the texts of configurations, and restores them.
//!
//! The history stores no credential in clear. It stores a placeholder instead: `hidden:` and a keyed digest.
//! The digest shows whether a credential changed, and a rollback uses it to find the credential in the
//! current configuration.

use std::ops::Range;

use ring::hmac;
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::conflict::Conflict;
use super::texts::{Texts, hex};

use crate::sorting::sort_by_key;

/// The prefix of the digest of a hidden credential.
const PREFIX: &str = "hidden:";
/// The prefix of argon2 hashes.
const HASH: &str = "$argon2";
/// The number of bytes of a digest that are shown.
const DIGEST: usize = 16;
/// The last words of keys whose values are credentials: alone, or after `_`.
const WORDS: [&str; 5] = ["password", "secret", "token", "value", "passphrase"];
/// Where routes have the headers that requests get. Upstreams are given keys in them.
const ROUTE_HEADERS: &str = "routes.request_headers.set.";

/// The key with which digests are made.
pub(crate) struct HidingKey(hmac::Key);

/// A credential in a text.
struct Found<'t> {
    /// Its path of keys, without the indexes of lists.
    path: String,
    /// The position of its value.
    span: Range<usize>,
    /// The value as the file contains it, including the quotation marks.
    quoted: &'t str,
    /// The value as the file contains it, with escapes that are not resolved.
    text: &'t str,
    /// The value.
    value: String,
}

impl HidingKey {
    /// Makes a key of 32 random bytes.
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    fn digest(&self, text: &str) -> String {
        let digest = hmac::sign(&self.0, text.as_bytes());
        hex(digest.as_ref().get(..DIGEST).unwrap_or_default())
    }

    /// Returns texts in which every literal credential is replaced by its digest. Hashes of secrets are
    /// preserved.
    pub(crate) fn hide(&self, texts: &Texts) -> Texts {
        let hide = |text: &str| {
            replace(text, |found| {
                (!found.text.starts_with(PREFIX)).then(|| format!("\"{PREFIX}{}\"", self.digest(found.text)))
            })
        };
        Texts::new(texts.iter().map(|(path, text)| (path.to_owned(), hide(text))).collect())
    }

    /// Returns texts that are safe to show: without credentials and without hashes of secrets.
    pub(crate) fn shown(&self, texts: &Texts) -> Texts {
        let hidden = self.hide(texts);
        Texts::new(hidden.iter().map(|(path, text)| (path.to_owned(), self.without_hashes(text))).collect())
    }

    /// Replaces argon2 hashes at any position in a text.
    fn without_hashes(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(HASH) {
            let (before, from) = rest.split_at(at);
            let is_part = |c: char| c.is_ascii_alphanumeric() || "$+/=,.-_".contains(c);
            let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
            let (hash, after) = from.split_at(end);
            let digest = self.digest(hash);
            shown.push_str(before);
            shown.push_str(PREFIX);
            shown.push_str(digest.get(..12).unwrap_or_default());
            rest = after;
        }
        shown.push_str(rest);
        shown
    }

    /// Replaces the placeholders in JSON that a configuration would have at a path of keys, by the
    /// credentials that `today` has at the same keys.
    ///
    /// # Errors
    /// Fails for a credential that is not at its key in `today`.
    pub(super) fn refill_json(&self, path: &str, json: &mut Json, today: &Texts) -> Result<(), Conflict> {
        match json {
            Json::String(text) => {
                let Some(digest) = text.strip_prefix(PREFIX) else { return Ok(()) };
                let known = today.iter().flat_map(|(_, text)| credentials(text));
                let mut known = known.filter(|known| known.path == path && self.digest(known.text) == digest);
                let known = known.next().ok_or_else(|| Conflict::CredentialGone(path.to_owned()))?;
                *text = known.value;
                Ok(())
            }
            Json::Array(items) => items.iter_mut().try_for_each(|item| self.refill_json(path, item, today)),
            Json::Object(members) => members
                .iter_mut()
                .try_for_each(|(key, value)| self.refill_json(&format!("{path}.{key}"), value, today)),
            _ => Ok(()),
        }
    }

    /// Replaces the digests in `texts` by the credentials of `today`.
    ///
    /// # Errors
    /// Fails for a credential that is at no key of the current configuration. With `any`, a credential that
    /// changed since then is replaced by the current one at the same key. Without `any`, it is an error too.
    pub(crate) fn refill(&self, texts: &Texts, today: &Texts, any: bool) -> Result<Texts, Conflict> {
        let known: Vec<Found<'_>> = today.iter().flat_map(|(_, text)| credentials(text)).collect();
        let mut gone = None;
        let mut fill = |text: &str| {
            replace(text, |found| {
                let digest = found.text.strip_prefix(PREFIX)?;
                let mut same_key = known.iter().filter(|known| known.path == found.path);
                let same = same_key.clone().find(|known| self.digest(known.text) == digest);
                match same.or_else(|| same_key.next().filter(|_| any)) {
                    Some(known) => Some(known.quoted.to_owned()),
                    None => {
                        gone = Some(found.path.clone());
                        None
                    }
                }
            })
        };
        let filled = texts.iter().map(|(path, text)| (path.to_owned(), fill(text))).collect();
        match gone {
            None => Ok(Texts::new(filled)),
            Some(key) => Err(Conflict::CredentialGone(key)),
        }
    }
}

/// Returns whether a text is the placeholder for a credential.
pub(super) fn is_hidden(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Returns whether a literal value at a path of keys is a credential.
pub(super) fn is_credential(path: &str, text: &str) -> bool {
    if text.starts_with(HASH) || text.starts_with("env:") || text.starts_with("file:") {
        return false;
    }
    let (table, leaf) = (path.split('.').next().unwrap_or(path), path.rsplit('.').next().unwrap_or(path));
    if has_password(text) {
        return true;
    }
    match table {
        "upstreams" => path.ends_with(".credentials.value") || path.ends_with(".credentials.basic.password"),
        // A secret in clear is an error at this key, but a text that is not committed yet may contain one.
        "clients" => matches!(leaf, "secret" | "hash"),
        "routes" => path.starts_with(ROUTE_HEADERS),
        "scopes" | "expect" | "include" => false,
        _ => is_secret_word(leaf) || path.starts_with("tracing.headers"),
    }
}

/// Returns whether a key is, or ends with, a word for a credential, as `sentinel_password` does.
fn is_secret_word(key: &str) -> bool {
    WORDS.iter().any(|word| key.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')))
}

/// Hides the credentials in JSON that a configuration would have at a path of keys.
pub(super) fn hide_json(path: &str, json: &mut Json) {
    match json {
        Json::String(text) if is_credential(path, text) => "hidden".clone_into(text),
        Json::Array(items) => items.iter_mut().for_each(|item| hide_json(path, item)),
        Json::Object(members) => {
            for (key, value) in members {
                hide_json(&format!("{path}.{key}"), value);
            }
        }
        _ => {}
    }
}

/// Returns whether a URL contains a password.
fn has_password(text: &str) -> bool {
    let authority =
        text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(rest));
    authority.and_then(|authority| authority.rsplit_once('@')).is_some_and(|(user, _)| user.contains(':'))
}

/// Finds the literal credentials in a text, and the placeholders for them.
fn credentials(text: &str) -> Vec<Found<'_>> {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut found = Vec::new();
    for (key, value) in table.get_ref() {
        collect(text, key.get_ref(), value, &mut found);
    }
    found
}

fn collect<'t>(text: &'t str, path: &str, value: &Spanned<DeValue<'_>>, found: &mut Vec<Found<'t>>) {
    match value.get_ref() {
        DeValue::String(string) if is_credential(path, string) || is_hidden(string) => {
            let span = value.span();
            let quoted = text.get(span.clone()).unwrap_or_default();
            let text = quoted.trim_matches(['"', '\'']);
            found.push(Found { path: path.to_owned(), span, quoted, text, value: string.to_string() });
        }
        DeValue::Array(items) => items.iter().for_each(|item| collect(text, path, item, found)),
        DeValue::Table(table) => {
            for (key, value) in table {
                collect(text, &format!("{path}.{}", key.get_ref()), value, found);
            }
        }
        _ => {}
    }
}

/// Replaces the credentials for which `new` returns a value as TOML writes it.
fn replace(text: &str, mut new: impl FnMut(&Found<'_>) -> Option<String>) -> String {
    let mut found = credentials(text);
    sort_by_key(&mut found, |found| found.span.start);
    let mut replaced = String::with_capacity(text.len());
    let mut at = 0;
    for one in &found {
        if let Some(value) = new(one) {
            replaced.push_str(text.get(at..one.span.start).unwrap_or_default());
            replaced.push_str(&value);
            at = one.span.end;
        }
    }
    replaced.push_str(text.get(at..).unwrap_or_default());
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_their_keys() {
        for path in [
            "store.password",
            "store.sentinel_password",
            "tracing.headers.X-Key",
            "tracing.otlp_token",
            "routes.request_headers.set.X-Api-Key",
            "upstreams.shop.credentials.value",
        ] {
            assert!(is_credential(path, "sesame"), "{path}");
            assert!(!is_credential(path, "env:SESAME"), "{path}");
        }
        for path in ["store.sentinel", "store.passwords", "routes.response_headers.set.X-Key", "routes.token"]
        {
            assert!(!is_credential(path, "sesame"), "{path}");
        }
        let key = HidingKey::new(&[1; 32]);
        let text = "[store]\nsentinel_password = \"sesame\"\n\n[[routes]]\nrequest_headers.set = { X-Key = \"sesame\" }\n\
                    \n[[routes]]\n[routes.request_headers.set]\n\"X-Key\" = \"sesame\"\n";
        let texts = Texts::new(vec![(Default::default(), text.to_owned())]);
        let hidden = key.hide(&texts);
        assert!(!hidden.main().contains("sesame"), "{}", hidden.main());
        assert_eq!(key.refill(&hidden, &texts, false).unwrap().main(), text);
    }

    #[test]
    fn a_placeholder_is_refilled_at_its_own_key_only() {
        let key = HidingKey::new(&[1; 32]);
        let text = "[upstreams.shop]\ncredentials = { header = \"X-Key\", value = \"ses\\u0061me\" }\n";
        let texts = Texts::new(vec![(Default::default(), text.to_owned())]);
        let shown = key.hide(&texts);
        let shown = shown.main().split('"').find(|part| is_hidden(part)).unwrap().to_owned();
        let credentials = || serde_json::json!({ "credentials": { "header": "X-Other", "value": shown } });
        let mut json = credentials();
        key.refill_json("upstreams.shop", &mut json, &texts).unwrap();
        assert_eq!(json["credentials"]["value"], "sesame");
        let gone = key.refill_json("upstreams.other", &mut credentials(), &texts).unwrap_err();
        assert_eq!(gone, Conflict::CredentialGone("upstreams.other.credentials.value".to_owned()));
    }
}

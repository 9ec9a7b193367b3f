//! The account at the authority (RFC 8555 §7.3): made once, and kept with its key in `state_dir`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use serde::{Deserialize, Serialize};

use super::error::AcmeError;
use super::http::AuthorityClient;
use super::storage::Storage;
use crate::config::Acme;
use crate::json::parse_text;

/// The contents of the file.
#[derive(Serialize, Deserialize)]
struct Kept {
    contact: Vec<String>,
    credentials: AccountCredentials,
}

/// Returns the account. Creates one if none is stored. Sends the contacts to the authority if they have
/// changed.
pub(super) async fn open(
    acme: &Acme,
    storage: &Storage,
    http: &AuthorityClient,
) -> Result<Account, AcmeError> {
    let builder = Account::builder_with_http(Box::new(http.clone()));
    let contact: Vec<&str> = acme.contact.iter().map(String::as_str).collect();
    let Some(text) = storage.read_account()? else {
        let new =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let external = external_account(acme);
        let (account, credentials) = builder.create(&new, acme.directory.clone(), external.as_ref()).await?;
        keep(acme, storage, credentials)?;
        log::info!("{} has an account for this gateway: {}", acme.directory, account.id());
        return Ok(account);
    };
    let malformed = |_| AcmeError::Malformed(storage.account_path());
    let kept: Kept = parse_text(&text).map_err(malformed)?;
    let is_same_contact = kept.contact == acme.contact;
    let account = builder.from_credentials(kept.credentials).await?;
    if !is_same_contact {
        account.update_contacts(&contact).await?;
        let Kept { credentials, .. } = parse_text(&text).map_err(malformed)?;
        keep(acme, storage, credentials)?;
    }
    Ok(account)
}

fn keep(acme: &Acme, storage: &Storage, credentials: AccountCredentials) -> Result<(), AcmeError> {
    let kept = Kept { contact: acme.contact.clone(), credentials };
    let text = serde_json::to_string(&kept).map_err(|_| AcmeError::Malformed(storage.account_path()))?;
    storage.write_account(text)
}

fn external_account(acme: &Acme) -> Option<ExternalAccountKey> {
    let external = acme.external_account.as_ref()?;
    // The configuration has checked that it is base64url.
    let key = URL_SAFE_NO_PAD.decode(external.hmac_secret.expose().trim_end_matches('=')).ok()?;
    Some(ExternalAccountKey::new(external.kid.clone(), &key))
}

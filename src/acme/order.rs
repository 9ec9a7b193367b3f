//! One order (RFC 8555 §7.4): from the names to the chain of certificates.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use zeroize::Zeroizing;

use super::challenge::{Challenges, Presented};
use super::error::AcmeError;
use super::renewal::identifier;
use crate::oauth::certificate::issued::Issued;

/// How often and for how long the gateway polls the state of an order.
const POLL: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).timeout(Duration::from_secs(120));

/// A private key, and the certificates that an authority has issued for it, in PEM.
pub(super) struct Chain {
    pub(super) key: Zeroizing<String>,
    pub(super) certificates: String,
}

/// Orders a certificate for a domain. The order names the current certificate as the one that it replaces.
pub(super) async fn order(
    account: &Account,
    domain: &str,
    current: Option<&Issued>,
    challenges: &Challenges,
) -> Result<Chain, AcmeError> {
    let mut order = begin(account, domain, current).await?;
    // The gateway answers the challenge until the authority has decided.
    let presented = present(&mut order, domain, challenges).await?;
    match order.poll_ready(&POLL).await {
        Ok(OrderStatus::Ready) => {}
        Ok(_) => return Err(AcmeError::NotValidated(reason(&mut order).await)),
        Err(error) => return Err(error.into()),
    }
    drop(presented);
    let key = KeyPair::generate().map_err(AcmeError::Generate)?;
    let mut params = CertificateParams::new([domain.to_owned()]).map_err(AcmeError::Generate)?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key).map_err(AcmeError::Generate)?;
    order.finalize_csr(request.der()).await?;
    let certificates = order.poll_certificate(&POLL).await?;
    Ok(Chain { key: Zeroizing::new(key.serialize_pem()), certificates })
}

async fn begin(account: &Account, domain: &str, current: Option<&Issued>) -> Result<Order, AcmeError> {
    let names = [Identifier::Dns(domain.to_owned())];
    if let Some(replaced) = current.and_then(identifier) {
        // An authority can prefer renewals. It can also refuse to renew a certificate that it does not know
        // (RFC 9773 §5); the order is then made again without the current certificate.
        match account.new_order(&NewOrder::new(&names).replaces(replaced)).await {
            Ok(order) => return Ok(order),
            Err(error) => {
                let error = AcmeError::from(error);
                if matches!(error, AcmeError::Unreachable(_)) || error.problem() == Some("rateLimited") {
                    return Err(error);
                }
                log::debug!("{domain}: the order is not a renewal: {error}");
            }
        }
    }
    Ok(account.new_order(&NewOrder::new(&names)).await?)
}

/// Answers the challenge of each pending authorization, and reports to the authority that it can connect.
async fn present(
    order: &mut Order,
    domain: &str,
    challenges: &Challenges,
) -> Result<Vec<Presented>, AcmeError> {
    let mut presented = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Valid => continue,
            _ => return Err(AcmeError::NotValidated(None)),
        }
        let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
        let mut challenge = challenge.ok_or(AcmeError::NoChallenge)?;
        let digest = challenge.key_authorization().digest();
        let digest = digest.as_ref().try_into().map_err(|_| AcmeError::NoChallenge)?;
        presented.push(challenges.present(domain, digest)?);
        challenge.set_ready().await?;
    }
    Ok(presented)
}

/// Returns the reason for which the authority has refused the domain, if it gives one.
async fn reason(order: &mut Order) -> Option<String> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        let state = authorization.refresh().await.ok()?;
        let problem = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(detail) = problem.and_then(|problem| problem.detail.clone()) {
            return Some(detail);
        }
    }
    None
}

//! Computes when a certificate is renewed.

use std::time::{Duration, UNIX_EPOCH};

use instant_acme::{Account, CertificateIdentifier, SuggestedWindow};
use rustls_pki_types::Der;

use crate::oauth::certificate::issued::Issued;

/// The shortest and the longest time between two requests for the authority's suggestion, in seconds.
const LOOK_AGAIN: (u64, u64) = (600, 86_400);
/// How long the gateway waits for its next request if it has got no suggestion, in seconds.
const AFTER_FAILURE: u64 = 6 * 3_600;

/// Returns the moment at which `percent` of a certificate's lifetime is left, in seconds since 1970.
pub(crate) fn renewal_due(issued: &Issued, percent: u32) -> u64 {
    let lifetime = issued.not_after.saturating_sub(issued.not_before);
    issued.not_after - lifetime * u64::from(percent.min(100)) / 100
}

/// Returns the identifier of a certificate in requests about its renewal (RFC 9773 §4.1).
pub(super) fn identifier(issued: &Issued) -> Option<CertificateIdentifier<'static>> {
    let key = issued.authority_key.as_deref()?;
    Some(CertificateIdentifier::new(Der::from_slice(key), Der::from_slice(&issued.serial)).into_owned())
}

/// When the authority suggests renewing a certificate, and when to ask it again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suggestion {
    /// The moment of the renewal, in seconds since 1970.
    pub(crate) renew_at: Option<u64>,
    /// The moment at which to ask again, in seconds since 1970.
    pub(crate) look_at: u64,
}

impl Suggestion {
    /// Returns a value without a suggestion. The authority is asked again later.
    pub(super) fn none(now: u64) -> Self {
        Self { renew_at: None, look_at: now + AFTER_FAILURE }
    }
}

/// Asks the authority when to renew a certificate (RFC 9773). `random` selects the moment in the window that
/// the authority suggests.
pub(super) async fn suggestion(account: &Account, issued: &Issued, random: u16, now: u64) -> Suggestion {
    let Some(identifier) = identifier(issued) else {
        return Suggestion::none(now);
    };
    match account.renewal_info(&identifier).await {
        Ok((info, again)) => Suggestion {
            renew_at: Some(pick(&info.suggested_window, issued, random)),
            look_at: now + clamp(again),
        },
        Err(error) => {
            log::debug!("the authority suggests no time of renewal: {error}");
            Suggestion::none(now)
        }
    }
}

fn clamp(wait: Duration) -> u64 {
    wait.as_secs().clamp(LOOK_AGAIN.0, LOOK_AGAIN.1)
}

/// Returns a moment in a window, but no later than the moment at which 10 % of the lifetime is left.
fn pick(window: &SuggestedWindow, issued: &Issued, random: u16) -> u64 {
    let seconds =
        |moment: std::time::SystemTime| moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (start, end) = (seconds(window.start.into()), seconds(window.end.into()));
    let moment = start + end.saturating_sub(start) * u64::from(random) / u64::from(u16::MAX);
    moment.min(renewal_due(issued, 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued() -> Issued {
        Issued { not_before: 1_000, not_after: 2_000, serial: vec![1], authority_key: Some(vec![2]) }
    }

    #[test]
    fn a_certificate_is_renewed_when_its_share_is_left() {
        assert_eq!(renewal_due(&issued(), 33), 1_670);
        assert_eq!(renewal_due(&issued(), 90), 1_100);
    }

    #[test]
    fn the_moment_is_in_the_suggested_window_and_before_the_end_of_the_certificate() {
        let window = |start: u64, end: u64| {
            let [start, end] = [start, end].map(|at| (UNIX_EPOCH + Duration::from_secs(at)).into());
            SuggestedWindow { start, end }
        };
        assert_eq!(pick(&window(1_200, 1_400), &issued(), 0), 1_200);
        assert_eq!(pick(&window(1_200, 1_400), &issued(), u16::MAX), 1_400);
        assert_eq!(pick(&window(1_800, 5_000), &issued(), u16::MAX), 1_900);
        assert_eq!(pick(&window(1_400, 1_200), &issued(), u16::MAX), 1_400, "a window that ends first");
    }
}

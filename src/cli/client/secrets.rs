//! The warnings about a client's secrets.

use std::time::{Duration, SystemTime};

use super::usage::Usage;
use crate::config::{Client, ClientSecret};
use crate::utc;

/// A secret that expires within this time gets a warning.
const SOON: Duration = Duration::from_secs(7 * 86_400);

/// When a secret expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Never,
    Later,
    Soon,
    Past,
}

pub(super) fn end(secret: &ClientSecret, now: SystemTime) -> End {
    match secret.expires {
        None => End::Never,
        Some(expires) => match expires.duration_since(now) {
            Err(_) => End::Past,
            Ok(left) if left.is_zero() => End::Past,
            Ok(left) if left <= SOON => End::Soon,
            Ok(_) => End::Later,
        },
    }
}

/// Returns the warnings about a client's secrets, one line each.
pub(super) fn warnings(client: &Client, usage: &Usage, now: SystemTime) -> Vec<String> {
    let Some(authentication) = &client.authentication.secret else { return Vec::new() };
    let mut lines = Vec::new();
    for (secret, own) in authentication.secrets.iter().zip(usage.warnings(client)) {
        if let (true, End::Soon, Some(expires)) = (own.is_empty(), end(secret, now), secret.expires) {
            let at = utc::at(expires).to_string();
            lines.push(format!("{}: the secret {:?} expires at {at}", client.id, secret.id));
        }
        lines.extend(own);
    }
    let good = |secret: &ClientSecret| end(secret, now) != End::Past;
    if !authentication.secrets.iter().any(good) {
        lines.push(format!(
            "{}: all its secrets have expired (`tollgate client reset-secret` makes a new one)",
            client.id
        ));
    }
    lines.iter().map(|line| format!("warning: {line}")).collect()
}

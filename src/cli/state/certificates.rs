//! The certificates that the gateway orders itself.

use std::time::Duration;

use serde_json::{Value, json};

use crate::config::Config;
use crate::gateway::certificates::stored;
use crate::utc;

const DAY: u64 = 86_400;

/// Lists the certificates for people; nothing without `[server.tls.acme]`.
pub(super) fn text(config: &Config, now: Duration) -> String {
    let Some(acme) = config.server.tls.certificate.acme() else { return String::new() };
    let mut shown = format!("certificates from {}\n", acme.directory);
    for (domain, stored) in stored(acme, &config.server.state_dir) {
        let line = match stored {
            Err(error) => format!("CANNOT BE USED: {error}"),
            Ok(None) => "none yet".to_owned(),
            Ok(Some(issued)) => {
                let until = utc::from_unix(issued.not_after);
                match issued.not_after.checked_sub(now.as_secs()) {
                    None => format!("EXPIRED since {until}"),
                    Some(left) => format!("until {until}, {} days", left / DAY),
                }
            }
        };
        shown.push_str(&format!("  {domain:<30} {line}\n"));
    }
    shown
}

/// Lists the certificates for scripts.
pub(super) fn document(config: &Config) -> Value {
    let Some(acme) = config.server.tls.certificate.acme() else { return Value::Null };
    let all = stored(acme, &config.server.state_dir).into_iter().map(|(domain, stored)| match stored {
        Err(error) => json!({ "domain": domain, "error": error.to_string() }),
        Ok(None) => json!({ "domain": domain, "not_after": null }),
        Ok(Some(issued)) => json!({
            "domain": domain,
            "not_before": utc::from_unix(issued.not_before).to_string(),
            "not_after": utc::from_unix(issued.not_after).to_string(),
        }),
    });
    all.collect()
}

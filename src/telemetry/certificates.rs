//! The metrics of certificates that the gateway orders itself.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::exposition::Page;

/// The domains, each with the time at which its certificate expires, in seconds since 1970.
static ENDS: Mutex<Vec<(String, Option<u64>)>> = Mutex::new(Vec::new());
static ISSUED: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);

/// Counts an order that succeeded or failed.
pub(crate) fn record_order(good: bool) {
    if good { &ISSUED } else { &FAILED }.fetch_add(1, Relaxed);
}

/// Sets the domains that certificates are ordered for, and when their certificates expire.
pub(crate) fn set_certificate_ends(ends: Vec<(String, Option<u64>)>) {
    *ENDS.lock().unwrap_or_else(PoisonError::into_inner) = ends;
}

/// Writes the metric families. Without `[server.tls.acme]`, the first one has no samples.
pub(super) fn write(page: &mut Page) {
    let mut family = page.gauge(
        "tollgate_acme_certificate_expiry_seconds",
        "When the certificate of a domain expires, in seconds since 1970; 0 if there is none yet.",
    );
    for (domain, end) in ENDS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        family.value(&[("domain", domain)], end.unwrap_or(0));
    }
    page.counter("tollgate_acme_orders", "Certificates that were ordered, and issued or not.")
        .value(&[("result", "issued")], ISSUED.load(Relaxed))
        .value(&[("result", "failed")], FAILED.load(Relaxed));
}

//! The metrics of a store that several gateways share.

use super::exposition::Page;
use crate::store::SharedStoreStatus;

/// Writes the families. Without a shared store they have no samples.
pub(super) fn write(page: &mut Page, status: Option<&SharedStoreStatus>) {
    let mut gauge = |name, help, value: &dyn Fn(&SharedStoreStatus) -> f64| {
        let mut family = page.gauge(name, help);
        if let Some(status) = status {
            family.value(&[], value(status));
        }
    };
    gauge("tollgate_shared_store_connected", "1 if the shared store can be reached.", &|status| {
        f64::from(u8::from(status.connected))
    });
    gauge(
        "tollgate_shared_store_lease_age_seconds",
        "Time since the last completed read of the log of revocations was sent.",
        &|status| status.lease_age.map_or(f64::INFINITY, |age| age.as_secs_f64()),
    );
    gauge(
        "tollgate_shared_store_round_trip_seconds",
        "Time that the last read of the log took.",
        &|status| status.round_trip.as_secs_f64(),
    );
    gauge(
        "tollgate_shared_store_log_entries_behind",
        "Entries of the log that were not read yet.",
        &|status| number(status.entries_behind),
    );
    gauge("tollgate_shared_store_tombstones", "Revoked tokens that have not expired.", &|status| {
        number(u64::try_from(status.tombstones).unwrap_or(u64::MAX))
    });
    gauge("tollgate_shared_store_gateways", "Gateways on the shared store.", &|status| {
        number(u64::try_from(status.gateways).unwrap_or(u64::MAX))
    });
    gauge(
        "tollgate_shared_store_gateways_differing",
        "Gateways on the shared store whose clients are not those of this one.",
        &|status| number(u64::try_from(status.differing_gateways).unwrap_or(u64::MAX)),
    );
    let mut family = page.counter(
        "tollgate_shared_store_misses",
        "Tokens that were not in memory, by what the shared store answered.",
    );
    if let Some(status) = status {
        family
            .value(&[("answer", "known")], status.misses_known)
            .value(&[("answer", "unknown")], status.misses_unknown)
            .value(&[("answer", "none")], status.misses_unanswered);
    }
    let mut counter = |name, help, value: &dyn Fn(&SharedStoreStatus) -> u64| {
        let mut family = page.counter(name, help);
        if let Some(status) = status {
            family.value(&[], value(status));
        }
    };
    counter("tollgate_shared_store_reads", "Reads of the log of revocations.", &|status| status.reads);
    counter(
        "tollgate_shared_store_memory_cleared",
        "How often memory was cleared, because a revocation may have been missed.",
        &|status| status.cleared,
    );
    counter(
        "tollgate_shared_store_unconfirmed",
        "Additions to the log that no replica has confirmed in time.",
        &|status| status.unconfirmed,
    );
}

/// Counts below 2^53 are exact.
fn number(count: u64) -> f64 {
    count as f64
}

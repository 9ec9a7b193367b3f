//! The requirements of a route on client addresses: which are accepted, and how many requests each may send.

use std::net::IpAddr;
use std::sync::Arc;

use crate::config::{AddressRange, AddressRules};
use crate::limit::by_address::AddressLimiter;

/// The requirements of a route on client addresses.
#[derive(Debug)]
pub(crate) struct AddressPolicy {
    pub(super) filter: Option<AddressFilter>,
    /// The rates of the route and of the server.
    pub(super) rates: Box<[Arc<AddressLimiter>]>,
}

impl AddressPolicy {
    /// Creates a policy, or returns `None` if the route requires nothing, so that its requests skip the
    /// check.
    pub(crate) fn new(rules: &AddressRules, rates: Vec<Arc<AddressLimiter>>) -> Option<Box<Self>> {
        let filter = AddressFilter::new(rules);
        (filter.is_some() || !rates.is_empty()).then(|| Box::new(Self { filter, rates: rates.into() }))
    }
}

/// The allow and deny lists of a route.
#[derive(Debug)]
pub(crate) struct AddressFilter {
    allow: Box<[AddressRange]>,
    deny: Box<[AddressRange]>,
}

impl AddressFilter {
    /// Creates a filter, or returns `None` if the route has no address rules.
    pub(crate) fn new(rules: &AddressRules) -> Option<Self> {
        (!rules.allow.is_empty() || !rules.deny.is_empty())
            .then(|| Self { allow: rules.allow.clone().into(), deny: rules.deny.clone().into() })
    }

    /// Returns whether a request from `peer` is allowed. Denied addresses take precedence. If the allow list
    /// is not empty, all other addresses are denied.
    pub(crate) fn allows(&self, peer: IpAddr) -> bool {
        let listed = |ranges: &[AddressRange]| ranges.iter().any(|range| range.contains(peer));
        !listed(&self.deny) && (self.allow.is_empty() || listed(&self.allow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(allow: &[&str], deny: &[&str]) -> Option<AddressFilter> {
        let ranges = |texts: &[&str]| texts.iter().map(|text| AddressRange::parse(text).unwrap()).collect();
        AddressFilter::new(&AddressRules { allow: ranges(allow), deny: ranges(deny) })
    }

    #[test]
    fn deny_takes_precedence_over_allow() {
        let rules = filter(&["10.0.0.0/8", "2001:db8::/32"], &["10.9.0.0/16"]).unwrap();
        for (peer, allowed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.9.2.3", false),
            ("::ffff:10.9.2.3", false),
            ("192.0.2.1", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(rules.allows(peer.parse().unwrap()), allowed, "{peer}");
        }
        let only_denied = filter(&[], &["0.0.0.0/0"]).unwrap();
        assert!(!only_denied.allows("10.1.2.3".parse().unwrap()));
        assert!(only_denied.allows("::1".parse().unwrap()));
        assert!(filter(&[], &[]).is_none());
    }
}

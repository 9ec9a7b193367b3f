//! From where a route takes requests.

use std::net::IpAddr;

use crate::config::{AddressRange, AddressRules};

/// The addresses a route is open to.
#[derive(Debug)]
pub(crate) struct Addresses {
    allow: Box<[AddressRange]>,
    deny: Box<[AddressRange]>,
}

impl Addresses {
    /// What a route says of addresses; none where it says nothing.
    pub(crate) fn new(rules: &AddressRules) -> Option<Self> {
        (!rules.allow.is_empty() || !rules.deny.is_empty())
            .then(|| Self { allow: rules.allow.clone().into(), deny: rules.deny.clone().into() })
    }

    /// Whether a request from `peer` is taken: never from what is denied, and only from what is allowed if any is.
    pub(crate) fn take(&self, peer: IpAddr) -> bool {
        let holds = |ranges: &[AddressRange]| ranges.iter().any(|range| range.contains(peer));
        !holds(&self.deny) && (self.allow.is_empty() || holds(&self.allow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(allow: &[&str], deny: &[&str]) -> Option<Addresses> {
        let ranges = |texts: &[&str]| texts.iter().map(|text| AddressRange::parse(text).unwrap()).collect();
        Addresses::new(&AddressRules { allow: ranges(allow), deny: ranges(deny) })
    }

    #[test]
    fn deny_comes_first() {
        let rules = addresses(&["10.0.0.0/8", "2001:db8::/32"], &["10.9.0.0/16"]).unwrap();
        for (peer, taken) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.9.2.3", false),
            ("::ffff:10.9.2.3", false),
            ("192.0.2.1", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(rules.take(peer.parse().unwrap()), taken, "{peer}");
        }
        let only_denied = addresses(&[], &["0.0.0.0/0"]).unwrap();
        assert!(!only_denied.take("10.1.2.3".parse().unwrap()));
        assert!(only_denied.take("::1".parse().unwrap()));
        assert!(addresses(&[], &[]).is_none());
    }
}

//! `strip_prefix` removes whole segments, whatever they contain, and the remaining target is always a path.

use crate::support::{Fixture, get};

#[test]
fn strip_prefix_removes_whole_segments() {
    let route = |path: &str, prefix: &str| {
        format!(
            "{path}\nstrip_prefix = \"{prefix}\"\nallow_semicolon = true\nallow_encoded_slash = true\naccess = \"public\"\nupstream = \"api\""
        )
    };
    let fixture = Fixture::start(|config| {
        config
            .route(&route("prefix = \"/tenants/{id}/orders\"", "/tenants/{id}"))
            .route(&route("prefix = \"/v2/orders\"", "/v2"))
    });
    let rows = [
        ("/tenants/7/orders", Some("/orders")),
        ("/tenants/a-long-name/orders/1?a=/b", Some("/orders/1?a=/b")),
        ("/tenants/7/orders/", Some("/orders/")),
        ("/v2/orders;page=2/x", Some("/orders;page=2/x")),
        // The parameters belong to a segment that the upstream does not have.
        ("/v2;page=2/orders", Some("/orders")),
        ("/v2%3Bpage=2/orders", Some("/orders")),
        ("/v2/orders%2F1", Some("/orders%2F1")),
        // One segment to the gateway, two to other servers: the prefix would be ambiguous.
        ("/v2%2Forders", None),
        ("/v2%2Forders/1", None),
        ("/tenants%2F7/orders", None),
        ("/tenants/a%2Fb/orders", None),
    ];
    for (number, (target, sent)) in rows.into_iter().enumerate() {
        println!("{target}");
        let mark = format!("m=strip-{number}");
        let join = if target.contains('?') { "&" } else { "?" };
        let answer = fixture.raw(get(&format!("{target}{join}{mark}"), &[]));
        match sent {
            Some(sent) => {
                answer.status(200);
                assert_eq!(fixture.upstream.only(&mark).target(), format!("{sent}{join}{mark}"));
            }
            None => {
                answer.problem(400);
                assert!(!fixture.upstream.saw(&mark), "{target} reached the upstream");
            }
        }
    }
}

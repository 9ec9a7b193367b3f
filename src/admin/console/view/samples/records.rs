//! Shadow mode, scopes, upstreams, the audit and the users.

use askama::Template;

use super::pieces::*;
use crate::admin::console::view::edits::*;
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::*;
use crate::admin::console::view::parts::*;
use crate::admin::console::view::records::*;
use crate::admin::console::view::shadow::*;

/// Renders the pages.
pub(super) fn pages(word: &str) -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    let mut add =
        |name: &'static str, page: Result<String, askama::Error>| pages.push((name, page.expect(name)));
    let caller = |who: &str, agent: &str, verdict: &str, proposal: &str, propose: Option<&str>| Caller {
        who: who.into(),
        agent: agent.into(),
        verdict: verdict.into(),
        requests: "1,204".into(),
        last: "4 minutes ago".into(),
        proposal: proposal.into(),
        propose: propose.map(Into::into),
        link: None,
    };
    add(
        "shadow",
        ShadowPage {
            frame: frame("Shadow mode", Section::Shadow, word),
            others: vec![OtherProposal {
                text: format!("client {word} has not needed read for seven days"),
                key: word.into(),
            }],
            routes: vec![ShadowRoute {
                anchor: "r1".into(),
                url: "/routes/show?route=x".into(),
                name: "GET /legacy".into(),
                key: word.into(),
                state: badge(Tone::Warn, "shadow"),
                share: "99.2 %".into(),
                summary: "of 152,113 requests would pass; 3 callers would not".into(),
                warning: "The upstream's own credentials are sent for good tokens only.".into(),
                empty: String::new(),
                callers: vec![
                    caller("10.1.2.3", word, "401, no token", "Create a client for it", Some("x")),
                    caller(
                        "client report",
                        "",
                        "403 insufficient_scope",
                        "Give it the scope orders:write",
                        Some("y"),
                    ),
                    caller(
                        "2001:db8::/64",
                        "python-requests/2.31",
                        "401 invalid_token",
                        "Tell the caller to get a new token",
                        None,
                    ),
                ],
                is_ready: false,
            }],
        }
        .render(),
    );
    add(
        "scopes",
        ScopesPage {
            frame: frame("Scopes", Section::Scopes, word),
            errors: Errors::default(),
            rows: vec![
                ScopeRow {
                    name: "read".into(),
                    description: "Read from the APIs".into(),
                    held_by: "2 clients".into(),
                    needed_by: "1 route".into(),
                    can_remove: false,
                },
                ScopeRow {
                    name: word.into(),
                    description: word.into(),
                    held_by: "nobody".into(),
                    needed_by: "no route".into(),
                    can_remove: true,
                },
            ],
            scope: word.into(),
            description: word.into(),
        }
        .render(),
    );
    add(
        "upstreams",
        UpstreamsPage {
            frame: frame("Upstreams", Section::Upstreams, word),
            upstreams: vec![UpstreamCard {
                anchor: "u1".into(),
                name: word.into(),
                state: badge(Tone::Warn, "1 of 2"),
                detail: "round robin, HTTP/1.1, probed at /health every 5 s".into(),
                servers: vec![
                    ServerRow {
                        url: "http://10.0.0.5:8080".into(),
                        state: badge(Tone::Good, "healthy"),
                        fault: String::new(),
                    },
                    ServerRow {
                        url: "http://10.0.0.6:8080".into(),
                        state: badge(Tone::Bad, "ejected"),
                        fault: word.into(),
                    },
                ],
                used_by: "2 routes".into(),
                edit: "/upstreams/edit?name=x".into(),
            }],
        }
        .render(),
    );
    add(
        "upstream-form",
        UpstreamFormPage {
            frame: frame("Change", Section::Upstreams, word),
            errors: Errors::default(),
            is_new: false,
            name: word.into(),
            servers: word.into(),
            balances: vec![Choice::new("", "the default", true), Choice::new("random", word, false)],
            protocols: vec![Choice::new("", "the default", true)],
            host: word.into(),
            connect_timeout: String::new(),
            read_timeout: String::new(),
            rest: format!("tls = {{ server_name = {word:?} }}"),
            can_remove: true,
        }
        .render(),
    );
    let event = |event: &str, outcome| AuditRow {
        when: "2026-11-27 11:58:03".into(),
        actor: word.into(),
        address: "127.0.0.1".into(),
        event: event.into(),
        object: word.into(),
        outcome,
    };
    add(
        "audit",
        AuditPage {
            frame: frame("Audit", Section::Audit, word),
            actor: String::new(),
            event: String::new(),
            rows: vec![
                event("commit", badge(Tone::Good, "applied")),
                event("sign-in", badge(Tone::Bad, "refused")),
                event("draft", badge(Tone::Good, "done")),
            ],
            next: Some("/audit?before=1".into()),
        }
        .render(),
    );
    let roles =
        |role: &str| ["viewer", "editor", "owner"].map(|name| Choice::new(name, "", name == role)).to_vec();
    add(
        "users",
        UsersPage {
            frame: frame("Users", Section::Users, word),
            errors: Errors::default(),
            rows: vec![
                UserRow { name: "alice".into(), is_self: true, is_new: false, roles: roles("owner") },
                UserRow { name: word.into(), is_self: false, is_new: true, roles: roles("editor") },
            ],
            name: word.into(),
            roles: roles("viewer"),
        }
        .render(),
    );
    pages
}

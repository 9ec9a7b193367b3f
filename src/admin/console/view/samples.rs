//! Every page with sample data. `word` represents all texts that a stranger or a user of the console can
//! choose.

use askama::Template;

use super::access::*;
use super::chart::stacked;
use super::clients::*;
use super::edits::*;
use super::form::Errors;
use super::frame::*;
use super::history::*;
use super::overview::*;
use super::parts::*;
use super::records::*;
use super::shadow::*;
use super::sign_in::*;

const ASSETS: Assets =
    Assets { style: "/assets/console.css", script: "/assets/console.js", icon: "/assets/icon.svg" };

fn frame(title: &str, section: Section, word: &str) -> Frame {
    Frame {
        title: title.into(),
        section,
        here: section.path().into(),
        gateway: "localhost:8443".into(),
        file: FileState { text: "gateway.toml is in use, version 12".into(), tone: Tone::Good },
        changes: 3,
        user: Some(SignedIn { name: word.into(), role: "owner", can_edit: true, is_owner: true }),
        token: "t0ken".into(),
        assets: ASSETS,
        notices: Vec::new(),
        pending: None,
        is_live: false,
        refresh: None,
    }
}

fn badge(tone: Tone, text: &str) -> Badge {
    Badge::new(tone, text)
}

fn choices(word: &str) -> Vec<Choice> {
    vec![
        Choice::new("read", "Read from the APIs", true),
        Choice::new("orders:write", "Place and change orders", false),
        Choice::new(word, word, false),
    ]
}

fn wave(scale: f64) -> Vec<f64> {
    (0..300_u32)
        .map(|at| scale * (2.0 + (f64::from(at) / 24.0).sin() + (f64::from(at * at) / 77.0).cos() / 3.0))
        .collect()
}

fn grants(word: &str) -> Vec<Grant> {
    vec![
        Grant {
            effect: Effect::Widens,
            text: format!("client \"{word}\" gets through GET, HEAD /hello_world"),
        },
        Grant {
            effect: Effect::Widens,
            text: "client \"report\" can authenticate with a new secret 2026-11-27".into(),
        },
        Grant {
            effect: Effect::Narrows,
            text: "client \"old\" no longer gets through POST /orders/{id}/items".into(),
        },
        Grant { effect: Effect::Narrows, text: "the scope orders:write is new".into() },
    ]
}

fn diff(word: &str) -> Vec<DiffLine> {
    let line = |kind, text: &str| DiffLine { kind, text: text.into() };
    vec![
        line(DiffKind::Skipped, "10 lines"),
        line(DiffKind::Same, "[scopes]                                # what a token can be good for"),
        line(DiffKind::Removed, "read = \"Read from the API\""),
        line(DiffKind::Added, "read = \"Read from the APIs\""),
        line(DiffKind::Added, &format!("orders = \"{word}\"")),
        line(
            DiffKind::Added,
            "secret = \"$argon2id$v=19$m=19456,t=2,p=1$hidden$hidden\"  # the hash of the client's secret, which is hidden here because it is long",
        ),
        line(DiffKind::Same, ""),
    ]
}

/// Renders every page.
#[expect(clippy::too_many_lines)]
pub(crate) fn pages(word: &str) -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    let mut errors = Errors::default();
    errors.add("id", format!("there is already a client {word}"));
    errors.add("secret", "the secret has 3 characters; at least 8 are needed");
    let mut add =
        |name: &'static str, page: Result<String, askama::Error>| pages.push((name, page.expect(name)));
    let alone = |title: &str| Frame { user: None, ..frame(title, Section::None, word) };

    add(
        "sign-in",
        SignInPage {
            frame: alone("Sign in"),
            next: "/clients".into(),
            name: word.into(),
            errors: Errors::default(),
        }
        .render(),
    );
    let mut wrong = Errors::default();
    wrong.add("", "Name or password is wrong.");
    add(
        "sign-in-wrong",
        SignInPage { frame: alone("Sign in"), next: "/clients".into(), name: word.into(), errors: wrong }
            .render(),
    );
    let setup = |is_valid| SetupPage {
        frame: alone("Create the first user"),
        is_valid,
        code: "c0de".into(),
        lead: "This user becomes an owner: it may change everything, other users included.",
        button: "Create the user",
        hint: "At least 12 characters. Only its hash is written to gateway.toml.".into(),
        name: word.into(),
        errors: Errors::default(),
    };
    add("setup", setup(true).render());
    add("setup-used", setup(false).render());
    add(
        "problem",
        ProblemPage {
            frame: frame("Not found", Section::Clients, word),
            detail: format!("There is no client {word}."),
            lines: vec![],
            back: Link { url: "/clients".into(), text: "All clients".into() },
        }
        .render(),
    );
    let mut overview = frame("Overview", Section::Overview, word);
    overview.is_live = true;
    overview.pending = Some(Pending {
        version: 13,
        deadline: "2026-11-27T12:40:00Z".into(),
        deadline_unix: 4_000_000_000,
        at: "12:40:00 UTC".into(),
        left: "4:12".into(),
    });
    overview.notices.push(Notice::new(
        Tone::Warn,
        "gateway.toml has an error since 11:58; the gateway keeps what it had.",
    ));
    let (passed, refused) = (wave(400.0), wave(23.0));
    let chart = |height| {
        let mut chart = stacked(
            "Requests per second by verdict".into(),
            &[("passed", &passed), ("refused", &refused)],
            height,
        );
        chart.from = "5 minutes ago".into();
        chart.to = "now".into();
        chart
    };
    let card = |figure: &str, what: &str| Card { figure: figure.into(), what: what.into() };
    add(
        "overview",
        OverviewPage {
            frame: overview,
            cards: vec![
                card("1,284", "requests/s"),
                card("2.3 %", "refused"),
                card("1.8 ms", "p50"),
                card("6.1 ms", "p95"),
                card("14 ms", "p99"),
                card("4,113", "live tokens"),
                card("3.2/s", "tokens issued"),
                card("0", "waiting to be hashed"),
            ],
            spans: vec![
                Span { url: "/".into(), text: "5 min", chosen: true },
                Span { url: "/?span=hour".into(), text: "1 h", chosen: false },
                Span { url: "/?span=day".into(), text: "24 h", chosen: false },
            ],
            legend: vec![
                Legend { class: "passed", name: "passed", count: "383,120".into() },
                Legend { class: "refused", name: "refused", count: "9,021".into() },
                Legend { class: "limited", name: "rate limited", count: "0".into() },
                Legend { class: "failed", name: "upstream failed", count: "12".into() },
            ],
            chart: chart(150),
            busiest_title: "last 5 minutes",
            busiest: vec![
                BusyRoute {
                    name: "GET, HEAD /hello_world".into(),
                    rate: "1,021".into(),
                    refused: "0.1 %".into(),
                    chart: chart(22),
                },
                BusyRoute { name: word.into(), rate: "263".into(), refused: "11 %".into(), chart: chart(22) },
            ],
            upstreams: vec![
                UpstreamLine {
                    anchor: "u1".into(),
                    name: "hello".into(),
                    state: badge(Tone::Good, "3 of 3"),
                    detail: "no fault since the start".into(),
                },
                UpstreamLine {
                    anchor: "u2".into(),
                    name: word.into(),
                    state: badge(Tone::Warn, "2 of 3"),
                    detail: "connection refused, 2 minutes ago".into(),
                },
            ],
            ending: vec![EndingSecret {
                url: "/clients/x".into(),
                client: word.into(),
                state: badge(Tone::Warn, "in 3 days"),
                detail: "secret 2026-11, used 4 minutes ago".into(),
            }],
            shadow: vec![ShadowedRoute { name: word.into(), state: badge(Tone::Warn, "99.2 % would pass") }],
            last: vec![
                LastVersion {
                    number: 12,
                    comment: word.into(),
                    who: "alice".into(),
                    when: "5 minutes ago".into(),
                },
                LastVersion {
                    number: 11,
                    comment: "edited by hand".into(),
                    who: "file".into(),
                    when: "yesterday".into(),
                },
            ],
        }
        .render(),
    );
    let row = |id: &str, badges, scopes: &[&str]| ClientRow {
        url: "/clients/x".into(),
        id: id.into(),
        badges,
        scopes: scopes.iter().map(ToString::to_string).collect(),
        tokens: "41".into(),
        last_used: "4 minutes ago".into(),
    };
    add(
        "clients",
        ClientsPage {
            frame: frame("Clients", Section::Clients, word),
            query: String::new(),
            count: "3 clients".into(),
            rows: vec![
                row("server", vec![badge(Tone::Good, "enabled")], &["read", "orders:write"]),
                row(word, vec![badge(Tone::Good, "enabled"), badge(Tone::Warn, "in your changes")], &[word]),
                row("old", vec![badge(Tone::Plain, "disabled")], &[]),
            ],
            next: Some("/clients?after=old".into()),
            registered: vec![RegisteredRow {
                id: "reg_AAAAAAAAAAAAAAAAAAAAAA".into(),
                name: word.into(),
                badges: vec![badge(Tone::Good, "enabled")],
                template: word.into(),
                scopes: vec![word.into()],
                tokens: "3".into(),
                last_used: "2 hours ago".into(),
            }],
        }
        .render(),
    );
    add(
        "clients-empty",
        ClientsPage {
            frame: frame("Clients", Section::Clients, word),
            query: String::new(),
            count: String::new(),
            rows: vec![],
            next: None,
            registered: vec![],
        }
        .render(),
    );
    let new = |errors: Errors| NewClientPage {
        frame: frame("New client", Section::Clients, word),
        errors,
        id: word.into(),
        client_credentials: true,
        introspection: false,
        own_secret: false,
        scopes: choices(word),
        open_scope: true,
        new_scope: word.into(),
        new_scope_description: word.into(),
    };
    add("new-client", new(Errors::default()).render());
    add("new-client-errors", new(errors).render());
    add(
        "secret",
        SecretPage {
            frame: frame("Client added to your changes", Section::Clients, word),
            warnings: vec!["This secret has 9 characters. A generated one cannot be guessed.".into()],
            client: word.into(),
            client_url: "/clients/x".into(),
            secret: "N3qvYqLkqGZk0vJc2m1hO8mE0fWq2a8rHk5nZ0t9WcE".into(),
            curl_token: format!("curl -k -X POST https://localhost:8443/oauth/v2/oauth-token \\\n  -H 'content-type: application/x-www-form-urlencoded' \\\n  -d 'grant_type=client_credentials&client_id={word}&client_secret=…&scope=read'"),
            curl_call: Some("curl -k https://localhost:8443/hello_world -H \"authorization: Bearer $TOKEN\"".into()),
        }
        .render(),
    );
    add(
        "client",
        ClientPage {
            frame: frame(word, Section::Clients, word),
            errors: Errors::default(),
            id: word.into(),
            url: "/clients/x".into(),
            badges: vec![badge(Tone::Good, "enabled"), badge(Tone::Warn, "in your changes")],
            methods: vec!["private_key_jwt with 2 keys".into()],
            secrets: vec![
                SecretRow {
                    id: "2026-10".into(),
                    ends: "in 3 days".into(),
                    last_used: "2 days ago".into(),
                    from: "10.1.2.3".into(),
                    refused: "0".into(),
                    can_drop: true,
                },
                SecretRow {
                    id: word.into(),
                    ends: "never".into(),
                    last_used: "4 minutes ago".into(),
                    from: "2001:db8::7".into(),
                    refused: "17".into(),
                    can_drop: true,
                },
            ],
            capabilities: vec![
                Choice::new("client_credentials", "may get tokens", true),
                Choice::new("introspection", "may ask about tokens", false),
            ],
            scopes: choices(word),
            default_scopes: vec![Choice::new("read", "", true)],
            held_capabilities: vec![],
            held_scopes: vec![],
            token_lifetime: "299s".into(),
            token_lifetime_hint: "Empty: the profile's, 299s.".into(),
            rate_limit: "100/s".into(),
            enabled: true,
            routes: vec!["GET, HEAD /hello_world".into(), word.into()],
            tokens: "41".into(),
            can_revoke: true,
        }
        .render(),
    );
    let cells = || {
        vec![
            Cell { tone: Tone::Good, text: "yes".into(), url: "/explain?x".into() },
            Cell { tone: Tone::Bad, text: "lacks orders:write".into(), url: "/explain?x".into() },
            Cell { tone: Tone::Plain, text: "disabled".into(), url: "/explain?x".into() },
            Cell { tone: Tone::Good, text: "yes".into(), url: "/explain?x".into() },
            Cell { tone: Tone::Bad, text: "lacks read".into(), url: "/explain?x".into() },
        ]
    };
    let route = |name: &str, mode| RouteRow {
        url: "/routes/show?route=x".into(),
        name: name.into(),
        upstream: "hello".into(),
        mode,
        needs: "read".into(),
        cells: cells(),
    };
    let client = |text: &str| Link { url: "/clients/x".into(), text: text.into() };
    add(
        "routes",
        RoutesPage {
            frame: frame("Routes", Section::Routes, word),
            clients: vec![
                client("server"),
                client(word),
                client("old"),
                client("report"),
                client("batch-import"),
            ],
            rows: vec![
                route("GET, HEAD /hello_world", badge(Tone::Good, "enforced")),
                route(word, badge(Tone::Warn, "shadow")),
                route("/status", badge(Tone::Plain, "public")),
            ],
            more: String::new(),
            expectations: vec![
                ExpectationRow {
                    state: badge(Tone::Good, "holds"),
                    text: "GET /hello_world with client server: pass".into(),
                    detail: String::new(),
                },
                ExpectationRow {
                    state: badge(Tone::Bad, "violated"),
                    text: word.into(),
                    detail: "DELETE /orders/1 gets through".into(),
                },
            ],
        }
        .render(),
    );
    add(
        "route",
        RoutePage {
            frame: frame(word, Section::Routes, word),
            name: word.into(),
            mode: badge(Tone::Warn, "shadow"),
            terms: vec![Term::new("upstream", "hello"), Term::new("needs", word)],
            place: "gateway.toml, line 25".into(),
            text: format!("[[routes]]\npath = \"{word}\""),
            key: word.into(),
            switch: Some(ModeSwitch {
                mode: "enforce",
                label: "Enforce in changes",
                note: "99.2 % of its requests would pass.".into(),
            }),
        }
        .render(),
    );
    add(
        "new-route",
        NewRoutePage {
            frame: frame("New route", Section::Routes, word),
            errors: Errors::default(),
            is_prefix: true,
            path: word.into(),
            host: String::new(),
            methods: String::new(),
            upstreams: vec![Choice::new("hello", "", true), Choice::new(word, "", false)],
            scopes: choices(word),
            is_shadow: false,
        }
        .render(),
    );
    add(
        "explain",
        ExplainPage {
            frame: frame("Explain", Section::Explain, word),
            errors: Errors::default(),
            methods: vec![Choice::new("GET", "", true), Choice::new("POST", "", false)],
            url: word.into(),
            clients: vec![Choice::new("server", "", true), Choice::new(word, "", false)],
            answer: Some(Explained {
                tone: Tone::Bad,
                verdict: "403 insufficient_scope".into(),
                why: format!("the token of {word} lacks the scope orders:write"),
                remedies: vec![format!("give {word} the scope orders:write")],
                steps: vec![
                    Term::new("canonical path", word),
                    Term::new("route", "POST /orders"),
                    Term::new("token", "good, scopes read"),
                ],
                place: "gateway.toml, line 25".into(),
                text: "[[routes]]\npath = \"/orders\"\nscopes = [\"orders:write\"]".into(),
            }),
        }
        .render(),
    );
    add(
        "changes",
        ChangesPage {
            frame: frame("Changes", Section::Changes, word),
            errors: Errors::default(),
            draft: String::new(),
            owner: String::new(),
            can_commit: true,
            stale: Some("bob committed version 13 after you began.".into()),
            revision: "3".into(),
            operations: vec![
                OperationLine { index: 0, text: format!("add the scope orders: {word}") },
                OperationLine { index: 1, text: format!("add the client {word}") },
            ],
            problems: vec![],
            grants: grants(word),
            restart: vec!["server.threads".into()],
            diff: diff(word),
            owner_only: vec![],
            blocked: None,
            comment: word.into(),
            windows: vec![Choice::new("", "not needed", true), Choice::new("5m", "5 minutes", false)],
            others: vec![OtherDraft {
                owner: "bob".into(),
                url: "/changes?draft=1".into(),
                title: word.into(),
                detail: "2 operations, 4 minutes ago".into(),
            }],
        }
        .render(),
    );
    add(
        "changes-empty",
        ChangesPage {
            frame: frame("Changes", Section::Changes, word),
            errors: Errors::default(),
            draft: String::new(),
            owner: String::new(),
            can_commit: true,
            stale: None,
            revision: String::new(),
            operations: vec![],
            problems: vec![],
            grants: vec![],
            restart: vec![],
            diff: vec![],
            owner_only: vec![],
            blocked: None,
            comment: String::new(),
            windows: vec![],
            others: vec![],
        }
        .render(),
    );
    let version = |number, state, comment: &str| VersionRow {
        number,
        state,
        when: "2026-11-27 11:58 UTC".into(),
        who: "alice".into(),
        comment: comment.into(),
        granted: "2 wider, 1 narrower".into(),
        is_from: number == 11,
        is_to: number == 12,
    };
    add(
        "history",
        HistoryPage {
            frame: frame("History", Section::History, word),
            versions: vec![
                version(13, Some(badge(Tone::Warn, "not confirmed")), word),
                version(12, Some(badge(Tone::Good, "in use")), "Let the report read"),
                version(11, None, "edited by hand"),
            ],
            next: Some("/history?before=11".into()),
        }
        .render(),
    );
    add(
        "version",
        VersionPage {
            frame: frame("Version 12", Section::History, word),
            state: Some(badge(Tone::Good, "in use")),
            terms: vec![
                Term::new("When", "2026-11-27 11:58 UTC"),
                Term::new("Who", word),
                Term::new("Comment", word),
            ],
            grants: grants(word),
            problem: None,
            diff_note: "From version 11 to version 12. Secrets are hidden.".into(),
            diff: diff(word),
            rollback: Some(11),
        }
        .render(),
    );
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
            errors: Errors::default(),
            upstreams: vec![UpstreamCard {
                anchor: "u1".into(),
                name: word.into(),
                state: badge(Tone::Warn, "1 of 2"),
                detail: "round robin, HTTP/1.1, probed at /health every 5 s".into(),
                servers: vec![
                    ServerRow { url: "http://10.0.0.5:8080".into(), state: badge(Tone::Good, "healthy") },
                    ServerRow { url: "http://10.0.0.6:8080".into(), state: badge(Tone::Bad, "ejected") },
                ],
                used_by: "2 routes".into(),
                text: "http://10.0.0.5:8080\nhttp://10.0.0.6:8080".into(),
                can_remove: true,
            }],
            name: word.into(),
            servers: word.into(),
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

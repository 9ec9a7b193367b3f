//! What several pages have in common.

use crate::admin::console::view::frame::*;
use crate::admin::console::view::parts::*;

pub(super) const ASSETS: Assets =
    Assets { style: "/assets/console.css", script: "/assets/console.js", icon: "/assets/icon.svg" };

pub(super) fn frame(title: &str, section: Section, word: &str) -> Frame {
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

pub(super) fn badge(tone: Tone, text: &str) -> Badge {
    Badge::new(tone, text)
}

pub(super) fn choices(word: &str) -> Vec<Choice> {
    vec![
        Choice::new("read", "Read from the APIs", true),
        Choice::new("orders:write", "Place and change orders", false),
        Choice::new(word, word, false),
    ]
}

pub(super) fn wave(scale: f64) -> Vec<f64> {
    (0..300_u32)
        .map(|at| scale * (2.0 + (f64::from(at) / 24.0).sin() + (f64::from(at * at) / 77.0).cos() / 3.0))
        .collect()
}

pub(super) fn grants(word: &str) -> Vec<Grant> {
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

pub(super) fn diff(word: &str) -> Vec<DiffLine> {
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

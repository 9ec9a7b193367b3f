//! Several gateways as processes, in front of one upstream.

use std::net::SocketAddr;

use crate::support::{
    Config, Conn, Gateway, INTROSPECT, REVOKE, TOKEN, TestResponse, Upstream, credentials, get, post_form,
    raw, token_of,
};

/// Gateways on one engine.
pub(super) struct Gateways {
    pub(super) all: Vec<Gateway>,
    pub(super) upstream: Upstream,
    /// The file of all of them, with `STORE` in the place of the lines of `[store]`.
    file: String,
}

/// Returns the configuration of a gateway whose store is at `url`.
pub(super) fn config(upstream: SocketAddr, store: &str) -> Config {
    Config::standard(upstream)
        .listen("https://127.0.0.1:0")
        .table(&format!("[store]\nkind = \"redis\"\n{store}"))
        .table("[metrics]\nlisten = \"http://127.0.0.1:0\"")
}

impl Gateways {
    /// Starts gateways with one file, each with these lines in `[store]`, and waits until the store answers
    /// all of them.
    pub(super) fn start(stores: &[&str]) -> Self {
        let upstream = Upstream::start();
        let file = config(upstream.address(), "STORE").text();
        let mut gateways = Self { all: Vec::new(), upstream, file };
        stores.iter().for_each(|store| gateways.add(store));
        gateways
    }

    /// Starts one more gateway.
    pub(super) fn add(&mut self, store: &str) {
        let gateway = Gateway::start_text(&self.file.replace("STORE", store), &[]);
        gateway.wait_for("the shared store at");
        self.all.push(gateway);
    }

    /// Returns a new token of the client `other` from one of the gateways.
    #[track_caller]
    pub(super) fn token(&self, at: usize) -> String {
        token_of(&self.ask_token(at))
    }

    /// Asks one of the gateways for a token.
    #[track_caller]
    pub(super) fn ask_token(&self, at: usize) -> TestResponse {
        let body = format!("{}&grant_type=client_credentials&scope=read", credentials("other"));
        raw(self.all[at].plain(), post_form(TOKEN, &[], body))
    }

    /// Uses a token at one of the gateways.
    #[track_caller]
    pub(super) fn uses(&self, at: usize, token: &str) -> TestResponse {
        raw(self.all[at].plain(), get("/hello", &[&format!("Authorization: Bearer {token}")]))
    }

    /// Asserts that every gateway answers a token with this status.
    #[track_caller]
    pub(super) fn all_answer(&self, token: &str, status: u16) {
        for at in 0..self.all.len() {
            self.uses(at, token).status(status);
        }
    }

    /// Revokes a token at one of the gateways.
    #[track_caller]
    pub(super) fn revoke(&self, at: usize, token: &str) -> TestResponse {
        revoke_at(self.all[at].plain(), token)
    }
}

#[track_caller]
pub(super) fn revoke_at(gateway: SocketAddr, token: &str) -> TestResponse {
    raw(gateway, post_form(REVOKE, &[], format!("{}&token={token}", credentials("other"))))
}

#[track_caller]
pub(super) fn introspect_at(gateway: SocketAddr, token: &str) -> TestResponse {
    let body = format!("{}&token={token}", credentials("introspector"));
    Conn::plain(gateway).request(post_form(INTROSPECT, &[], body))
}

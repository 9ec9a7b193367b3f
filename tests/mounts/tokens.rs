//! The tokens of the table, issued by the gate or binary that verifies them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::{BodyExt as _, Full};
use tollgate::clock::ManualClock;
use tollgate::gate::Gate;
use tollgate::plugin::ClientCertificate;
use tower::ServiceExt as _;

use crate::setup::{self, Files, SECRET};
use crate::support::jose::SigningKey;
use crate::support::tls::Identity;
use crate::support::{Conn, Gateway, REVOKE, TOKEN, post_form};

/// Longer than the lifetime of the tokens of `brief`.
const EXPIRY: Duration = Duration::from_millis(1_100);

/// The issuer: a gate in this process, or the binary.
pub(crate) enum Issuer<'a> {
    Gate(&'a Gate, &'a ManualClock),
    Binary(&'a Gateway),
}

/// The keys and certificates of clients.
pub(crate) struct Holders {
    pub(crate) key: SigningKey,
    pub(crate) thief: SigningKey,
    pub(crate) own: Identity,
    pub(crate) other: Identity,
}

/// A token of each kind.
pub(crate) struct Tokens<'a> {
    pub(crate) holders: &'a Holders,
    pub(crate) read: String,
    pub(crate) write: String,
    pub(crate) both: String,
    pub(crate) none: String,
    pub(crate) expired: String,
    pub(crate) revoked: String,
    pub(crate) departed: String,
    pub(crate) disabled: String,
    pub(crate) orders: String,
    pub(crate) bills: String,
    pub(crate) certified: String,
    pub(crate) keyed: String,
}

impl<'a> Tokens<'a> {
    /// Issues all tokens, and waits until those that must be expired have expired.
    pub(crate) async fn prepare(issuer: &Issuer<'_>, files: &Files, holders: &'a Holders) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the binary has the system's clock")]
        let begin = Instant::now();
        let expired = issuer.token("brief", "&scope=read", None, None).await;
        let revoked = issuer.token("revoked", "&scope=read", None, None).await;
        let certificate = Some(&holders.own);
        let proof = holders.key.dpop("POST", &format!("https://api.example.com{TOKEN}"), None);
        let server = async |rest: &str| issuer.token("server", rest, None, None).await;
        let tokens = Self {
            holders,
            read: server("&scope=read").await,
            write: server("&scope=write").await,
            both: server("&scope=write+read").await,
            none: server("").await,
            orders: server("&scope=read&resource=https://orders.example.com").await,
            bills: server("&scope=read&resource=https://bills.example.com").await,
            departed: issuer.token("departed", "&scope=read", None, None).await,
            disabled: issuer.token("disabled", "&scope=read", None, None).await,
            certified: issuer.token("certified", "&scope=read", None, certificate).await,
            keyed: issuer.token("server", "&scope=read", Some(proof), None).await,
            expired,
            revoked,
        };
        let form = format!("client_id=revoked&client_secret={SECRET}&token={}", tokens.revoked);
        assert_eq!(issuer.post(REVOKE, &form, None, None).await.0, 200);
        match issuer {
            Issuer::Gate(gate, clock) => {
                gate.reload(&setup::config(&files.after));
                clock.advance(EXPIRY);
            }
            Issuer::Binary(gateway) => {
                std::fs::write(gateway.dir().join("gateway.toml"), &files.after).expect("gateway.toml");
                gateway.signal("HUP");
                while !gateway.written().contains("reloaded:") {
                    assert!(begin.elapsed() < Duration::from_secs(20), "{}", gateway.written());
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                tokio::time::sleep(EXPIRY.saturating_sub(begin.elapsed())).await;
            }
        }
        tokens
    }

    /// Returns a `DPoP` header for a GET of `path` with this token.
    pub(crate) fn proof(&self, key: &SigningKey, path: &str, token: &str) -> String {
        let line = key.dpop("GET", &format!("https://api.example.com{path}"), Some(token));
        line.trim_start_matches("DPoP: ").to_owned()
    }
}

impl Issuer<'_> {
    async fn token(
        &self,
        client: &str,
        rest: &str,
        proof: Option<String>,
        certificate: Option<&Identity>,
    ) -> String {
        let form = format!("grant_type=client_credentials&client_id={client}&client_secret={SECRET}{rest}");
        let (status, body) = self.post(TOKEN, &form, proof, certificate).await;
        assert_eq!(status, 200, "{client}: {}", String::from_utf8_lossy(&body));
        let json: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        json["access_token"].as_str().expect("an access token").to_owned()
    }

    async fn post(
        &self,
        path: &str,
        form: &str,
        proof: Option<String>,
        certificate: Option<&Identity>,
    ) -> (u16, Vec<u8>) {
        match self {
            Self::Gate(gate, _) => {
                let mut request = http::Request::post(path)
                    .header(HOST, "api.example.com")
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                if let Some(line) = &proof {
                    request = request.header("DPoP", line.trim_start_matches("DPoP: "));
                }
                if let Some(identity) = certificate {
                    request = request.extension(ClientCertificate::new(identity.certificate.clone(), true));
                }
                let request = request.body(Full::new(Bytes::from(form.to_owned()))).expect("a request");
                let answer = gate.oauth_service().oneshot(request).await.expect("it never fails");
                let status = answer.status().as_u16();
                (status, answer.into_body().collect().await.expect("a body").to_bytes().to_vec())
            }
            Self::Binary(gateway) => {
                let fields: Vec<&str> = proof.as_deref().into_iter().collect();
                let answer = Conn::tls_as(gateway.tls(), certificate).request(post_form(path, &fields, form));
                (answer.code(), answer.body().to_vec())
            }
        }
    }
}

//! Evaluates a request with the gateway's own function.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::HeaderValue;
use http::request::Parts;
use http_body::SizeHint;

use crate::access::explain::credential::{Credential, Token};
use crate::access::explain::explanation::{Explanation, Verdict};
use crate::access::explain::proof::ProofKey;
use crate::access::explain::request::{SampleRequest, TokenHeaders};
use crate::access::explain::verdict;
use crate::access::offline::without_upstream_tls;
use crate::config::{AddressRules, Config, Route};
use crate::gate::jwt::KeyRing;
use crate::gate::question::NO_ANSWERS;
use crate::gate::{ClientSpec, Gate, GateError, GateSpec};
use crate::headers::MapHead;
use crate::oauth::client::{Capabilities, ClientId, ClientPolicy};
use crate::oauth::decide::Identity;
use crate::oauth::denial::Denial;
use crate::oauth::evidence::PeerCertificate;
use crate::oauth::grant::{Confirmation, Terms};
use crate::oauth::scope::Scopes;
use crate::oauth::token::AccessToken;
use crate::proxy::authorize::{Disposition, Scratch, authorize};
use crate::proxy::cors::Cors;
use crate::proxy::observe::denial_reason;
use crate::proxy::observer::{Denied, RequestObserver};
use crate::proxy::refusal::Refusal;
use crate::proxy::request_context::RequestContext;
use crate::proxy::route::{self, ClientConnection, ConnectionCertificate};
use crate::proxy::rules::Rules;
use crate::proxy::shadow::access::Judged;
use crate::route::host::LastHost;
use crate::telemetry::Reason;

/// The thumbprint of the certificate that the client presents. Its value does not matter, because it is only
/// compared.
const CERTIFICATE: [u8; 32] = [1; 32];
/// The random bytes of a token that no gate has issued.
const NOT_ISSUED: [u8; 32] = [0; 32];

/// Why a request cannot be explained.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum ExplainError<E> {
    /// The rules of the configuration cannot be compiled.
    Rules(E),
    /// The system cannot provide a resource that a gate needs.
    Gate(GateError),
    /// The token of the request cannot be made.
    Token,
}

impl<E: fmt::Display> fmt::Display for ExplainError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rules(error) => error.fmt(f),
            Self::Gate(error) => error.fmt(f),
            Self::Token => f.write_str("cannot make the token that the request carries"),
        }
    }
}

/// Decides about `request` as a gateway with this configuration does. `compile` compiles the rules of a
/// configuration.
///
/// # Errors
/// Fails if the configuration cannot be compiled, or if the system cannot provide a resource.
pub(crate) fn explain<'c, E>(
    config: &'c Config,
    request: &SampleRequest,
    compile: impl FnOnce(&Config) -> Result<Rules, E>,
) -> Result<Explanation<'c>, ExplainError<E>> {
    let rules = compile(&as_applied(config, request)).map_err(ExplainError::Rules)?;
    let explainer = Explainer { config, request, rules: &rules, gate: gate(config, &request.credential)? };
    let without_token = explainer.decide(None);
    let decision = match (&without_token.result, without_token.route) {
        // The token depends on the route, because the client requests the audience that the route requires.
        (_, Some(route)) if without_token.lacks_token() => {
            match explainer.token(route).ok_or(ExplainError::Token)? {
                None => without_token,
                Some(token) => explainer.decide(Some(&token)),
            }
        }
        _ => without_token,
    };
    Ok(explainer.explanation(decision))
}

/// Returns the part of the configuration that decides about the request. Address lists are left out if the
/// address of the client is unknown.
fn as_applied(config: &Config, request: &SampleRequest) -> Config {
    let mut config = without_upstream_tls(config);
    // Rate limits are left out, because they depend on other requests.
    config.server.limits.rate_limit_by_address = None;
    for route in &mut config.routes {
        route.rate_limit_by_address = None;
    }
    if request.from.is_none() {
        for route in &mut config.routes {
            route.addresses = AddressRules::default();
        }
    }
    config
}

/// Makes a gate that has the configured clients, and an additional client for tokens whose client is unknown.
fn gate<E>(config: &Config, credential: &Credential) -> Result<Gate, ExplainError<E>> {
    let mut spec = GateSpec::from(config);
    if let Credential::Scopes { scopes, audience } | Credential::Live { scopes, audience, .. } = credential {
        let policy = ClientPolicy {
            capabilities: Capabilities { client_credentials: true, introspection: false },
            scopes: scopes.clone(),
            default_scopes: Scopes::none(),
            token_lifetime: config.token_service.token_lifetime,
            enabled: true,
        };
        let id = ClientId::new(&stand_in(config)).ok_or(ExplainError::Token)?;
        let mut client = ClientSpec::new(id, policy);
        client.audiences.extend(audience.clone());
        spec.clients.push(client);
    }
    let signs = spec.jwt.is_some();
    let gate = Gate::builder(spec).max_tokens(1).build_without_threads().map_err(ExplainError::Gate)?;
    if signs {
        gate.set_signing_keys(Arc::new(KeyRing::throwaway().map_err(|_| ExplainError::Token)?));
    }
    Ok(gate)
}

/// Returns a client id that the configuration does not have.
fn stand_in(config: &Config) -> String {
    let mut id = "explain".to_owned();
    while config.client(&id).is_some() {
        id.push('_');
    }
    id
}

/// The certificate that a client with certificate-bound tokens is assumed to present.
#[derive(Debug)]
struct SampleCertificate;

impl ConnectionCertificate for SampleCertificate {
    fn verify(&self) -> Option<PeerCertificate<'_>> {
        Some(PeerCertificate { der: &[], sha256: &CERTIFICATE, verified: true })
    }
}

struct Explainer<'a, 'c> {
    config: &'c Config,
    request: &'a SampleRequest,
    rules: &'a Rules,
    gate: Gate,
}

/// The result of the gateway's function, and its observations.
struct Decision<'c> {
    result: Result<Disposition, Box<Refusal>>,
    route: Option<&'c Route>,
    matched: Option<Arc<route::Route>>,
    canonical_path: Option<String>,
    /// The reason why the request would be refused if its route were enforced.
    shadow: Option<Denial>,
}

impl Decision<'_> {
    /// Returns whether the route requires a token and the request has none.
    fn lacks_token(&self) -> bool {
        self.shadow == Some(Denial::Missing)
            || self.result.as_ref().is_err_and(|refusal| refusal.reason == Some(Reason::NoToken))
    }
}

impl<'c> Explainer<'_, 'c> {
    /// Calls the function that the pipeline uses.
    fn decide(&self, token: Option<&TokenHeaders>) -> Decision<'c> {
        let mut seen = Seen::default();
        let result = match self.request.head(token) {
            Ok(parts) => self.authorize(&parts, &mut seen),
            // The HTTP server refuses such a head before the pipeline sees it.
            Err(text) => Err(Refusal::ambiguous(http::StatusCode::BAD_REQUEST, text).into()),
        };
        let route = seen.route.as_ref().and_then(|route| self.config.routes.get(route.index));
        let Seen { canonical_path, route: matched, shadow } = seen;
        Decision { result, route, matched, canonical_path, shadow }
    }

    fn authorize(&self, parts: &Parts, seen: &mut Seen) -> Result<Disposition, Box<Refusal>> {
        let peer = self.request.from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let secure = self.request.is_secure();
        let client = ClientConnection {
            peer,
            peer_value: &HeaderValue::from_static("0.0.0.0"),
            secure,
            certificate: secure.then_some(&SampleCertificate),
        };
        let body_size = SizeHint::with_exact(self.request.body);
        let bodiless = self.request.body == 0;
        let head = MapHead::new(parts);
        let context =
            RequestContext { request: &head, bodiless, body_size, client: &client, answers: &NO_ANSWERS };
        let mut scratch = Scratch {
            identity: &mut Identity::default(),
            head: &mut Vec::new(),
            last_host: &mut LastHost::default(),
        };
        authorize(&self.gate, self.rules, &context, seen, &mut scratch)
    }

    /// Returns the token that the request carries for `route`. `Some(None)` is a request without a token.
    /// `None` means that the token cannot be made.
    fn token(&self, route: &Route) -> Option<Option<TokenHeaders>> {
        let credential = &self.request.credential;
        if matches!(credential, Credential::None) {
            return Some(None);
        }
        let header = route.token_header.clone().unwrap_or(http::header::AUTHORIZATION);
        if credential.why_invalid(self.config).is_some() {
            let token = AccessToken::from_random(&NOT_ISSUED);
            let authorization = authorization("Bearer", &token)?;
            return Some(Some(TokenHeaders { header, authorization, proof: None }));
        }
        let client = match credential {
            Credential::Client { id, .. } => id.clone(),
            _ => stand_in(self.config),
        };
        let Token { scopes, audience, constraint } = credential.token(self.config, route)?;
        let key = if constraint.key { Some(ProofKey::generate()?) } else { None };
        let jkt = match &key {
            Some(key) => Some(*key.thumbprint()?.as_bytes()),
            None => None,
        };
        let terms = Terms {
            scopes: scopes.clone(),
            lifetime: self.config.token_service.token_lifetime,
            audience: audience.map(Into::into),
            confirmation: Confirmation::new(constraint.certificate.then_some(CERTIFICATE), jkt),
        };
        let token = self.gate.issue_on(&client, terms).ok()?;
        let (scheme, proof) = match key {
            None => ("Bearer", None),
            Some(key) => {
                // The time is rounded up, because the gate was made in this second and refuses proofs that
                // may be older than itself.
                let now = self.gate.clock().unix_time().as_secs() + 1;
                let issuer = self.config.token_service.issuer.as_str();
                let (method, url) = (&self.request.method, self.request.url(issuer));
                ("DPoP", Some(key.prove(method, &url, token.expose(), now)?))
            }
        };
        Some(Some(TokenHeaders { header, authorization: authorization(scheme, &token)?, proof }))
    }

    fn explanation(&self, decision: Decision<'c>) -> Explanation<'c> {
        let Decision { result, route, matched, canonical_path, shadow } = decision;
        let path = canonical_path.as_deref().unwrap_or_default();
        let verdict = match (&result, &matched) {
            (Ok(Disposition::Endpoint(endpoint)), _) => Verdict::Endpoint(verdict::endpoint_name(*endpoint)),
            (Ok(Disposition::Upstream(_)), Some(matched)) => {
                verdict::passes(self.config, route, path, matched)
            }
            // Only a matched route leads to an upstream, and the store of this gate is in memory.
            (Ok(Disposition::Upstream(_) | Disposition::Ask(_)), _) => Verdict::Refused {
                status: 404,
                error: None,
                reason: "no route is for this path".to_owned(),
                setting: Some("routes"),
            },
            (Err(refusal), _) => verdict::refused(self.config, self.request, route, refusal),
        };
        let enforced = shadow.filter(|_| matches!(verdict, Verdict::Passes { .. })).map(|denial| {
            let refusal = Refusal::new(self.gate.refuse(&denial), denial_reason(&denial));
            verdict::refused(self.config, self.request, route, &refusal)
        });
        let page_reads_response = self.page_reads(route);
        Explanation { canonical_path, route, verdict, enforced, page_reads_response }
    }

    fn page_reads(&self, route: Option<&Route>) -> Option<bool> {
        let (origin, route) = (self.request.origin.as_ref()?, route?);
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.headers.insert(http::header::ORIGIN, origin.clone());
        Some(
            route
                .cors
                .as_ref()
                .is_some_and(|cors| Cors::new(cors, true).origin(&MapHead::new(&parts)).is_some()),
        )
    }
}

fn authorization(scheme: &str, token: &AccessToken) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("{scheme} {}", token.expose())).ok()
}

/// The observations of the gateway's function.
#[derive(Default)]
struct Seen {
    canonical_path: Option<String>,
    route: Option<Arc<route::Route>>,
    shadow: Option<Denial>,
}

impl RequestObserver for Seen {
    fn on_target(&mut self, _host: &str, path: &str) {
        self.canonical_path = Some(path.to_owned());
    }

    fn on_route(&mut self, route: &Arc<route::Route>) {
        self.route = Some(Arc::clone(route));
    }

    fn on_permit(&mut self, _client: Option<&str>) {}

    fn trace_context(&self) -> Option<(&[u8], Option<&[u8]>)> {
        None
    }

    fn on_denial(&mut self, _denied: &Denied<'_>) {}

    fn on_shadow(&mut self, judged: &Judged<'_>) {
        self.shadow = judged.denial.cloned();
    }

    fn request_id(&self) -> Option<&[u8]> {
        None
    }
}

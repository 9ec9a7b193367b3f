//! A program that uses the library, feature by feature. It is compiled, not run.

#![deny(warnings)]

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Request, Response};
use tollgate::clock::ManualClock;
use tollgate::plugin::{Asking, RequireToken, ResponseFuture, ScopesOnly};
use tollgate::store::MemoryStore;
use tollgate::{ClientSpec, Demand, Denial, Gate, GateSpec, Permit, RequireTokenLayer, Requirement};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, service_fn};

/// A service whose type and future can be named.
struct Named<S> {
    service: RequireToken<S>,
}

impl<S: Service<Request<String>, Response = Response<String>> + Clone> Named<S> {
    fn call(&mut self, request: Request<String>) -> ResponseFuture<S::Future, Asking<S, String, ScopesOnly>> {
        self.service.call(request)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let client = ClientSpec::with_id("server")?
        .plain_secret("Password1")?
        .scopes(["read", "write"])?
        .default_scopes("read")?
        .audiences(vec!["https://api.example.com".to_owned()])?
        .token_lifetime(Duration::from_secs(60))
        .may_introspect();
    let gate = Gate::builder(GateSpec::new("https://api.example.com").realm("orders").client(client))
        .store(Arc::new(MemoryStore::new(1_000)))
        .clock(Arc::new(ManualClock::default()))
        .hashing_threads(1)
        .build()?;
    gate.reload(GateSpec::default());

    let inner = service_fn(async |request: Request<String>| {
        let client = request.extensions().get::<Permit>().and_then(Permit::client_id).map(str::to_owned);
        Ok::<_, Infallible>(Response::new(client.unwrap_or_default()))
    });
    let layer: RequireTokenLayer = gate.require(Requirement::any(["read", "write"])?);
    drop(Named { service: layer.layer(inner) }.call(Request::new(String::new())));
    let not_on_sundays = |_: &Permit, parts: &Parts| match parts.headers.get("x-day") {
        Some(day) if day == "sunday" => Err(Denial::refused(format!("closed on {day:?}"))),
        _ => Ok(()),
    };
    let _ = ServiceBuilder::new()
        .layer(gate.require("read").and(not_on_sundays))
        .layer(ConcurrencyLimitLayer::new(10))
        .service(inner);
    let _ = gate.require_with(not_on_sundays).grpc().layer(inner);
    let _ = gate.require(Requirement::AnyToken).clone().layer(inner).clone();
    let _ = gate.require(vec!["read".to_owned()]).and_async(async |_, _| Ok(())).layer(inner);
    let _ =
        gate.try_require(Demand::from(Requirement::AnyToken).try_for_audience("https://api.example.com")?)?;
    let local = std::net::IpAddr::from([127, 0, 0, 1]);
    let _ = gate
        .oauth_service()
        .nested_at("/oauth/v2")
        .address_by(move |_| Some(local))
        .body_timeout(Duration::from_secs(5));
    tollgate::store::testing::check_contract(MemoryStore::new);

    #[cfg(feature = "axum")]
    {
        let handler = async |permit: Permit| permit.client_id().map(str::to_owned).unwrap_or_default();
        let optional = async |permit: Option<Permit>| permit.map(|_| "a client").unwrap_or("anyone");
        let _: axum::Router = axum::Router::new()
            .route("/", axum::routing::get(handler))
            .route("/optional", axum::routing::get(optional))
            .layer(gate.require_with(not_on_sundays))
            .nest_service("/oauth/v2", gate.oauth_service().nested_at("/oauth/v2"));
    }
    #[cfg(feature = "config")]
    {
        let _ = Gate::from_file("gateway.toml")?;
        gate.reload(&tollgate::config::Config::load("gateway.toml".as_ref())?);
    }
    #[cfg(feature = "pingora")]
    {
        use tollgate::plugin::pingora::{Access, answer_denied, note_connection, serve_endpoint};
        let read = Access::token("read");
        let by_path = move |head: &pingora::http::RequestHeader| match head.uri.path() {
            "/health" => Access::Public,
            _ => read.clone(),
        };
        let module = gate.pingora_module(Requirement::AnyToken).ask_by(by_path).and(|_, _| Ok(()));
        let mut modules = pingora::modules::http::HttpModules::new();
        modules.add_module(Box::new(module.with_endpoints().forward_token()));
        let _ = (note_connection, answer_denied, serve_endpoint);
    }
    #[cfg(feature = "remote")]
    {
        use tollgate::RemoteGate;
        use tollgate::gate::Credentials;
        use tollgate::plugin::Remote;
        let url = "https://gateway.example.com/oauth/v2/oauth-introspect";
        let remote: RemoteGate = Gate::remote(url, Credentials::new("api", "Password1"))
            .staleness(Duration::from_secs(5))
            .timeout(Duration::from_secs(1))
            .max_in_flight(16)
            .max_cached(1_000)
            .realm("orders")
            .on_failure(|error| eprintln!("{error}"))
            .build()?;
        let layer: RequireTokenLayer<Remote> = remote.require("read");
        let _ = layer.clone().grpc().layer(inner);
        let _ = layer.and_async(async |_, _| Ok(())).layer(inner);
        let _ = remote.require_with(not_on_sundays).layer(inner);
        drop(remote.check_endpoint());
    }
    #[cfg(feature = "tonic")]
    {
        fn is_named<S: tonic::server::NamedService>(_: S) {}
        #[derive(Clone)]
        struct Greeter;
        impl tonic::server::NamedService for Greeter {
            const NAME: &'static str = "greeter";
        }
        is_named(gate.require("read").grpc().layer(Greeter));
    }
    #[cfg(feature = "jose")]
    {
        let _ = tollgate::oauth::Algorithm::Es256;
    }
    #[cfg(feature = "gateway")]
    {
        let _ = tollgate::cli::main;
    }
    Ok(())
}

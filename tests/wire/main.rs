//! Black-box tests: the real binary, a recording upstream, and bytes on the wire. They assert what a client,
//! an upstream and an operator can see, and know nothing about the implementation.

#![allow(clippy::disallowed_methods, reason = "black-box tests measure what a client would, in real time")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../chaos/mod.rs"]
mod chaos;

mod access_log;
mod acme;
mod admin;
mod balance;
mod bench;
mod certificates;
mod changes;
mod check;
mod claims;
mod cli;
mod clients;
mod cors;
mod documents;
mod dpop;
mod ejection;
mod endpoints;
mod expect;
mod expiry;
mod explain;
mod faults_under_load;
mod forward;
mod full_disk;
mod grpc;
mod handover;
mod hangup;
mod health;
mod hostile;
mod hosts;
mod import;
mod included;
mod interim;
mod jwt;
mod legacy;
mod legacy_servers;
mod lifecycle;
mod limits;
mod listeners;
mod logins;
mod metrics;
mod protected;
mod queue;
mod refused_uploads;
mod registration;
mod reload;
mod restart;
mod rfc;
mod secretless;
mod secrets;
mod security_log;
mod self_test;
mod self_test_http2;
mod service_manager;
mod shadow;
mod shared_store;
mod slow;
mod startup;
mod streaming;
mod streams;
mod strip;
mod tls;
mod token_endpoint;
mod token_requests;
mod tracing;
mod trusted_proxies;
mod tutorial;
mod upgrade;
mod upstream_faults;
mod upstream_http1;
mod upstream_http2;
mod upstream_path;
mod upstream_sockets;
mod upstream_tls;

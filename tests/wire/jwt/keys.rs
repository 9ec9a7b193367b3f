//! The keys that sign JWTs: where they are kept, what is refused, and what upstreams get.

use super::{received, routes, verified};
use crate::support::jwks::{self, KEY_SET};
use crate::support::{Config, Fixture, Gateway, Upstream, get, post_form, run};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Writes a key file.
fn pem(path: &Path, pkcs8: &[u8]) {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(pkcs8);
    fs::write(path, format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))
        .expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode");
}

fn p256() -> Vec<u8> {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    key.expect("a key").as_ref().to_vec()
}

fn ed25519() -> Vec<u8> {
    Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key").as_ref().to_vec()
}

#[test]
fn the_key_set_is_published_only_if_jwts_are_signed() {
    let without = Fixture::start(|config| {
        config.route("prefix = \"/.well-known\"\naccess = \"public\"\nupstream = \"api\"")
    });
    without.raw(get(&format!("{KEY_SET}?m=apis"), &[])).status(200);
    assert_eq!(without.upstream.requests("m=apis").len(), 1, "the API may have a key set of its own");
    let metadata = without.raw(get("/.well-known/oauth-authorization-server", &[])).json();
    assert!(metadata.get("jwks_uri").is_none(), "{metadata}");
    let with = Fixture::start(routes);
    let answer = with.raw(get(KEY_SET, &[]));
    answer.status(200).has("content-type", "application/json").has("cache-control", "public, max-age=900");
    let tag = answer.one("etag").to_owned();
    let again = with.raw(get(KEY_SET, &[&format!("If-None-Match: {tag}")]));
    again.status(304).has("etag", &tag);
    assert!(again.body().is_empty());
    with.raw(post_form(KEY_SET, &[], "")).problem(405).has("allow", "GET, HEAD");
}

#[test]
fn the_keys_outlive_a_restart_and_only_the_gateway_can_read_them() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let config =
        routes(Config::standard(upstream.address()).server(&format!("state_dir = {:?}", state.path())));
    let first = {
        let gateway = Gateway::start(&config);
        let fixture = Fixture { gateway, upstream: upstream.clone() };
        fixture.raw(get("/jwt?m=before.", &[&fixture.bearer("server", "read")])).status(200);
        jwks::fetch(fixture.address())
    };
    let file = state.path().join("jwt-keys.json");
    assert_eq!(fs::metadata(&file).expect("the keys").mode() & 0o777, 0o600);
    let gateway = Gateway::start(&config);
    let fixture = Fixture { gateway, upstream };
    assert_eq!(jwks::fetch(fixture.address()), first);
    verified(&fixture, &received(&fixture, "m=before."));
}

#[test]
fn keys_that_others_can_read_or_that_were_changed_stop_the_start_and_no_running_gateway() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    // A journal is for one gateway only, so these gateways keep their tokens in memory.
    let config =
        routes(Config::standard(upstream.address()).server(&format!("state_dir = {:?}", state.path())))
            .table("[store]\nkind = \"memory\"");
    let gateway = Gateway::start(&config);
    let fixture = Fixture { gateway, upstream };
    let keys = jwks::fetch(fixture.address());
    let file = state.path().join("jwt-keys.json");
    let text = fs::read_to_string(&file).expect("the keys");
    fs::write(&file, text.replacen("\"pkcs8\": \"MI", "\"pkcs8\": \"MJ", 1)).expect("the keys");
    fixture.gateway.wait_for("is not as the gateway has written it");
    // The gateway keeps the keys that it has.
    fixture.raw(get("/jwt?m=on.", &[&fixture.bearer("server", "read")])).status(200);
    assert!(jwks::verify(&received(&fixture, "m=on."), &keys).is_some());
    let refused = |expected: &str| {
        let output = run(fixture.gateway.dir(), &["run"]);
        assert!(output.code != Some(0) && output.all().contains(expected), "{}", output.all());
    };
    refused("is not as the gateway has written it");
    fs::write(&file, &text).expect("the keys");
    fixture.gateway.wait_for("can be used again");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).expect("its mode");
    refused("chmod 600");
    let output = run(fixture.gateway.dir(), &["keys", "list"]);
    assert!(output.code != Some(0) && output.all().contains("chmod 600"), "{}", output.all());
}

#[test]
fn configured_files_sign_and_a_reload_replaces_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let [one, two] = ["one.pem", "two.pem"].map(|name| folder.path().join(name));
    pem(&one, &p256());
    pem(&two, &ed25519());
    let upstream = Upstream::start();
    let config = |keys: &[&Path]| {
        routes(Config::standard(upstream.address()))
            .table(&format!("[token_service.jwt]\nkeys = {keys:?}\nlifetime = \"1m\""))
    };
    let gateway = Gateway::start(&config(&[&one]));
    let fixture = Fixture { gateway, upstream: upstream.clone() };
    let bearer = fixture.bearer("server", "read");
    fixture.raw(get("/jwt?m=one.", &[&bearer])).status(200);
    let first = verified(&fixture, &received(&fixture, "m=one."));
    assert_eq!(first.header["alg"], "ES256");
    let lifetime = first.claims["exp"].as_u64().zip(first.claims["iat"].as_u64());
    assert_eq!(lifetime.map(|(exp, iat)| exp - iat), Some(60));
    fixture.gateway.reload(&config(&[&one, &two]));
    assert_eq!(jwks::fetch(fixture.address())["keys"].as_array().map(Vec::len), Some(2));
    fixture.gateway.reload(&config(&[&two, &one]));
    let other = fixture.bearer("server", "read write");
    fixture.raw(get("/jwt?m=two.", &[&other])).status(200);
    assert_eq!(verified(&fixture, &received(&fixture, "m=two.")).header["alg"], "EdDSA");
    // After the first key is removed, the gateway sends none of its JWTs.
    fixture.gateway.reload(&config(&[&two]));
    fixture.raw(get("/jwt?m=three.", &[&bearer])).status(200);
    assert_eq!(verified(&fixture, &received(&fixture, "m=three.")).header["alg"], "EdDSA");
    assert!(!fixture.gateway.dir().join("state/jwt-keys.json").exists(), "no keys were made");
    fs::write(&two, "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n").expect("a file");
    let checked = run(fixture.gateway.dir(), &["check"]);
    assert!(
        checked.all().contains("token_service.jwt.keys[0]") && checked.all().contains("P-256"),
        "{}",
        checked.all()
    );
}

//! The crate `oauth2`: secrets both ways, introspection, revocation, errors. It knows no discovery, and takes
//! any function as its HTTP client: here one that runs curl.

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicRequestTokenError, BasicTokenType};
use oauth2::{
    AccessToken, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, IntrospectionUrl,
    RequestTokenError, RevocationUrl, Scope, StandardRevocableToken, TokenIntrospectionResponse,
    TokenResponse, TokenUrl, http,
};
use std::env::var;
use std::io::{Error, Result, Write};
use std::process::{Command, Stdio};

/// What the crate asks of an HTTP client.
fn send(request: HttpRequest) -> Result<HttpResponse> {
    let (parts, body) = request.into_parts();
    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "--max-time",
        "10",
        "-X",
        parts.method.as_str(),
        "-w",
        "\n%{http_code} %{content_type}",
    ]);
    for (name, value) in &parts.headers {
        curl.arg("-H").arg(format!("{name}: {}", value.to_str().map_err(Error::other)?));
    }
    curl.args(["--data-binary", "@-", &parts.uri.to_string()]);
    let mut curl = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    curl.stdin.take().expect("its standard input").write_all(&body)?;
    let written = String::from_utf8(curl.wait_with_output()?.stdout).map_err(Error::other)?;
    let (body, told) = written.rsplit_once('\n').expect("what -w writes");
    let (status, content_type) = told.split_once(' ').expect("both");
    let response = http::Response::builder().status(status).header("content-type", content_type);
    response.body(body.into()).map_err(Error::other)
}

fn call(token: &AccessToken, by: &str) -> String {
    let bearer = format!("Authorization: Bearer {}", token.secret());
    let url = format!("{}?by={by}", var("API").expect("API"));
    let output = Command::new("curl").args(["-sS", "-i", "-H", &bearer, &url]).output().expect("curl runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A macro, since the client's type names every endpoint that was set.
macro_rules! client {
    ($id:expr, $secret:expr, $way:expr) => {{
        let url = |endpoint: &str| format!("{}/oauth/v2/oauth-{endpoint}", var("ISSUER").expect("ISSUER"));
        BasicClient::new(ClientId::new($id.to_owned()))
            .set_client_secret(ClientSecret::new($secret.to_owned()))
            .set_auth_type($way)
            .set_token_uri(TokenUrl::new(url("token")).expect("a URL"))
            .set_introspection_url(IntrospectionUrl::new(url("introspect")).expect("a URL"))
            .set_revocation_url(RevocationUrl::new(url("revoke")).expect("a URL"))
    }};
}

fn goes_all_the_way(by: &str, id: &str, secret: &str, way: AuthType) {
    let client = client!(id, secret, way);
    let read = Scope::new("read".to_owned());
    let tokens =
        client.exchange_client_credentials().add_scope(read.clone()).request(&send).expect("a token");
    assert_eq!(*tokens.token_type(), BasicTokenType::Bearer);
    assert_eq!(tokens.scopes(), Some(&vec![read]));
    assert!(tokens.expires_in().is_some_and(|lifetime| lifetime.as_secs() == 299));
    let token = tokens.access_token();
    let answer = call(token, by);
    assert!(answer.starts_with("HTTP/2 200"), "{answer}");
    let told = client.introspect(token).request(&send).expect("an answer");
    assert!(told.active() && told.client_id().is_some_and(|client| client.as_str() == id), "{told:?}");
    let revoked = StandardRevocableToken::AccessToken(token.clone());
    client.revoke_token(revoked).expect("an https URL").request(&send).expect("revoked");
    let answer = call(token, &format!("{by}-revoked"));
    assert!(answer.starts_with("HTTP/2 401") && answer.contains("error=\"invalid_token\""), "{answer}");
    assert!(!client.introspect(token).request(&send).expect("an answer").active());
}

fn is_refused(id: &str, secret: &str, scope: &str, way: AuthType, code: &BasicErrorResponseType) {
    let client = client!(id, secret, way);
    let request = client.exchange_client_credentials().add_scope(Scope::new(scope.to_owned()));
    let error: BasicRequestTokenError<Error> = request.request(&send).expect_err("a refusal");
    let RequestTokenError::ServerResponse(response) = &error else { panic!("{error:?}") };
    assert_eq!(response.error(), code, "{error:?}");
}

fn main() {
    let [id, secret, special_id, special_secret] =
        ["CLIENT_ID", "CLIENT_SECRET", "SPECIAL_ID", "SPECIAL_SECRET"].map(|name| var(name).expect(name));
    for (name, way) in [("basic", AuthType::BasicAuth), ("post", AuthType::RequestBody)] {
        goes_all_the_way(&format!("oauth2-{name}"), &id, &secret, way.clone());
        goes_all_the_way(&format!("oauth2-special-{name}"), &special_id, &special_secret, way.clone());
        is_refused(&id, "wrong", "read", way.clone(), &BasicErrorResponseType::InvalidClient);
        is_refused(&id, &secret, "no-such", way, &BasicErrorResponseType::InvalidScope);
    }
}

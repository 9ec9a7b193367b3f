//! The tutorial, followed with the page's own curl commands against the gateway.toml of the repository.

use crate::support::{Gateway, shipped};
use serde_json::Value;
use std::process::Command;

/// "Retrieve an access token"
const TOKEN: &str = r"curl -k -X POST \
  https://localhost:8443/oauth/v2/oauth-token \
  -H 'content-type: application/x-www-form-urlencoded' \
  -d 'grant_type=client_credentials&client_id=server&client_secret=Password1'";

/// "With scope"
const TOKEN_WITH_SCOPE: &str = r"curl -k -X POST \
  https://localhost:8443/oauth/v2/oauth-token \
  -H 'content-type: application/x-www-form-urlencoded' \
  -d 'grant_type=client_credentials&client_id=server&client_secret=Password1&scope=YOUR_SCOPE'";

/// "The call looks as follows"
const CALL: &str = r"curl -X GET \
  https://example.com/hello_world \
  -H 'authorization: Bearer 0470b16b-7bf8-4fa3-9ae1-6a10e0f0b699'";

/// A reader of the page with a running gateway. The output of a command is kept with its status and
/// challenge.
struct Reader {
    gateway: Gateway,
    home: tempfile::TempDir,
}

struct Printed {
    status: String,
    challenge: String,
    body: String,
    all: String,
}

impl Reader {
    fn new() -> Self {
        let gateway = shipped();
        // curl's configuration file keeps the commands those of the page.
        let home = tempfile::tempdir().expect("a folder");
        let options = "silent\nshow-error\nmax-time = 20\n\
                       write-out = \"\\n%{http_code}\\n%header{www-authenticate}\"\n";
        std::fs::write(home.path().join(".curlrc"), options).expect(".curlrc");
        Self { gateway, home }
    }

    #[track_caller]
    fn types(&self, command: &str) -> Printed {
        let place = format!("https://localhost:{}/", self.gateway.tls().port());
        let command =
            command.replace("https://localhost:8443/", &place).replace("https://example.com/", &place);
        let output = Command::new("sh")
            .args(["-c", &command])
            .env("CURL_HOME", self.home.path())
            .env("NO_PROXY", "*")
            .env("no_proxy", "*")
            .output()
            .expect("sh runs");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let all = format!("{command}\n{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{all}\n{}", self.gateway.written());
        let mut parts = stdout.rsplitn(3, '\n');
        let challenge = parts.next().unwrap_or("").to_owned();
        let status = parts.next().unwrap_or("").to_owned();
        let body = parts.next().unwrap_or("").to_owned();
        Printed { status, challenge, body, all }
    }
}

#[track_caller]
fn token_of(printed: &Printed, members: &[&str]) -> String {
    assert_eq!(printed.status, "200", "{}", printed.all);
    let json: Value = serde_json::from_str(&printed.body).unwrap_or_else(|e| panic!("{e}\n{}", printed.all));
    let mut names: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, members, "{}", printed.all);
    assert_eq!(json["token_type"], "bearer", "{}", printed.all);
    assert_eq!(json["expires_in"], 299, "{}", printed.all);
    if members.contains(&"scope") {
        assert_eq!(json["scope"], "read", "{}", printed.all);
    }
    json["access_token"].as_str().expect("a token").to_owned()
}

#[test]
fn the_page_command_by_command() {
    let reader = Reader::new();

    let plain = token_of(&reader.types(TOKEN), &["access_token", "expires_in", "token_type"]);
    let with_scope = TOKEN_WITH_SCOPE.replace("YOUR_SCOPE", "read");
    let scoped = token_of(&reader.types(&with_scope), &["access_token", "expires_in", "scope", "token_type"]);

    // The certificate is self-signed here too, so the call needs the -k that the page explains earlier.
    let call = CALL.replace("curl -X GET", "curl -k -X GET");
    let with = |token: &str| reader.types(&call.replace("0470b16b-7bf8-4fa3-9ae1-6a10e0f0b699", token));
    let answer = with(&scoped);
    assert_eq!(answer.status, "200", "{}", answer.all);
    assert!(!answer.body.trim().is_empty(), "{}", answer.all);

    // The token on the page was not issued here: "the API should respond with a 401 telling the client to get
    // a new token".
    let answer = with("0470b16b-7bf8-4fa3-9ae1-6a10e0f0b699");
    assert_eq!(answer.status, "401", "{}", answer.all);
    assert!(answer.challenge.contains("error=\"invalid_token\""), "{}", answer.all);
    assert!(answer.challenge.to_lowercase().contains("new"), "{}", answer.all);

    let answer = with(&plain);
    assert_eq!(answer.status, "403", "{}", answer.all);
    assert!(answer.challenge.contains("scope=\"read\""), "{}", answer.all);

    let answer = reader.types(&TOKEN.replace("Password1", "Password2"));
    assert_eq!(answer.status, "401", "{}", answer.all);
    let json: Value = serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{e}\n{}", answer.all));
    assert_eq!(json["error"], "invalid_client", "{}", answer.all);

    let answer = reader.types(&TOKEN_WITH_SCOPE.replace("YOUR_SCOPE", "nosuch"));
    assert_eq!(answer.status, "400", "{}", answer.all);
    assert!(answer.body.contains("invalid_scope"), "{}", answer.all);
}

#[test]
fn the_start_message_shows_a_first_request_and_warns_about_the_tutorial_s_secret() {
    let reader = Reader::new();
    let written = reader.gateway.written();
    for said in ["/hello_world", "curl", "/oauth/v2/oauth-token", "Password1"] {
        assert!(written.contains(said), "{said:?} is missing\n{written}");
    }
    let port = reader.gateway.tls().port().to_string();
    let command = written.lines().find(|line| line.contains("oauth-token")).unwrap_or("");
    assert!(written.contains(&port), "the port is not the real one: {command}\n{written}");
}

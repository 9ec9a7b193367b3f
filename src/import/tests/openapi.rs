//! OpenAPI descriptions.

use super::*;
use crate::import::openapi::{self, Options, ScopeSource};

const PETS: &str = r##"openapi: 3.1.0
info: { title: Pet store, version: "1" }
servers: [{ url: "https://{stage}.example.com/v2/", variables: { stage: { default: api } } }]
security: [{ oauth: ["pets:read"] }]
paths:
  /pets:
    get: { tags: [pets] }
    post: { tags: [pets], security: [{ oauth: ["pets:write"] }] }
  /pets/{pet.id}:
    parameters: []
    get: { tags: [pets] }
    delete: { tags: [pets], security: [{ oauth: ["pets:write"] }, { oauth: ["admin"] }] }
    trace: {}
  /pets/{id}.json:
    get: {}
  /search?q={q}:
    get: {}
  /open:
    get: { security: [] }
  /linked: { $ref: "#/components/pathItems/linked" }
  /elsewhere: { $ref: "other.yaml#/x" }
  x-internal: { get: {} }
components:
  pathItems:
    linked:
      put: { security: [{ oauth: ["pets:write", "admin"] }] }
  securitySchemes:
    oauth:
      type: oauth2
      flows: { clientCredentials: { scopes: { "pets:read": "Read pets\nand more", "pets:write": Change pets } } }
"##;

#[test]
fn operations_become_routes_and_security_becomes_scopes() {
    let draft = openapi::import(PETS, &Options::default()).unwrap();
    let expected = r#"[scopes]
admin = "admin"
"pets:read" = "Read pets"
"pets:write" = "Change pets"

[upstreams.pet-store]
servers = ["https://api.example.com"]

[[routes]]
path = "/v2/pets"
methods = ["GET"]
scopes = ["pets:read"]
upstream = "pet-store"

[[routes]]
path = "/v2/pets"
methods = ["POST"]
scopes = ["pets:write"]
upstream = "pet-store"

[[routes]]
path = "/v2/pets/{pet_id}"
methods = ["GET"]
scopes = ["pets:read"]
upstream = "pet-store"

[[routes]]
path = "/v2/pets/{pet_id}"
methods = ["DELETE"]
any_scope = ["admin", "pets:write"]
upstream = "pet-store"

[[routes]]
path = "/v2/open"
methods = ["GET"]
upstream = "pet-store"

[[routes]]
path = "/v2/linked"
methods = ["PUT"]
scopes = ["admin", "pets:write"]
upstream = "pet-store"
"#;
    assert_eq!(render(&draft), expected);
    valid(&draft);
    let findings = findings(&draft).join("\n");
    for expected in [
        "13:5 trace /pets/{pet.id} is not imported",
        "15:5 GET /pets/{id}.json is not imported: \"{id}.json\" mixes text and parameters",
        "17:5 GET /search?q={q} is not imported: a query",
        "19:5 GET /v2/open needs no authentication in the description; here it needs a token",
        "/elsewhere is not imported: other.yaml#/x is in another document",
    ] {
        assert!(findings.contains(expected), "{expected} is not in\n{findings}");
    }
}

#[test]
fn scopes_come_from_tags_or_paths_on_request_and_by_default() {
    let tags = Options { scopes: Some(ScopeSource::Tags), ..Options::default() };
    let text = render(&openapi::import(PETS, &tags).unwrap());
    assert!(text.contains("methods = [\"GET\"]\nscopes = [\"pets.read\"]"), "{text}");
    assert!(
        text.contains("methods = [\"DELETE\", \"POST\"]") || text.contains("scopes = [\"pets.write\"]"),
        "{text}"
    );

    let plain = "swagger: '2.0'\nhost: api.example.com:8080\nbasePath: /api/v1\nschemes: [http]\npaths:\n  \
                 /users/{a}: { get: {} }\n  /users/{b}: { get: {}, put: {} }\n";
    let draft = openapi::import(plain, &Options::default()).unwrap();
    let text = render(&draft);
    assert!(text.contains("servers = [\"http://api.example.com:8080\"]"), "{text}");
    assert!(
        text.contains("path = \"/api/v1/users/{a}\"\nmethods = [\"GET\"]\nscopes = [\"users.read\"]"),
        "{text}"
    );
    assert!(
        text.contains("path = \"/api/v1/users/{b}\"\nmethods = [\"PUT\"]\nscopes = [\"users.write\"]"),
        "{text}"
    );
    valid(&draft);
    let findings = findings(&draft);
    assert!(
        findings.iter().any(|f| f.contains("GET /api/v1/users/{b} is not imported: another route")),
        "{findings:?}"
    );
}

#[test]
fn a_server_of_the_command_line_keeps_the_base_path() {
    let options =
        Options { upstream: Some("http://10.0.0.5:8080"), name: Some("pets"), ..Options::default() };
    let draft = openapi::import(PETS, &options).unwrap();
    let text = render(&draft);
    assert!(text.contains("[upstreams.pets]\nservers = [\"http://10.0.0.5:8080\"]"), "{text}");
    assert!(text.contains("path = \"/v2/pets\""), "{text}");
    valid(&draft);
}

#[test]
fn a_second_import_shows_only_what_differs() {
    let draft = openapi::import(PETS, &Options::default()).unwrap();
    let config = valid(&draft);
    let same = compare::compare(&draft, &config);
    assert!(same.is_empty(), "{}", same.text());
    assert_eq!(same.text(), "0 new, 0 changed, 0 gone, 6 the same\n");

    let newer = PETS
        .replace("  /open:", "  /pets/{pet}/toys:\n    get: {}\n  /closed:")
        .replace("post: { tags: [pets], security: [{ oauth: [\"pets:write\"] }] }", "post: {}");
    let draft = openapi::import(&newer, &Options::default()).unwrap();
    let text = compare::compare(&draft, &config).text();
    assert!(text.contains("+ path = \"/v2/pets/{pet}/toys\""), "{text}");
    assert!(text.contains("- GET /v2/open (line "), "{text}");
    assert!(text.contains("instead of scope pets:write"), "{text}");
}

#[test]
fn json_may_write_characters_as_surrogates() {
    let text = r#"{"openapi":"3.1.0","info":{"title":"Pets","version":"1"},"servers":[{"url":"http://10.0.0.1"}],
        "tags":[{"name":"a","description":"\ud83d\ude00 \\ud83d \ud83d \ude00 \u00e9"}],
        "paths":{"/a":{"get":{"tags":["\uD83D\uDE00"]}}}}"#;
    let draft = openapi::import(text, &Options::default()).unwrap();
    assert_eq!(draft.routes.len(), 1);
    let cut = text.replace(r"\uD83D\uDE00", r"\uD83D");
    assert!(openapi::import(&cut, &Options::default()).is_ok());
}

#[test]
fn files_that_are_not_descriptions_are_refused_with_the_reason() {
    let error = |text: &str| openapi::import(text, &Options::default()).unwrap_err().to_string();
    assert_eq!(
        error("paths: {}"),
        "1:1: this is not an OpenAPI description: it has neither \"openapi\" nor \"swagger\""
    );
    assert_eq!(error("openapi: 4.0.0"), "1:1: OpenAPI 4.0.0 is not supported; 2.0 and 3.x are");
    assert_eq!(error(""), "the file is empty");
    assert!(error("a: [").contains("this is not YAML or JSON"), "{}", error("a: ["));
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(error(&deep(150)).contains("nested deeper"), "{}", error(&deep(150)));
    assert!(error(&deep(100_000)).contains("recursion limit"), "{}", error(&deep(100_000)));
    // Ten anchors that each use the one before ten times would be ten billion nodes.
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(error(&bomb).contains("more than"), "{}", error(&bomb));
}

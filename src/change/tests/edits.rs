//! `client edit`: what a client may do.

use super::*;
use crate::change::ListEdit;
use crate::change::operation::Operation;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn added(list: &[&str]) -> ListEdit {
    ListEdit { add: names(list), ..ListEdit::default() }
}

fn removed(list: &[&str]) -> ListEdit {
    ListEdit { remove: names(list), ..ListEdit::default() }
}

fn scopes(id: &str, scopes: ListEdit) -> Operation {
    Operation::ClientScopes { id: id.to_owned(), scopes }
}

fn default_scopes(id: &str, scopes: ListEdit) -> Operation {
    Operation::ClientDefaultScopes { id: id.to_owned(), scopes }
}

fn make(fixture: &Fixture, operations: &[Operation]) -> Result<(), EditError> {
    fixture.edit(|file| operations.iter().try_for_each(|operation| operation.apply(file)))
}

const FILE: &str = "# top
[scopes]
read = \"R\"   # reading
write = \"W\"
admin = \"A\"

# the shop
[clients.a]
secret = \"OLD\" # its secret
scopes = [\"read\"]    # may read
# until 2027
token_lifetime = \"5m\"

[clients.b]
secret = \"OLD\"
scopes = [
  \"read\",   # always
  # for the importer
  \"write\",
]
default_scopes = [ \"write\" ]
capabilities = [\"client_credentials\"]
";

#[test]
fn only_the_named_settings_change() {
    let fixture = Fixture::new(FILE);
    let id = || "a".to_owned();
    let binding = serde_json::json!({ "dpop_bound_tokens": true });
    let edit = [
        scopes("a", added(&["write", "read"])),
        default_scopes("a", added(&["read"])),
        Operation::ClientLifetime { id: id(), token_lifetime: Some("10m".to_owned()) },
        Operation::ClientRate { id: id(), rate_limit: Some("5/s".to_owned()) },
        Operation::ClientAuthentication { id: id(), settings: binding.as_object().unwrap().clone() },
    ];
    make(&fixture, &edit).unwrap();
    let after = FILE
        .replace("scopes = [\"read\"]    # may", "scopes = [\"read\", \"write\"]    # may")
        .replace(
            "token_lifetime = \"5m\"\n",
            "token_lifetime = \"10m\"\ndefault_scopes = [\"read\"]\nrate_limit = \"5/s\"\ndpop_bound_tokens = true\n",
        );
    fixture.is(&after);
    make(&fixture, &edit).unwrap();
    fixture.is(&after);

    let back = [
        scopes("a", removed(&["write"])),
        default_scopes("a", removed(&["read"])),
        Operation::ClientLifetime { id: id(), token_lifetime: None },
        Operation::ClientRate { id: id(), rate_limit: None },
    ];
    make(&fixture, &back).unwrap();
    let client = fixture.text();
    assert!(client.contains("scopes = [\"read\"]    # may read\n"), "{client}");
    assert!(!client.contains("rate_limit") && !client.contains("10m"), "{client}");
}

#[test]
fn lists_keep_their_lines_and_comments() {
    let fixture = Fixture::new(FILE);
    make(&fixture, &[scopes("b", added(&["admin"]))]).unwrap();
    fixture.is(&FILE.replace("  \"write\",\n]", "  \"write\",\n  \"admin\",\n]"));
    make(&fixture, &[scopes("b", removed(&["admin"]))]).unwrap();
    fixture.is(FILE);
}

#[test]
fn a_removed_scope_is_no_default_scope_any_more() {
    for edit in [removed(&["write"]), ListEdit { set: Some(names(&["read"])), ..ListEdit::default() }] {
        let fixture = Fixture::new(FILE);
        make(&fixture, &[scopes("b", edit)]).unwrap();
        let text = fixture.text();
        assert!(!text.contains("\"write\"") && text.contains("\"read\",   # always"), "{text}");
    }
}

#[test]
fn wrong_edits_change_nothing() {
    let fixture = Fixture::new(FILE);
    let fails = |operation: Operation| {
        let error = make(&fixture, &[operation]).unwrap_err();
        assert!(error.is_usage());
        fixture.is(FILE);
        error.to_string()
    };
    let text = fails(scopes("b", removed(&["wrote"])));
    assert!(
        text.contains("\"wrote\" is not in the scopes of the client \"b\" (did you mean \"write\"?)"),
        "{text}"
    );
    assert!(fails(scopes("a", added(&["delete"]))).contains("there is no scope \"delete\""));
    assert!(fails(scopes("c", added(&["read"]))).contains("no client \"c\""));
    let text = fails(default_scopes("a", added(&["admin"])));
    assert!(text.contains("is not one of the client's own `scopes`"), "{text}");
    let capabilities = added(&["fly"]);
    let text = fails(Operation::ClientCapabilities { id: "a".to_owned(), capabilities });
    assert!(text.contains("clients.a.capabilities"), "{text}");
}

#[test]
fn an_inline_client_stays_inline() {
    let fixture = Fixture::new("[scopes]\nread = \"R\"\n[clients]\na = { secret = \"OLD\" } # one\n");
    make(&fixture, &[scopes("a", added(&["read"]))]).unwrap();
    fixture.is("[scopes]\nread = \"R\"\n[clients]\na = { secret = \"OLD\", scopes = [\"read\"] } # one\n");
}

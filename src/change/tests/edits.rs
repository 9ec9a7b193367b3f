//! `client edit`: what a client may do.

use super::*;
use crate::change::{ClientEdit, ListEdit, SettingEdit};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn added(list: &[&str]) -> ListEdit {
    ListEdit { add: names(list), ..ListEdit::default() }
}

fn removed(list: &[&str]) -> ListEdit {
    ListEdit { remove: names(list), ..ListEdit::default() }
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
    let edit = ClientEdit {
        scopes: added(&["write", "read"]),
        default_scopes: added(&["read"]),
        token_lifetime: SettingEdit::Set("10m".to_owned()),
        rate_limit: SettingEdit::Set("5/s".to_owned()),
        dpop_bound_tokens: SettingEdit::Set(true),
        ..ClientEdit::default()
    };
    let changed = fixture.edit(|file| file.edit_client("a", &edit)).unwrap();
    assert_eq!(changed, ["scopes", "default_scopes", "token_lifetime", "rate_limit", "dpop_bound_tokens"]);
    fixture.is(&FILE
        .replace("scopes = [\"read\"]    # may", "scopes = [\"read\", \"write\"]    # may")
        .replace(
            "token_lifetime = \"5m\"\n",
            "token_lifetime = \"10m\"\ndefault_scopes = [\"read\"]\nrate_limit = \"5/s\"\ndpop_bound_tokens = true\n",
        ));
    let again = fixture.edit(|file| file.edit_client("a", &edit)).unwrap();
    assert!(again.is_empty(), "{again:?}");

    let back = ClientEdit {
        scopes: removed(&["write"]),
        default_scopes: removed(&["read"]),
        token_lifetime: SettingEdit::Remove,
        rate_limit: SettingEdit::Remove,
        ..ClientEdit::default()
    };
    fixture.edit(|file| file.edit_client("a", &back)).unwrap();
    let client = fixture.text();
    assert!(client.contains("scopes = [\"read\"]    # may read\n"), "{client}");
    assert!(!client.contains("rate_limit") && !client.contains("10m"), "{client}");
}

#[test]
fn lists_keep_their_lines_and_comments() {
    let fixture = Fixture::new(FILE);
    let edit = ClientEdit { scopes: added(&["admin"]), ..ClientEdit::default() };
    fixture.edit(|file| file.edit_client("b", &edit)).unwrap();
    fixture.is(&FILE.replace("  \"write\",\n]", "  \"write\",\n  \"admin\",\n]"));
    let edit = ClientEdit { scopes: removed(&["admin"]), ..ClientEdit::default() };
    fixture.edit(|file| file.edit_client("b", &edit)).unwrap();
    fixture.is(FILE);
}

#[test]
fn a_removed_scope_is_no_default_scope_any_more() {
    for scopes in [removed(&["write"]), ListEdit { set: Some(names(&["read"])), ..ListEdit::default() }] {
        let fixture = Fixture::new(FILE);
        let edit = ClientEdit { scopes, ..ClientEdit::default() };
        let changed = fixture.edit(|file| file.edit_client("b", &edit)).unwrap();
        assert_eq!(changed, ["scopes", "default_scopes"]);
        let text = fixture.text();
        assert!(!text.contains("\"write\"") && text.contains("\"read\",   # always"), "{text}");
    }
}

#[test]
fn wrong_edits_change_nothing() {
    let fixture = Fixture::new(FILE);
    let fails = |id: &str, edit: ClientEdit| {
        let error = fixture.edit(|file| file.edit_client(id, &edit)).unwrap_err();
        assert!(error.is_usage());
        fixture.is(FILE);
        error.to_string()
    };
    let scopes = |scopes| ClientEdit { scopes, ..ClientEdit::default() };
    let text = fails("b", scopes(removed(&["wrote"])));
    assert!(
        text.contains("\"wrote\" is not in the scopes of the client \"b\" (did you mean \"write\"?)"),
        "{text}"
    );
    assert!(fails("a", scopes(added(&["delete"]))).contains("there is no scope \"delete\""));
    assert!(fails("c", scopes(added(&["read"]))).contains("no client \"c\""));
    let text = fails("a", ClientEdit { default_scopes: added(&["admin"]), ..ClientEdit::default() });
    assert!(text.contains("is not one of the client's own `scopes`"), "{text}");
    let text = fails("a", ClientEdit { capabilities: added(&["fly"]), ..ClientEdit::default() });
    assert!(text.contains("clients.a.capabilities"), "{text}");
}

#[test]
fn an_inline_client_stays_inline() {
    let fixture = Fixture::new("[scopes]\nread = \"R\"\n[clients]\na = { secret = \"OLD\" } # one\n");
    let edit = ClientEdit { scopes: added(&["read"]), ..ClientEdit::default() };
    fixture.edit(|file| file.edit_client("a", &edit)).unwrap();
    fixture.is("[scopes]\nread = \"R\"\n[clients]\na = { secret = \"OLD\", scopes = [\"read\"] } # one\n");
}

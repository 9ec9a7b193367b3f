//! The ways in which TOML lets one write the same thing.

use super::*;

#[test]
fn an_inline_table_of_clients_gets_an_inline_client() {
    let fixture =
        Fixture::new("scopes = { read = \"R\" }\nclients = { a = { secret = \"OLD\" } } # all\n[server]\n");
    fixture.add("b").unwrap();
    let fresh = "b = { secret = \"NEW\", capabilities = [\"client_credentials\"], scopes = [\"read\"], token_generation = 1795422600000 }";
    fixture.is(&format!(
        "scopes = {{ read = \"R\" }}\nclients = {{ a = {{ secret = \"OLD\" }}, {fresh} }} # all\n[server]\n"
    ));
    fixture.edit(|file| file.set_enabled("a", false, now())).unwrap();
    assert!(
        fixture.text().contains("a = { secret = \"$")
            && fixture.text().contains("\", enabled = false, token_generation = 1795422600000 }, b =")
    );
    fixture.edit(|file| rotate(file, Some(DAY))).unwrap();
    assert_eq!(fixture.text().lines().count(), 3, "{}", fixture.text());
    fixture.edit(|file| file.remove_client("b")).unwrap();
}

#[test]
fn a_name_that_needs_quotes_gets_them() {
    let fixture = Fixture::new("[scopes]\nread = \"R\"\n");
    fixture.add("an app.1").unwrap();
    assert!(fixture.text().contains("[clients.\"an app.1\"]"), "{}", fixture.text());
    fixture.edit(|file| file.set_enabled("an app.1", false, now())).unwrap();
    assert!(fixture.text().contains("enabled = false"));
}

#[test]
fn every_way_of_writing_a_client_is_changed_in_its_place() {
    type Change = fn(&mut Document) -> Result<(), Conflict>;
    let disable: Change = |file| file.set_enabled("a", false, now());
    let renew: Change = |file| rotate(file, None).map(drop);
    let keep: Change = |file| rotate(file, Some(DAY)).map(drop);
    let remove: Change = |file| file.remove_client("a");
    let both = "[\n  { id = \"default\", hash = \"OLD\", expires = 2026-11-24T08:30:00Z },\n  { id = \"2026-11-23\", hash = \"NEW\" },\n]";
    let scopes = "scopes.read = \"R\"\n";
    let dotted = "clients.a.secret = \"OLD\" # s\nclients.a.scopes = [\"read\"]\nclients.c.secret = \"OLD\"";
    let below = "[clients]\n'a'.secret = \"OLD\"\n\"a.b\".secret = \"OLD\"\n\n# end\n[server]\n";
    let inline = "[clients]\na = { secret = \"OLD\" } # a\n[clients.\"a.b\"]\nsecret = \"OLD\"\n";
    let crlf = "[clients.\"a\"]\r\nsecret = \"OLD\" # s\r\n[clients.'a.b']\r\nsecret = 'OLD'";
    let table: [(&str, Change, &str, &str); 16] = [
        (
            dotted,
            disable,
            "[\"read\"]\n",
            "[\"read\"]\nclients.a.enabled = false\nclients.a.token_generation = 1795422600000\n",
        ),
        (dotted, renew, "\"OLD\" # s", "\"NEW\" # s"),
        (dotted, keep, ".secret = \"OLD\" # s", &format!(".secrets = {both} # s")),
        (dotted, remove, "clients.a.secret = \"OLD\" # s\nclients.a.scopes = [\"read\"]\n", ""),
        (
            below,
            disable,
            "'a'.secret = \"OLD\"\n",
            "'a'.secret = \"OLD\"\n'a'.enabled = false\n'a'.token_generation = 1795422600000\n",
        ),
        (below, renew, "'a'.secret = \"OLD\"", "'a'.secret = \"NEW\""),
        (below, keep, "'a'.secret = \"OLD\"", &format!("'a'.secrets = {both}")),
        (below, remove, "'a'.secret = \"OLD\"\n", ""),
        (inline, disable, "\"OLD\" }", "\"OLD\", enabled = false, token_generation = 1795422600000 }"),
        (inline, renew, "\"OLD\" }", "\"NEW\" }"),
        (
            inline,
            keep,
            "secret = \"OLD\" }",
            "secrets = [{ id = \"default\", hash = \"OLD\", expires = 2026-11-24T08:30:00Z }, { id = \"2026-11-23\", hash = \"NEW\" }] }",
        ),
        (inline, remove, "a = { secret = \"OLD\" } # a\n", ""),
        (crlf, disable, "# s\r\n", "# s\r\nenabled = false\r\ntoken_generation = 1795422600000\r\n"),
        (crlf, renew, "\"OLD\" # s", "\"NEW\" # s"),
        (crlf, keep, "secret = \"OLD\" # s", &format!("secrets = {} # s", both.replace('\n', "\r\n"))),
        (crlf, remove, "[clients.\"a\"]\r\nsecret = \"OLD\" # s\r\n", ""),
    ];
    for (row, (before, change, old, new)) in table.into_iter().enumerate() {
        let line_end = if before == crlf { "\r\n" } else { "\n" };
        let text = format!("{}{before}", scopes.replace('\n', line_end));
        let fixture = Fixture::new(&text);
        fixture.edit(change).unwrap_or_else(|error| panic!("row {row}: {error}"));
        let wanted = text.replacen(old, new, 1);
        assert_ne!(wanted, text, "row {row} changes nothing");
        fixture.is(&wanted);
        // The names that only look alike are others.
        let ids = ["a.b", "c"].map(|id| fixture.edit(|file| file.set_enabled(id, false, now())).is_ok());
        assert!(ids[0] != ids[1], "row {row}");
    }
}

#[test]
fn a_name_written_twice_is_no_toml_and_is_not_touched() {
    for second in ["clients.\"a\"", "clients.'a'", "clients.\"\\u0061\""] {
        let text =
            format!("[scopes]\nread = \"R\"\n[clients.a]\nsecret = \"OLD\"\n[{second}]\nsecret = \"NEW\"\n");
        let fixture = Fixture::new(&text);
        let error = fixture.add("b").unwrap_err();
        assert!(matches!(error, EditError::Syntax(_)) && error.is_usage(), "{second}: {error}");
        fixture.is(&text);
    }
}

#[test]
fn a_line_that_could_not_stay_as_it_is_is_named() {
    let text = "[scopes]\nread = \"R\"\n[clients.a]\nsecret = \"OLD\"\n[ clients . c ]\nsecret = \"OLD\"\n";
    let fixture = Fixture::new(text);
    let error = fixture.add("b").unwrap_err().to_string();
    assert!(error.contains("gateway.toml:5: ") && error.contains("by hand"), "{error}");
    assert!(!error.contains("argon2"), "{error}");
    fixture.is(text);
}

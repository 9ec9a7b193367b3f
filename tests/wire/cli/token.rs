//! `tollgate token`.

use super::*;

#[test]
fn the_token_command_gets_a_token() {
    let (gateway, address) = with_known_port();
    let dir = gateway.dir();
    fn token<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
        [&["token", "--client", "other", "--secret", SECRET], arguments].concat()
    }
    // The certificate of the gateway is trusted because the configuration names it.
    let output = run_ok(dir, &token(&["--scope", "read"]));
    assert!(
        output.starts_with("tg_") && output.trim_end().len() == 52 && output.lines().count() == 1,
        "{output}"
    );
    let whole = json(dir, &token(&["--scope", "read", "--json"]));
    assert_eq!(
        (&whole["token_type"], &whole["expires_in"], &whole["scope"]),
        (&"bearer".into(), &299.into(), &"read".into())
    );

    // The secret from the environment, and from standard input.
    let arguments = ["token", "--client", "other"];
    for (variable, input) in [(Some(("TOLLGATE_CLIENT_SECRET", SECRET)), ""), (None, &*format!("{SECRET}\n"))]
    {
        let output = with_input(dir, &arguments, variable, input);
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(output.stdout.starts_with("tg_") && !output.all().contains(SECRET), "{output:?}");
    }
    assert!(run_err(dir, 2, &arguments).contains("TOLLGATE_CLIENT_SECRET"));

    // OAuth errors are shown unchanged.
    let output = run_err(dir, 1, &["token", "--client", "other", "--secret", "wrong"]);
    assert!(output.contains("invalid_client") && !output.contains("wrong"), "{output}");
    // Generated secrets may begin with a hyphen.
    assert!(
        run_err(dir, 1, &["token", "--client", "other", "--secret", "-wrong"]).contains("invalid_client")
    );
    assert!(run_err(dir, 1, &token(&["--scope", "admin"])).contains("invalid_scope"));
    assert!(run_err(dir, 2, &["token"]).contains("--client"));

    // In a directory without a configuration, the certificate is unknown.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let url = format!("https://localhost:{}", address.port());
    let far = token(&["--scope", "read", "--url", &url]);
    assert!(run_err(elsewhere.path(), 1, &far).contains("certificate"));
    assert!(run_ok(elsewhere.path(), &[&far[..], &["-k"]].concat()).starts_with("tg_"));
    let whole_url = format!("{url}{TOKEN}");
    assert!(run_ok(dir, &token(&["--url", &whole_url])).starts_with("tg_"));

    // A server that does not speak OAuth, and one that does not respond.
    let output = run_err(dir, 1, &token(&["--url", &format!("{url}/nosuch")]));
    assert!(output.contains("404"), "{output}");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    assert!(run_err(dir, 1, &token(&["--url", &format!("http://{closed}")])).contains("cannot connect"));
    run_err(dir, 2, &token(&["--url", "localhost:8443"]));
}

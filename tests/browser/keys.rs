//! Every key of routes and upstreams, in the forms of the console.

use crate::browser::Javascript;
use crate::console::{Console, file};

pub(crate) async fn of_routes_and_upstreams_can_be_changed(javascript: Javascript) {
    // An owner: only an owner sends the credentials of an upstream to another server.
    // What the forms do not touch keeps its comments and its credentials.
    let credentials = "[upstreams.hello]\n# The key of the API.\ncredentials = { header = \"X-Key\", value = \"sesame\" }\n";
    let text = file().replacen("[upstreams.hello]\n", credentials, 1);
    assert!(text.contains("sesame"), "{text}");
    let console = Console::of(&text);
    let browser = console.signed_in("alice", javascript).await;

    browser.go("/routes").await;
    browser.follow("/hello_world").await;
    browser.follow("Edit").await;
    browser.sees("Edit /hello_world").await;
    browser.fill("Methods", "get, head").await;
    browser.select("Mode", "shadow: refuse nothing, and record what would be refused").await;
    // An error is beside the field that causes it, and nothing that was entered is lost.
    browser.fill("Other keys", "forward_token = true\nallow_semicolons = true").await;
    browser.press("Add to changes").await;
    browser.sees("allow_semicolons").await;
    assert_eq!(browser.value("Methods").await, "GET HEAD");
    browser.fill("Other keys", "forward_token = true\nrequest_headers = { set = { X-Tenant = '7' } }").await;
    browser.fill("Rate limit", "often").await;
    browser.press("Add to changes").await;
    browser.sees("rate_limit: ").await;
    browser.fill("Rate limit", "100/s").await;
    browser.press("Add to changes").await;
    browser.sees("What it grants").await;
    browser.sees("in shadow mode: it forwards requests without a valid token").await;

    // An upstream with a credential that is not shown.
    browser.go("/upstreams").await;
    browser.follow("Edit hello").await;
    browser.sees("Edit hello").await;
    let rest = browser.value("Other keys").await;
    assert!(rest.contains("value = \"hidden:") && !rest.contains("sesame"), "{rest}");
    browser
        .fill("Servers, one a line", "http://127.0.0.1:9\n{ url = 'http://127.0.0.1:19', weight = 0 }")
        .await;
    browser.press("Add to changes").await;
    browser.sees("weight: ").await;
    browser
        .fill("Servers, one a line", "http://127.0.0.1:9\n{ url = 'http://127.0.0.1:19', weight = 3 }")
        .await;
    browser.select("Choice of a server", "random").await;
    browser.fill("Other keys", &format!("{rest}retries = 2\nhealth_check = {{ interval = '7s' }}\n")).await;
    browser.press("Add to changes").await;
    browser.sees("Added to your changes").await;
    browser.sees("probed (a connection) every 7s").await;

    // A new upstream and a new route, which uses keys that have no fields of their own.
    browser.follow("New upstream").await;
    browser.fill("Name", "orders").await;
    browser.fill("Servers, one a line", "http://127.0.0.1:9").await;
    browser.fill("Other keys", "max_in_flight = 64\nmax_queue = 8").await;
    browser.press("Add to changes").await;
    browser.sees("Used by no route").await;
    browser.go("/routes/new").await;
    browser.choose("This path and everything below it").await;
    browser.fill("Path", "/v2").await;
    browser.select("Upstream", "orders").await;
    browser.fill("Other keys", "strip_prefix = '/v3'").await;
    browser.press("Add to changes").await;
    browser.sees("strip_prefix: ").await;
    browser.fill("Other keys", "strip_prefix = '/v2'").await;
    browser.press("Add to changes").await;
    browser.sees("Changes (4)").await;
    browser.fill("Comment", "Every key").await;
    browser.press("Commit").await;
    browser.sees("is committed and in use").await;

    let file = console.file();
    for part in [
        "# The key of the API.\ncredentials = { header = \"X-Key\", value = \"sesame\" }",
        "methods = [\"GET\", \"HEAD\"]\nforward_token = true\nmode = \"shadow\"\nrate_limit = \"100/s\"\n",
        "request_headers = { set = { X-Tenant = \"7\" } }",
        "servers = [\"http://127.0.0.1:9\", { url = \"http://127.0.0.1:19\", weight = 3 }]",
        "balance = \"random\"",
        "retries = 2",
        "health_check = { interval = \"7s\" }",
        "[upstreams.orders]\nservers = [\"http://127.0.0.1:9\"]\nmax_in_flight = 64\nmax_queue = 8\n",
        "prefix = \"/v2\"\nupstream = \"orders\"\nstrip_prefix = \"/v2\"",
    ] {
        assert!(file.contains(part), "{part}\n{file}");
    }
    // The mode that differs from `[server]` can be taken back.
    browser.go("/routes/edit?route=GET,HEAD%20%2Fhello_world").await;
    browser.select("Mode", "as [server] says, which is enforce").await;
    browser.press("Add to changes").await;
    browser.sees("leaves shadow mode").await;
    browser.close().await;
}

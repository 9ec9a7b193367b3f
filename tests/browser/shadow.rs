//! A legacy API moves to tokens: the console says who would be refused, and what would let them pass.

use crate::browser::Javascript;
use crate::console::{Console, users};
use crate::support::config::SECRET;
use crate::support::{Config, TOKEN, Upstream, get, post_form, raw, token_of};

#[tokio::test]
async fn a_proposal_becomes_a_change_and_the_route_is_enforced() {
    let legacy = Upstream::start();
    let file = Config::bare()
        .upstream("legacy", legacy.address())
        .client("report", SECRET, "scopes = [\"write\"]\ndefault_scopes = [\"write\"]")
        .route("prefix = \"/legacy\"\nscopes = [\"read\"]\nupstream = \"legacy\"\nmode = \"shadow\"")
        .text();
    let console = Console::of(&(file + &users()));
    let edgar = console.signed_in("edgar", Javascript::On).await;
    edgar.go("/shadow").await;
    edgar.sees("No request was seen in the last 7 days").await;

    // What has the focus, or is being pressed, stays while the page around it changes.
    let focus = "const [button] = document.querySelectorAll('form[action=\"/routes/mode\"] button'); \
        button.focus(); button.isOld = true";
    edgar.script(focus, vec![]).await;

    // Two callers that would be refused, and none of them is.
    let gateway = console.gateway.plain();
    raw(gateway, get("/legacy/stock", &["User-Agent: inventory/1.0"])).status(200);
    let bearer = |client: &str, secret: &str, scope: &str| {
        let body = format!("grant_type=client_credentials&client_id={client}&client_secret={secret}{scope}");
        format!("Authorization: Bearer {}", token_of(&raw(gateway, post_form(TOKEN, &[], &body))))
    };
    raw(gateway, get("/legacy/report", &[&bearer("report", SECRET, "")])).status(200);

    // The page changes by itself.
    edgar.sees("2 callers would not").await;
    edgar.sees("inventory/1.0").await;
    assert_eq!(edgar.script("return document.activeElement.isOld ?? null", vec![]).await, true);
    console.picture(&edgar, "console-shadow.png").await;
    edgar.press("Add to changes for client report").await;
    edgar.sees("Added to your changes").await;
    edgar.follow("New client inventory").await;
    edgar.sees("Nothing changes for callers until you commit").await;
    edgar.press("Add to changes").await;
    edgar.sees("The secret of inventory").await;
    let secret = edgar.text_of("client-secret").await;
    edgar.go("/shadow").await;
    edgar.press("Add enforcement to changes").await;
    edgar.sees("Changes (3)").await;
    edgar.fill("Comment", "Enforce the legacy API").await;
    edgar.press("Commit").await;
    edgar.sees("is committed and in use").await;
    edgar.close().await;

    // Both callers pass with their tokens, and nobody without one.
    raw(gateway, get("/legacy/stock", &[&bearer("inventory", &secret, "")])).status(403);
    raw(gateway, get("/legacy/stock", &[&bearer("inventory", &secret, "&scope=read")])).status(200);
    raw(gateway, get("/legacy/report", &[&bearer("report", SECRET, "&scope=read")])).status(200);
    raw(gateway, get("/legacy/stock", &[])).status(401);
}

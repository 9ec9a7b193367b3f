//! Several people at one console: roles, refusals, and changes that meet.

use crate::browser::Javascript;
use crate::console::{Console, PASSWORD};

#[tokio::test]
async fn two_operators_and_a_stale_base() {
    let console = Console::start();
    let alice = console.signed_in("alice", Javascript::On).await;
    let edgar = console.signed_in("edgar", Javascript::On).await;
    edgar.go("/scopes").await;
    edgar.fill("Scope", "of-edgar").await;
    edgar.press("Add to changes").await;
    edgar.sees("Changes (1)").await;

    // Alice sees what Edgar prepares, and commits something of her own first.
    alice.go("/changes").await;
    alice.sees("edgar: New scope of-edgar").await;
    alice.go("/scopes").await;
    alice.fill("Scope", "of-alice").await;
    alice.press("Add to changes").await;
    alice.go("/changes").await;
    alice.fill("Comment", "A scope of mine").await;
    alice.press("Commit").await;
    alice.sees("is committed and in use").await;

    // Edgar's draft began on another file: he looks again before he commits, and nothing of Alice's is lost.
    edgar.go("/changes").await;
    edgar.sees("The file was changed after you began").await;
    edgar.press("Apply my changes to the current file").await;
    edgar.sees("Look at what they grant again").await;
    edgar.fill("Comment", "A scope of mine, too").await;
    edgar.press("Commit").await;
    edgar.sees("is committed and in use").await;
    let file = console.file();
    assert!(file.contains("of-alice") && file.contains("of-edgar"), "{file}");
    alice.close().await;
    edgar.close().await;
}

#[tokio::test]
async fn signing_in_refusal_and_roles() {
    let console = Console::start();
    let browser = console.browser(Javascript::On).await;

    // A page leads to the form, and the form back to the page.
    browser.go("/clients").await;
    browser.sees("Sign in").await;
    browser.fill("Name", "vera").await;
    browser.fill("Password", "wrong").await;
    browser.press("Sign in").await;
    browser.sees("The user name or the password is wrong").await;
    browser.fill("Password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.sees("1 client").await;
    assert_eq!(browser.path().await, "/clients");

    // A viewer sees, and changes nothing.
    assert!(!browser.offers("New client").await && !browser.offers("Users").await);
    browser.go("/clients/new").await;
    browser.sees("Forbidden").await;
    browser.go("/clients/show/server").await;
    browser.sees("Routes that it reaches").await;
    assert!(!browser.offers("Add to changes").await && !browser.offers("Reset the secret").await);
    browser.press("Sign out").await;
    browser.sees("Sign in").await;
    browser.go("/").await;
    browser.sees("Sign in").await;

    // An editor changes clients, and no users.
    browser.sign_in("edgar", PASSWORD).await;
    browser.sees("Overview").await;
    assert!(browser.offers("New client").await && !browser.offers("Users").await);
    browser.go("/users").await;
    browser.sees("Forbidden").await;
    // What only an owner may commit, an owner can commit for him.
    browser.go("/upstreams/new").await;
    browser.fill("Name", "metadata").await;
    browser.fill("Servers, one a line", "http://169.254.169.254").await;
    browser.press("Add to changes").await;
    browser.go("/changes").await;
    browser.sees("Only an owner can commit this").await;
    assert!(!browser.offers("Commit").await);
    browser.press("Sign out").await;
    browser.sign_in("alice", PASSWORD).await;
    browser.sees("Overview").await;
    browser.go("/changes").await;
    browser.follow("New upstream metadata").await;
    browser.sees("Changes of edgar").await;
    assert!(browser.offers("Commit").await);

    // All of it is in the audit.
    browser.go("/audit?event=sign-in").await;
    browser.sees("refused").await;
    browser.sees("vera (console)").await;
    browser.close().await;
}

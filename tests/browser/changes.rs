//! A change from the draft to its rollback.

use crate::browser::Javascript;
use crate::console::Console;

/// Draft → difference → commit → confirm → roll back.
pub(crate) async fn draft_commit_confirm_roll_back(javascript: Javascript) {
    let console = Console::start();
    let browser = console.signed_in("edgar", javascript).await;

    // Two operations, and one of them undone.
    browser.go("/clients/show/server").await;
    browser.choose("write").await;
    browser.press("Add to changes").await;
    browser.sees("Added to your changes").await;
    browser.go("/scopes").await;
    browser.fill("Scope", "superfluous").await;
    browser.press("Add to changes").await;
    browser.sees("Changes (2)").await;
    browser.follow("Changes (2)").await;
    browser.press("Undo operation 2").await;
    browser.sees("Undone").await;
    browser.sees("Changes (1)").await;

    // What it grants, widening first, and the difference of the file.
    let text = browser.text().await;
    assert!(text.contains("widens"), "{text}");
    assert!(text.contains("/orders"), "{text}");
    assert!(text.contains("scopes = [\"read\", \"write\"]"), "{text}");
    assert!(!text.contains("superfluous"), "{text}");

    // A commit that is undone before it is confirmed.
    browser.fill("Comment", "Let server write").await;
    browser.select("Confirm within", "5 minutes").await;
    browser.press("Commit").await;
    browser.sees("is not confirmed").await;
    assert!(console.file().contains("scopes = [\"read\", \"write\"]"));
    browser.press("Undo now").await;
    browser.sees("is rolled back").await;
    assert!(!console.file().contains("scopes = [\"read\", \"write\"]"));

    // The same once more, and confirmed.
    browser.go("/clients/show/server").await;
    browser.choose("write").await;
    browser.press("Add to changes").await;
    browser.go("/changes").await;
    browser.fill("Comment", "Let server write after all").await;
    browser.select("Confirm within", "5 minutes").await;
    browser.press("Commit").await;
    browser.sees("is not confirmed").await;
    browser.press("Confirm").await;
    browser.sees("is confirmed and stays in use").await;
    browser.sees("Let server write after all").await;

    // The history leads back to the first version.
    browser.follow("1").await;
    browser.sees("Version 1").await;
    browser.press("Add the rollback to changes").await;
    browser.sees("is in your changes").await;
    browser.sees("narrows").await;
    browser.fill("Comment", "Back to read").await;
    browser.press("Commit").await;
    browser.sees("is committed and in use").await;
    assert!(!console.file().contains("scopes = [\"read\", \"write\"]"));
    browser.close().await;
}

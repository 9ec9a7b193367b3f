//! The console in a real browser: headless Chromium, driven over WebDriver. The tests do what people do (find
//! a field by its label, press a button, read the page) and wait for what the page shows, never for a time.
//!
//! They need Debian's `chromium` and `chromium-driver`; `sh .ci/need chromium chromedriver` installs them.

mod browser;
mod changes;
mod console;
mod keys;
mod operators;
mod pages;
mod registration;
mod shadow;
#[allow(
    dead_code,
    unused_imports,
    clippy::disallowed_methods,
    reason = "shared with the black-box tests, which need more of it; real time, since it starts a process"
)]
#[path = "../support/mod.rs"]
mod support;
mod tutorial;

use browser::Javascript;

/// Runs the paths that must be the same with and without JavaScript.
macro_rules! with_and_without_javascript {
    ($($name:ident = $path:path;)+) => {
        $(mod $name {
            #[tokio::test]
            async fn with_javascript() {
                $path(crate::Javascript::On).await;
            }

            #[tokio::test]
            async fn without_javascript() {
                $path(crate::Javascript::Off).await;
            }
        })+
    };
}

with_and_without_javascript! {
    the_tutorial = crate::tutorial::from_new_client_to_commit;
    a_change = crate::changes::draft_commit_confirm_roll_back;
    a_registration = crate::registration::from_a_token_to_the_end_of_a_client;
    every_key = crate::keys::of_routes_and_upstreams_can_be_changed;
}

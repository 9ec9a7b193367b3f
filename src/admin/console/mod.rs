//! The console: pages for operators, made on the server. They work without JavaScript: links and forms, and each form
//! answers with a redirect to the page that shows what it did.
//!
//! [`view`] has the templates and what they show, [`pages`] a file for each section, which reads the running gateway and the
//! draft of the user and translates forms into operations.

mod assets;
mod live;
mod pages;
mod problem_pages;
mod series;
mod state;
mod view;
mod visit;
mod wording;

use axum::routing::{get, post};
use axum::{Extension, Router, middleware};

use self::pages::{client, clients, explain, overview, routes, scopes, sign_in, upstreams};
use super::state::AdminState;

/// Makes the routes of the pages, and starts to observe the traffic.
pub(super) fn router(admin: &AdminState) -> Router<AdminState> {
    let console = state::Console::start(admin);
    Router::new()
        .route("/", get(overview::show))
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-out", post(sign_in::leave))
        .route("/clients", get(clients::show))
        .route("/clients/show/{id}", get(client::show))
        .route("/scopes", get(scopes::show))
        .route("/routes", get(routes::matrix))
        .route("/routes/show", get(routes::show))
        .route("/explain", get(explain::show))
        .route("/upstreams", get(upstreams::show))
        .route("/live", get(live::stream))
        .layer(middleware::from_fn_with_state(admin.clone(), problem_pages::show_problems))
        .layer(Extension(console))
        .route("/assets/{digest}/{name}", get(assets::serve))
}

//! The console: pages for operators, rendered on the server. They work without JavaScript, with links and
//! forms. The response to each form redirects to the page that shows the result.
//!
//! [`view`] contains the templates and the data that they show. [`pages`] contains a file for each section,
//! which reads the running gateway and the user's draft, and translates forms into operations.

mod assets;
mod live;
mod own_changes;
mod pages;
mod problem_pages;
pub(in crate::admin) mod series;
mod state;
mod view;
mod visit;
mod wording;
mod workspace;

use axum::{Extension, Router, middleware};

use self::pages::{
    audit, changes, client, clients, explain, history, new_client, overview, registered, registration,
    route_form, routes, scopes, secret, setup, shadow, sign_in, upstream_form, upstreams, users, versions,
};
use super::endpoint::{endpoint, get, post};
use super::problem::Problem;
use super::state::AdminState;

/// Makes the routes of the pages, and starts to sample the traffic.
pub(super) fn router(admin: &AdminState) -> Router<AdminState> {
    let console = state::Console::start(admin);
    Router::new()
        .route("/", get(overview::show))
        .route("/sign-in", get(sign_in::show).merge(post(sign_in::submit)))
        .route("/sign-out", post(sign_in::leave))
        .route("/setup", get(setup::show).merge(post(setup::submit)))
        .route("/clients", get(clients::show))
        .route("/clients/new", get(new_client::show).merge(post(new_client::submit)))
        .route("/clients/secret", get(secret::show))
        .route("/clients/show/{id}", get(client::show))
        .route("/clients/show/{id}/edit", post(client::edit))
        .route("/clients/show/{id}/reset-secret", post(client::reset_secret))
        .route("/clients/show/{id}/drop-secret", post(client::drop_secret))
        .route("/clients/show/{id}/revoke-tokens", post(client::revoke_tokens))
        .route("/clients/show/{id}/remove", post(client::remove))
        .route("/clients/registration", get(registration::show))
        .route("/clients/registration/token", get(registration::token))
        .route("/clients/registration/tokens", post(registration::add))
        .route("/clients/registration/tokens/remove", post(registration::remove))
        .route("/clients/registered/{id}", get(registered::show))
        .route("/clients/registered/{id}/state", post(registered::set_state))
        .route("/clients/registered/{id}/revoke-tokens", post(registered::revoke_tokens))
        .route("/scopes", get(scopes::show).merge(post(scopes::add)))
        .route("/scopes/describe", post(scopes::describe))
        .route("/scopes/remove", post(scopes::remove))
        .route("/routes", get(routes::matrix))
        .route("/routes/new", get(route_form::new).merge(post(route_form::add)))
        .route("/routes/edit", get(route_form::edit).merge(post(route_form::set)))
        .route("/routes/show", get(routes::show))
        .route("/routes/mode", post(routes::set_mode))
        .route("/routes/remove", post(routes::remove))
        .route("/explain", get(explain::show))
        .route("/changes", get(changes::show))
        .route("/changes/undo", post(changes::undo))
        .route("/changes/discard", post(changes::discard))
        .route("/changes/discard-damaged", post(changes::discard_damaged))
        .route("/changes/rebase", post(changes::rebase))
        .route("/changes/commit", post(changes::commit))
        .route("/history", get(history::show))
        .route("/history/compare", get(versions::compare))
        .route("/history/{number}", get(versions::show))
        .route("/history/{number}/confirm", post(versions::confirm))
        .route("/history/{number}/undo", post(versions::undo))
        .route("/history/{number}/rollback", post(versions::roll_back))
        .route("/upstreams", get(upstreams::show))
        .route("/upstreams/new", get(upstream_form::new).merge(post(upstream_form::add)))
        .route("/upstreams/edit", get(upstream_form::edit).merge(post(upstream_form::set)))
        .route("/upstreams/remove", post(upstream_form::remove))
        .route("/shadow", get(shadow::show))
        .route("/shadow/propose", post(shadow::propose))
        .route("/audit", get(audit::show))
        .route("/users", get(users::show).merge(post(users::add)))
        .route("/users/role", post(users::set_role))
        .route("/users/password", post(users::set_password))
        .route("/users/remove", post(users::remove))
        .route("/live", get(live::stream))
        .fallback(endpoint(async || Problem::not_found("there is nothing at this path")))
        .layer(middleware::from_fn_with_state(admin.clone(), problem_pages::show_problems))
        .layer(Extension(console))
        .route("/assets/{digest}/{name}", get(assets::serve))
}

//! The OpenAPI description of the API. The tests generate it from the code and compare it with the file that
//! is served, so that the program does not carry the generator.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

const DOCUMENT: &str = include_str!("openapi.json");

/// Describes the API (OpenAPI 3.1). It is public.
pub(super) async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
    use utoipa::{Modify, OpenApi};

    use super::super::{
        access, audit, clients, commits, drafts, history, live, previews, questions, registered, routes,
        scopes, shadow, status, tokens, upstreams,
    };

    #[derive(OpenApi)]
    #[openapi(
        info(title = "Tollgate", description = "The API for operators of a Tollgate gateway."),
        servers((url = "/api/v1")),
        security(("token" = [])),
        modifiers(&Bearer),
        paths(
            status::status,
            status::reload,
            live::live,
            scopes::list,
            routes::list,
            upstreams::list,
            access::matrix_page,
            clients::list,
            clients::one,
            registered::list,
            tokens::list,
            tokens::revoke,
            questions::explain,
            questions::check,
            drafts::list,
            drafts::begin,
            drafts::damaged,
            drafts::one,
            drafts::rename,
            drafts::discard,
            drafts::add,
            drafts::remove_operation,
            drafts::rebase,
            previews::grants,
            previews::diff,
            previews::text,
            previews::patch,
            commits::commit,
            commits::change,
            history::list,
            history::one,
            history::confirm,
            history::undo,
            history::roll_back,
            audit::list,
            shadow::list,
            shadow::proposals,
        )
    )]
    struct Description;

    /// Adds the authentication scheme of the API.
    struct Bearer;

    impl Modify for Bearer {
        fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
            let about = "A token of this gateway's own token endpoint with the scope tollgate:admin.read or \
                tollgate:admin.write.";
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build();
            let components = openapi.components.get_or_insert_default();
            components.add_security_scheme("token", SecurityScheme::Http(scheme));
        }
    }

    /// Joins the lines of what is nested deeper than an operation or a schema. The indentation would be half of
    /// the document, and the program carries it.
    fn a_line_for_each_operation(pretty: &str) -> String {
        const OPERATION: usize = 6;
        let mut text = String::new();
        for line in pretty.lines() {
            let content = line.trim_start();
            let indent = line.len() - content.len();
            let is_inner = indent > OPERATION || (indent == OPERATION && content.starts_with(['}', ']']));
            if is_inner {
                text.push_str(content);
            } else {
                text.push('\n');
                text.push_str(line);
            }
        }
        text.trim_start().to_owned() + "\n"
    }

    /// `TOLLGATE_BLESS=1` writes the file.
    #[test]
    fn the_file_that_is_served_is_what_the_code_says() {
        let generated = a_line_for_each_operation(&Description::openapi().to_pretty_json().unwrap());
        if std::env::var_os("TOLLGATE_BLESS").is_some() {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/admin/api/openapi.json");
            std::fs::write(file, generated).unwrap();
        } else {
            assert!(
                generated == super::DOCUMENT,
                "run TOLLGATE_BLESS=1 cargo test --all-features --lib openapi"
            );
        }
    }

    #[test]
    fn the_description_is_complete() {
        let document: serde_json::Value = serde_json::from_str(super::DOCUMENT).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        assert!(document["paths"]["/clients/{id}/tokens"]["get"].is_object(), "{document:#}");
    }
}

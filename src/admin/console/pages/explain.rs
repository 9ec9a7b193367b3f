//! The page that explains why a request is accepted or refused. The decision comes from the function that
//! decides about real requests.

use http::Method;

use super::routes::excerpt;
use crate::access::explain::{Credential, Explanation, Report, SampleRequest, Target, Verdict, explain};
use crate::admin::console::view::access::{ExplainPage, Explained};
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::{Choice, Term, Tone};
use crate::admin::console::visit::{Answer, Visit};
use crate::admin::problem::Problem;
use crate::config::Config;

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Shows the form, and the answer if the form was submitted.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    let [method, url, client] = ["method", "url", "client"].map(|name| visit.query.value(name));
    // The form has the clients of the file, and the registered client that the address names.
    let config = visit.admin.config_with_registered(client);
    let mut errors = Errors::default();
    let answer =
        if url.is_empty() { None } else { answer(&visit, &config, method, url, client, &mut errors)? };
    let page = ExplainPage {
        errors,
        methods: METHODS.map(|known| Choice::new(known, "", known == method)).into(),
        url: url.to_owned(),
        clients: config
            .clients
            .iter()
            .map(|known| Choice::new(known.id.as_str(), "", known.id.as_str() == client))
            .collect(),
        answer,
        frame: visit.frame(Section::Explain, "Explain a request"),
    };
    visit.page(&page)
}

fn answer(
    visit: &Visit,
    config: &Config,
    method: &str,
    url: &str,
    client: &str,
    errors: &mut Errors,
) -> Result<Option<Explained>, Problem> {
    let target = match Target::parse(url) {
        Ok(target) => target,
        Err(why) => {
            errors.add("url", why);
            return Ok(None);
        }
    };
    let credential = match config.client(client) {
        Some(client) => {
            Credential::Client { id: client.id.to_string(), scopes: client.scopes.clone(), audience: None }
        }
        None => Credential::None,
    };
    let method = METHODS.iter().find(|known| **known == method).unwrap_or(&"GET");
    let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
    let request =
        SampleRequest { method, target, credential, from: None, origin: None, request_method: None, body: 0 };
    let explanation = explain(config, &request, |config| visit.admin.control().rules(config));
    let explanation = explanation.map_err(|error| {
        log::error!("a request cannot be explained: {error}");
        Problem::internal()
    })?;
    Ok(Some(explained(&Report { config, request: &request, explanation })))
}

fn explained(report: &Report<'_>) -> Explained {
    let Explanation { verdict, route, enforced, .. } = &report.explanation;
    let decisive = enforced.as_ref().unwrap_or(verdict);
    let tone = match verdict {
        Verdict::Passes { .. } if enforced.is_some() => Tone::Warn,
        Verdict::Passes { .. } => Tone::Good,
        Verdict::Endpoint(_) | Verdict::Preflight { allowed: true } => Tone::Plain,
        Verdict::Refused { .. } | Verdict::Preflight { allowed: false } => Tone::Bad,
    };
    let remedies = match decisive {
        Verdict::Refused { setting: Some(setting), .. } => vec![report.remedy(setting)],
        _ => Vec::new(),
    };
    let is_step = |(name, _): &(&str, String)| !matches!(*name, "verdict" | "setting");
    let (place, text) = route.map(|route| excerpt(report.config, route)).unwrap_or_default();
    Explained {
        tone,
        verdict: match enforced {
            None => report.verdict(verdict),
            Some(enforced) => format!("passes (shadow); enforced: {}", report.verdict(enforced)),
        },
        why: match enforced {
            None => String::new(),
            Some(_) => format!("{}, without its credentials", report.verdict(verdict)),
        },
        remedies,
        steps: report
            .rows()
            .into_iter()
            .filter(is_step)
            .map(|(name, value)| Term::new(name, value))
            .collect(),
        place,
        text,
    }
}

//! What the record notes while the request is authorized.

use std::sync::Arc;

use super::logged::set;
use super::reasons::denial_reason;
use super::{RequestRecord, security};
use crate::proxy::observer::{Denied, RequestObserver};
use crate::proxy::route::Route;
use crate::proxy::shadow::access::Judged;
use crate::shadow::{Refusal, Seen};
use crate::telemetry::Meter;
use crate::telemetry::tracing::Trace;

impl RequestObserver for RequestRecord {
    #[inline]
    fn on_target(&mut self, host: &str, path: &str) {
        if let Some(logged) = self.logged() {
            set(&mut logged.host, host);
            logged.host.make_ascii_lowercase();
            set(&mut logged.path, path);
        }
    }

    #[inline]
    fn on_route(&mut self, route: &Arc<Route>) {
        // The route is usually the last one. Its reference count, which all threads share, is then not
        // written.
        if !self.route.as_ref().is_some_and(|last| Arc::ptr_eq(last, route)) {
            self.route = Some(Arc::clone(route));
        }
        self.routed = true;
    }

    #[inline]
    fn on_permit(&mut self, client: Option<&str>) {
        if let Some(logged) = self.logged() {
            set(&mut logged.client_id, client.unwrap_or_default());
        }
    }

    fn on_denial(&mut self, denied: &Denied<'_>) {
        // The client of a token that is valid has authenticated, even if the token is not good enough here.
        let client = denied.client.filter(|_| denied.denial.is_about_valid_token());
        if let (Some(client), Some(logged)) = (client, self.logged()) {
            set(&mut logged.client_id, client);
        }
        let route = self.meter().map(Meter::name);
        security::denied(denied, route, self.request_id());
    }

    fn on_shadow(&mut self, judged: &Judged<'_>) {
        let Judged { learned, denial, client, address, user_agent, now } = *judged;
        let reason = denial.map(denial_reason);
        if let Some(reason) = reason {
            learned.count_refusal(reason);
            if let Some(logged) = self.logged() {
                logged.shadow = Some(reason);
            }
        }
        let refused = denial.and_then(Refusal::of);
        // If the store cannot answer, nothing is known about the caller.
        if refused.is_some() || denial.is_none() {
            learned.learn(&Seen { client, address, user_agent, refused, now });
        }
    }

    fn trace_context(&self) -> Option<(&[u8], Option<&[u8]>)> {
        let logged = self.logged.as_deref().filter(|_| self.is_logged)?;
        logged.trace.as_ref().map(Trace::context)
    }

    #[inline]
    fn request_id(&self) -> Option<&[u8]> {
        (!self.id.is_empty()).then_some(&*self.id)
    }
}

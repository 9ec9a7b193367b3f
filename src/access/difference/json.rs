//! Differences in access as JSON, for scripts.

use serde_json::{Value, json};

use super::Change;

impl Change {
    /// Returns the difference as an object. `change` names the kind of difference, `widens` says whether
    /// access gets wider, `text` describes the difference in words, and the other members name what it
    /// concerns.
    pub(crate) fn to_json(&self) -> Value {
        let (kind, mut object) = match self {
            Self::BecomesPublic { route } => ("becomes_public", json!({ "route": route })),
            Self::BecomesProtected { route, needs } => {
                ("becomes_protected", json!({ "route": route, "needs": needs }))
            }
            Self::BecomesShadow { route } => ("becomes_shadow", json!({ "route": route })),
            Self::BecomesEnforced { route, needs } => {
                ("becomes_enforced", json!({ "route": route, "needs": needs }))
            }
            Self::RouteRemoved { route } => ("route_removed", json!({ "route": route })),
            Self::Redirected { route, before, after } => {
                ("redirected", json!({ "route": route, "before": before, "after": after }))
            }
            Self::ClientTermsChanged { client, added, removed, .. } => {
                ("client_terms_changed", json!({ "client": client, "added": added, "removed": removed }))
            }
            Self::GatewayTermsChanged { added, removed, .. } => {
                ("gateway_terms_changed", json!({ "added": added, "removed": removed }))
            }
            Self::TermsChanged { route, added, removed, .. } => {
                ("terms_changed", json!({ "route": route, "added": added, "removed": removed }))
            }
            Self::Gained { client, route } => ("gained", json!({ "client": client, "route": route })),
            Self::Lost { client, route } => ("lost", json!({ "client": client, "route": route })),
            Self::SenderConstraint { client, before, after } => (
                "sender_constraint",
                json!({ "client": client, "before": before.names(), "after": after.names() }),
            ),
            Self::MayIntrospect { client } => ("may_introspect", json!({ "client": client })),
            Self::MayNotIntrospect { client } => ("may_not_introspect", json!({ "client": client })),
            Self::CredentialAdded { client, credential } => {
                ("credential_added", json!({ "client": client, "credential": credential }))
            }
            Self::CredentialRemoved { client, credential } => {
                ("credential_removed", json!({ "client": client, "credential": credential }))
            }
            Self::Registration(change) => {
                let (subject, name) = change.subject.parts();
                let (before, after) = (&change.before, &change.after);
                let object = json!({ "subject": subject, "name": name, "before": before, "after": after });
                ("registration_changed", object)
            }
        };
        object["change"] = json!(kind);
        object["widens"] = json!(self.widens());
        object["text"] = json!(self.to_string());
        object
    }
}

//! The audit log.

use askama::Template;

use super::frame::Frame;
use super::parts::Badge;

/// Audit events, the newest first.
#[derive(Debug, Template)]
#[template(path = "audit.html")]
pub(crate) struct AuditPage {
    pub(crate) frame: Frame,
    pub(crate) actor: String,
    pub(crate) event: String,
    pub(crate) rows: Vec<AuditRow>,
    pub(crate) next: Option<String>,
}

/// An audit event.
#[derive(Debug)]
pub(crate) struct AuditRow {
    pub(crate) when: String,
    pub(crate) actor: String,
    pub(crate) address: String,
    pub(crate) event: String,
    pub(crate) object: String,
    pub(crate) outcome: Badge,
}

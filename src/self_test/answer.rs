//! The response to a request, in any protocol.

/// The maximum number of bytes of a response that are read. The rest of an API's response does not matter.
pub(super) const MAX_ANSWER: usize = 256 * 1024;

/// What came back on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    /// The number of final responses.
    pub(super) responses: usize,
}

/// The first final response, or what happened instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Response(Response),
    /// The gateway closed the connection or reset the stream without a response, as for a malformed request.
    Ended,
    /// Whether the request was forwarded is not known, for this reason.
    Unclear(String),
}

impl Outcome {
    /// The API may be working on the request.
    pub(super) fn silence() -> Self {
        Self::Unclear("no response in time".to_owned())
    }
}

/// A final response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    /// Names and values.
    pub(super) fields: Vec<(String, String)>,
    /// The beginning of the body, and over HTTP/1.1 everything that follows it.
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Returns the status of the first final response.
    pub(super) fn status(&self) -> Option<u16> {
        match &self.outcome {
            Outcome::Response(response) => Some(response.status),
            Outcome::Ended | Outcome::Unclear(_) => None,
        }
    }

    /// Returns whether the gateway itself refused the request, or what happened instead. `foreign` also counts
    /// the refusals of others.
    pub(super) fn refusal(&self, foreign: bool) -> Result<(), String> {
        let response = match &self.outcome {
            Outcome::Response(response) => response,
            Outcome::Ended => return Ok(()),
            Outcome::Unclear(how) => return Err(how.clone()),
        };
        let status = response.status;
        if !(400..500).contains(&status) && !matches!(status, 501 | 503 | 505) {
            return Err(self.describe());
        }
        // The response to HEAD or to a malformed head may have no body, but it has these fields.
        let is_ours = response.has_field("x-content-type-options", "nosniff")
            && response.has_field("cache-control", "no-store")
            && (response.has_field("content-type", "application/problem+json")
                || response.has_field("content-type", "application/json"));
        // The layer of HTTP/2 refuses a head that is too large before the gateway sees it. Every response of an
        // API has fields.
        let is_bare = status == 431 && response.fields.is_empty() && response.body.is_empty();
        if is_ours || is_bare || foreign {
            Ok(())
        } else {
            Err(format!("{}, which is not the gateway's", self.describe()))
        }
    }

    pub(super) fn describe(&self) -> String {
        self.status().map_or("no response".to_owned(), |status| format!("status {status}"))
    }

    /// Returns whether the response shows a text, in its head or in its body.
    pub(super) fn contains(&self, text: &str) -> bool {
        let Outcome::Response(response) = &self.outcome else { return false };
        response.fields.iter().any(|(_, value)| value.contains(text))
            || memchr::memmem::find(&response.body, text.as_bytes()).is_some()
    }
}

impl Response {
    /// Returns whether there is a field whose value begins with `value`.
    fn has_field(&self, name: &str, value: &str) -> bool {
        self.fields.iter().any(|(found, content)| {
            found.eq_ignore_ascii_case(name) && content.trim().to_ascii_lowercase().starts_with(value)
        })
    }
}

//! The frame of every page: the header, the navigation, notices.

use askama::Template;
use askama::filters::HtmlSafe;

use super::parts::{Link, Tone};

/// The data of the layout.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// The title of the page.
    pub(crate) title: String,
    /// The section that the navigation marks.
    pub(crate) section: Section,
    /// The path and query of this page.
    pub(crate) here: String,
    /// A name of the gateway that tells it apart from others.
    pub(crate) gateway: String,
    /// The state of the configuration file.
    pub(crate) file: FileState,
    /// The number of operations in the user's draft.
    pub(crate) changes: usize,
    /// The signed-in user, or `None` on the pages for signing in.
    pub(crate) user: Option<SignedIn>,
    /// The form token, which each form sends back.
    pub(crate) token: String,
    /// The addresses of the style sheet, the script and the icon.
    pub(crate) assets: Assets,
    /// Messages above the content.
    pub(crate) notices: Vec<Notice>,
    /// The commit that is rolled back unless it is confirmed.
    pub(crate) pending: Option<Pending>,
    /// Whether parts of the page update automatically.
    pub(crate) is_live: bool,
    /// The interval in seconds at which the browser reloads the page, without JavaScript.
    pub(crate) refresh: Option<u32>,
}

impl Frame {
    /// Returns the part of the page before its content.
    pub(crate) fn start(&self) -> Start<'_> {
        Start { frame: self }
    }

    /// Returns the part of the page after its content.
    pub(crate) fn end(&self) -> End<'_> {
        End { frame: self }
    }

    /// Returns whether the user may change the configuration.
    pub(crate) fn can_edit(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.can_edit)
    }

    /// Returns the sections that the user may open.
    pub(crate) fn sections(&self) -> Vec<Group> {
        use Section as S;
        let mut groups = vec![
            Group { name: "", sections: vec![S::Overview] },
            Group { name: "Access", sections: vec![S::Clients, S::Scopes, S::Routes, S::Explain] },
            Group { name: "Configuration", sections: vec![S::Changes, S::History] },
            Group { name: "Operation", sections: vec![S::Upstreams, S::Shadow, S::Audit] },
        ];
        if self.user.as_ref().is_some_and(|user| user.is_owner) {
            groups.push(Group { name: "Console", sections: vec![S::Users] });
        }
        groups
    }

    /// Returns the address of this page with an automatic refresh.
    pub(crate) fn refresh_url(&self) -> String {
        let separator = if self.here.contains('?') { '&' } else { '?' };
        format!("{}{separator}refresh=10", self.here)
    }
}

/// The part of a page before its content.
#[derive(Template)]
#[template(path = "layout_start.html")]
pub(crate) struct Start<'a> {
    frame: &'a Frame,
}

/// The part of a page after its content.
#[derive(Template)]
#[template(path = "layout_end.html")]
pub(crate) struct End<'a> {
    frame: &'a Frame,
}

// These are HTML whose values are escaped already.
impl HtmlSafe for Start<'_> {}
impl HtmlSafe for End<'_> {}

/// The sections of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// The section of a page that is not in the navigation.
    None,
    Overview,
    Clients,
    Scopes,
    Routes,
    Explain,
    Changes,
    History,
    Upstreams,
    Shadow,
    Audit,
    Users,
}

impl Section {
    /// Returns the name in the navigation.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Overview => "Overview",
            Self::Clients => "Clients",
            Self::Scopes => "Scopes",
            Self::Routes => "Routes",
            Self::Explain => "Explain",
            Self::Changes => "Changes",
            Self::History => "History",
            Self::Upstreams => "Upstreams",
            Self::Shadow => "Shadow",
            Self::Audit => "Audit",
            Self::Users => "Users",
        }
    }

    /// Returns the path of the section's first page.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::None | Self::Overview => "/",
            Self::Clients => "/clients",
            Self::Scopes => "/scopes",
            Self::Routes => "/routes",
            Self::Explain => "/explain",
            Self::Changes => "/changes",
            Self::History => "/history",
            Self::Upstreams => "/upstreams",
            Self::Shadow => "/shadow",
            Self::Audit => "/audit",
            Self::Users => "/users",
        }
    }
}

/// Sections that belong together.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) sections: Vec<Section>,
}

/// The state of the configuration file, in a few words.
#[derive(Debug, Clone)]
pub(crate) struct FileState {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// The user of the session.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) can_edit: bool,
    pub(crate) is_owner: bool,
}

/// The addresses of what a page loads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Assets {
    pub(crate) style: &'static str,
    pub(crate) script: &'static str,
    pub(crate) icon: &'static str,
}

/// A message above the content.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) tone: Tone,
    pub(crate) text: String,
    pub(crate) lines: Vec<String>,
    pub(crate) link: Option<Link>,
}

impl Notice {
    /// A message of one sentence.
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into(), lines: Vec::new(), link: None }
    }
}

/// A commit that awaits confirmation.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) version: u64,
    /// The deadline: as RFC 3339, in seconds since 1970, and as a time of day.
    pub(crate) deadline: String,
    pub(crate) deadline_unix: u64,
    pub(crate) at: String,
    /// The remaining time, as `4:12`.
    pub(crate) left: String,
}

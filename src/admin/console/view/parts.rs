//! Small parts that several pages show.

/// The meaning of a colour. The same meaning is always expressed in words too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warn,
    Plain,
}

impl Tone {
    /// Returns the class of the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Plain => "plain",
        }
    }

    /// Returns whether screen readers should announce the message at once.
    pub(crate) fn is_problem(self) -> bool {
        self == Self::Bad
    }
}

/// A state in a word or two.
#[derive(Debug, Clone)]
pub(crate) struct Badge {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

impl Badge {
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }
}

/// A link.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) url: String,
    pub(crate) text: String,
}

/// A name and a value of a definition list.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Term {
    pub(crate) fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// One of several values of a form.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) text: String,
    pub(crate) chosen: bool,
}

impl Choice {
    pub(crate) fn new(value: impl Into<String>, text: impl Into<String>, chosen: bool) -> Self {
        Self { value: value.into(), text: text.into(), chosen }
    }
}

/// A line of a difference between two texts.
#[derive(Debug, Clone)]
pub(crate) struct DiffLine {
    pub(crate) kind: DiffKind,
    pub(crate) text: String,
}

/// The kind of a line in a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiffKind {
    Added,
    Removed,
    Same,
    /// Equal lines were left out here.
    Skipped,
}

impl DiffLine {
    pub(crate) fn class(&self) -> &'static str {
        match self.kind {
            DiffKind::Added => "added",
            DiffKind::Removed => "removed",
            DiffKind::Same => "same",
            DiffKind::Skipped => "skipped",
        }
    }

    pub(crate) fn sign(&self) -> &'static str {
        match self.kind {
            DiffKind::Added => "+",
            DiffKind::Removed => "−",
            DiffKind::Same => " ",
            DiffKind::Skipped => "⋯",
        }
    }
}

/// One consequence of a change, in words.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) effect: Effect,
    pub(crate) text: String,
}

/// Whether a change makes access wider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Widens,
    Narrows,
}

impl Grant {
    pub(crate) fn class(&self) -> &'static str {
        match self.effect {
            Effect::Widens => "widens",
            Effect::Narrows => "narrows",
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self.effect {
            Effect::Widens => "widens",
            Effect::Narrows => "narrows",
        }
    }
}

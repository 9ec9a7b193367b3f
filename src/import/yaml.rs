//! YAML and JSON, which is a subset of it, as a tree whose every node knows its position.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::error::ImportError;
use crate::config::Position;

/// The most nodes of a document. Aliases count as often as they are used, so a small file cannot become a
/// large tree.
const MAX_NODES: usize = 4_000_000;
/// The deepest nesting.
const MAX_DEPTH: usize = 100;

/// A value with its position.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A string, number, boolean or null, as it is written. `plain` means that it has no quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    /// In the order of the file.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// Reads the first document of a text.
    pub(super) fn parse(text: &str) -> Result<Self, ImportError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = without_surrogates(text);
        let mut reader = Reader { parser: Parser::new_from_str(&text), anchors: HashMap::new(), nodes: 0 };
        loop {
            let (event, span) = reader.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd | Event::DocumentEnd => return Err(ImportError::new("the file is empty")),
                event => return reader.node(event, span, 0),
            }
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match self.text()? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(&**text, "" | "~" | "null"))
    }

    pub(super) fn is_mapping(&self) -> bool {
        matches!(self.value, Value::Mapping(_))
    }

    /// Returns the elements of a sequence. Other values have no elements.
    pub(super) fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// Returns the elements of a sequence, or a single scalar as a sequence of one: many formats accept both.
    pub(super) fn one_or_more(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            Value::Scalar { .. } if !self.is_null() => std::slice::from_ref(self),
            _ => &[],
        }
    }

    /// Returns the entries of a mapping whose keys are scalars. Other values have no entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, Position, &Node)> {
        let entries: &[(Node, Node)] = match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        };
        entries.iter().filter_map(|(key, value)| Some((key.text()?, key.position, value)))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.entries().find(|(key, _, _)| *key == name).map(|(_, _, value)| value)
    }

    /// Returns the texts of an entry that is one scalar or a sequence of scalars.
    pub(super) fn texts_of(&self, name: &str) -> Vec<String> {
        let nodes = self.get(name).map(Self::one_or_more).unwrap_or_default();
        nodes.iter().filter_map(|node| node.text().map(str::to_owned)).collect()
    }

    /// Returns the text of an entry.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|node| !node.is_null())?.text()
    }
}

/// Returns a JSON text with YAML's escapes for characters that JSON writes as two surrogates (RFC 8259 §7): YAML has
/// no surrogates. Columns behind such a character are two too small.
fn without_surrogates(text: &str) -> Cow<'_, str> {
    let is_json = text.trim_start().starts_with('{');
    if !is_json || !(text.contains("\\ud") || text.contains("\\uD")) {
        return Cow::Borrowed(text);
    }
    let (mut result, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        result.push_str(before);
        let unit = |from: usize| {
            let digits = escape.get(from..from + 6)?.strip_prefix("\\u")?;
            digits
                .bytes()
                .all(|digit| digit.is_ascii_hexdigit())
                .then(|| u16::from_str_radix(digits, 16).ok())?
        };
        let units = unit(0).map(|first| [Some(first), unit(6)].into_iter().flatten());
        let character = units.and_then(|units| char::decode_utf16(units).next());
        let length = match (unit(0), character) {
            // A surrogate without its other half stands for no character.
            (Some(0xd800..=0xdfff), Some(Err(_))) => {
                result.push('\u{fffd}');
                6
            }
            (Some(0xd800..=0xdbff), Some(Ok(character))) => {
                result.push_str(&format!("\\U{:08X}", u32::from(character)));
                12
            }
            // Two bytes, so that the second backslash of `\\\\` does not begin an escape.
            _ => {
                let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
                result.push_str(escape.get(..length).unwrap_or(escape));
                length
            }
        };
        rest = escape.get(length..).unwrap_or_default();
    }
    result.push_str(rest);
    Cow::Owned(result)
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), ImportError> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let at = position(error.marker().line(), error.marker().col());
                Err(ImportError::at(at, format!("this is not YAML or JSON: {}", error.info())))
            }
            None => Err(ImportError::new("the file ends in the middle of a value")),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, ImportError> {
        let at = position(span.start.line(), span.start.col());
        self.count(1, at)?;
        if depth > MAX_DEPTH {
            return Err(ImportError::at(at, format!("values are nested deeper than {MAX_DEPTH} levels")));
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, _) => {
                (anchor, Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain })
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break (anchor, Value::Sequence(items));
                    }
                    items.push(self.node(event, span, depth + 1)?);
                }
            }
            Event::MappingStart(anchor, _) => {
                let mut entries = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::MappingEnd) {
                        break (anchor, Value::Mapping(entries));
                    }
                    let key = self.node(event, span, depth + 1)?;
                    let (event, span) = self.next()?;
                    let value = self.node(event, span, depth + 1)?;
                    entries.push((key, value));
                }
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| ImportError::at(at, "an alias refers to itself"))?;
                self.count(size(&node), at)?;
                return Ok(node);
            }
            other => return Err(ImportError::at(at, format!("a value is expected here, not {other:?}"))),
        };
        let node = Node { position: at, value };
        if anchor != 0 {
            self.count(size(&node), at)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, nodes: usize, at: Position) -> Result<(), ImportError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(ImportError::at(at, format!("the file has more than {MAX_NODES} values")));
        }
        Ok(())
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar { .. } => 0,
        Value::Sequence(items) => items.iter().map(size).sum(),
        Value::Mapping(entries) => entries.iter().map(|(key, value)| size(key) + size(value)).sum(),
    }
}

/// The parser counts lines from one and columns from zero.
fn position(line: usize, column: usize) -> Position {
    let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
    Position::new(number(line), number(column).saturating_add(1))
}

//! nginx's syntax: words, blocks and comments.

use crate::config::Position;
use crate::import::error::ImportError;

/// The deepest nesting of blocks.
const MAX_DEPTH: usize = 32;

/// `name argument … ;` or `name argument … { … }`.
#[derive(Debug)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) block: Option<Vec<Directive>>,
    pub(super) position: Position,
}

impl Directive {
    /// The directives of its block.
    pub(super) fn inner(&self) -> &[Directive] {
        self.block.as_deref().unwrap_or_default()
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    End,
    Open,
    Close,
}

pub(super) fn parse(text: &str) -> Result<Vec<Directive>, ImportError> {
    let mut tokens = tokens(text)?.into_iter();
    block(&mut tokens, 0, None)
}

fn block(
    tokens: &mut impl Iterator<Item = (Token, Position)>,
    depth: usize,
    opened: Option<Position>,
) -> Result<Vec<Directive>, ImportError> {
    let mut directives = Vec::new();
    let mut words: Vec<(String, Position)> = Vec::new();
    while let Some((token, at)) = tokens.next() {
        let block = match token {
            Token::Word(word) => {
                words.push((word, at));
                continue;
            }
            Token::End => None,
            Token::Open if depth < MAX_DEPTH => Some(block(tokens, depth + 1, Some(at))?),
            Token::Open => return Err(ImportError::at(at, "blocks are nested too deeply")),
            Token::Close if opened.is_some() && words.is_empty() => return Ok(directives),
            Token::Close => {
                return Err(ImportError::at(at, "this } has no matching {, or a ; is missing before it"));
            }
        };
        let mut words = words.drain(..);
        let Some((name, position)) = words.next() else {
            return Err(ImportError::at(at, "a directive has no name"));
        };
        directives.push(Directive {
            name,
            arguments: words.map(|(word, _)| word).collect(),
            block,
            position,
        });
    }
    match (words.first(), opened) {
        (Some((word, at)), _) => Err(ImportError::at(*at, format!("{word} has no ; at its end"))),
        (None, Some(at)) => Err(ImportError::at(at, "this block is not closed")),
        (None, None) => Ok(directives),
    }
}

fn tokens(text: &str) -> Result<Vec<(Token, Position)>, ImportError> {
    let mut tokens = Vec::new();
    let mut characters = Characters { rest: text.chars().peekable(), line: 1, column: 1 };
    while let Some(&character) = characters.rest.peek() {
        let at = characters.position();
        match character {
            ' ' | '\t' | '\r' | '\n' | '\u{feff}' => {
                characters.next();
            }
            '#' => while characters.next().is_some_and(|character| character != '\n') {},
            ';' | '{' | '}' => {
                characters.next();
                let token = match character {
                    ';' => Token::End,
                    '{' => Token::Open,
                    _ => Token::Close,
                };
                tokens.push((token, at));
            }
            '"' | '\'' => {
                characters.next();
                let mut word = String::new();
                loop {
                    match characters.next() {
                        Some('\\') => word.extend(characters.next()),
                        Some(next) if next == character => break,
                        Some(next) => word.push(next),
                        None => return Err(ImportError::at(at, "this quote is not closed")),
                    }
                }
                tokens.push((Token::Word(word), at));
            }
            _ => tokens.push((Token::Word(characters.word()), at)),
        }
    }
    Ok(tokens)
}

struct Characters<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: u32,
    column: u32,
}

impl Characters<'_> {
    fn position(&self) -> Position {
        Position::new(self.line, self.column)
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.next()?;
        if character == '\n' {
            self.line = self.line.saturating_add(1);
            self.column = 1;
        } else {
            self.column = self.column.saturating_add(1);
        }
        Some(character)
    }

    /// A word without quotes. `${name}` is part of it.
    fn word(&mut self) -> String {
        let mut word = String::new();
        let mut in_variable = false;
        while let Some(&character) = self.rest.peek() {
            match character {
                '{' if word.ends_with('$') => in_variable = true,
                '}' if in_variable => in_variable = false,
                ' ' | '\t' | '\r' | '\n' | ';' | '{' | '}' => break,
                '\\' => {
                    self.next();
                    word.push('\\');
                    word.extend(self.next());
                    continue;
                }
                _ => {}
            }
            word.push(character);
            self.next();
        }
        word
    }
}

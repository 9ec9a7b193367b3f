//! Traefik's rules: `Host(…)`, `Path(…)`, `PathPrefix(…)` and `Method(…)`, joined by `&&`, `||` and
//! parentheses.

use std::collections::BTreeSet;

use crate::import::draft::RoutePath;
use crate::sorting::collect_sorted;

/// The maximum number of alternatives after a rule was expanded.
const MAX_ALTERNATIVES: usize = 64;

/// One alternative of a rule. All its conditions must be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) host: Option<String>,
    pub(super) path: RoutePath,
    pub(super) methods: BTreeSet<String>,
}

#[derive(Debug, Clone, Default)]
struct Partial {
    host: Option<String>,
    path: Option<RoutePath>,
    methods: Option<BTreeSet<String>>,
}

/// Expands a rule into alternatives.
pub(super) fn parse(rule: &str) -> Result<Vec<Match>, String> {
    let mut parser = Parser { rest: rule.trim(), depth: 0 };
    let alternatives = parser.any()?;
    if !parser.rest.is_empty() {
        return Err(format!("{:?} in its rule is not understood", parser.rest));
    }
    alternatives
        .into_iter()
        .map(|one| {
            if one.methods.as_ref().is_some_and(BTreeSet::is_empty) {
                return Err("its rule can never match".to_owned());
            }
            Ok(Match {
                host: one.host,
                path: one.path.unwrap_or_else(|| RoutePath::Prefix("/".to_owned())),
                methods: one.methods.unwrap_or_default(),
            })
        })
        .collect()
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Vec<Partial>, String> {
        let mut alternatives = self.all()?;
        while self.eat("||") {
            alternatives.extend(self.all()?);
            bounded(alternatives.len())?;
        }
        Ok(alternatives)
    }

    fn all(&mut self) -> Result<Vec<Partial>, String> {
        let mut alternatives = self.one()?;
        while self.eat("&&") {
            let right = self.one()?;
            bounded(alternatives.len() * right.len())?;
            let mut both = Vec::new();
            for left in &alternatives {
                for right in &right {
                    both.push(join(left, right)?);
                }
            }
            alternatives = both;
        }
        Ok(alternatives)
    }

    fn one(&mut self) -> Result<Vec<Partial>, String> {
        if self.eat("!") {
            return Err("a rule with ! has no equivalent".to_owned());
        }
        if self.eat("(") {
            self.depth += 1;
            if self.depth > 16 {
                return Err("its rule is nested too deeply".to_owned());
            }
            let inner = self.any()?;
            self.depth -= 1;
            return if self.eat(")") { Ok(inner) } else { Err("a ) is missing in its rule".to_owned()) };
        }
        let end =
            self.rest.find('(').ok_or_else(|| format!("{:?} in its rule is not understood", self.rest))?;
        let (name, rest) = self.rest.split_at(end);
        let name = name.trim().to_owned();
        self.rest = rest;
        let arguments = self.arguments()?;
        if !matches!(&*name, "Host" | "Path" | "PathPrefix" | "Method") {
            return Err(format!("{name} in its rule has no equivalent"));
        }
        if name == "Method" {
            let methods = collect_sorted(arguments.iter().map(|method| method.to_ascii_uppercase()));
            return Ok(vec![Partial { methods: Some(methods), ..Partial::default() }]);
        }
        arguments
            .into_iter()
            .map(|text| match &*name {
                "Host" => Ok(Partial { host: Some(text.to_ascii_lowercase()), ..Partial::default() }),
                "Path" => Ok(Partial { path: Some(RoutePath::Exact(text)), ..Partial::default() }),
                _ if text.len() > 1 && text.ends_with('/') => {
                    Err(format!("PathPrefix(`{text}`) does not match the path without its last slash"))
                }
                _ => Ok(Partial { path: Some(RoutePath::Prefix(text)), ..Partial::default() }),
            })
            .collect()
    }

    /// `(`a`, `b`)`, in backticks or double quotes.
    fn arguments(&mut self) -> Result<Vec<String>, String> {
        let wrong = || "an argument in its rule is not in quotes".to_owned();
        if !self.eat("(") {
            return Err(wrong());
        }
        let mut arguments = Vec::new();
        loop {
            let quote = self.rest.chars().next().filter(|c| matches!(c, '`' | '"')).ok_or_else(wrong)?;
            let (text, rest) =
                self.rest.get(1..).and_then(|rest| rest.split_once(quote)).ok_or_else(wrong)?;
            arguments.push(text.to_owned());
            self.rest = rest.trim_start();
            if self.eat(")") {
                return Ok(arguments);
            }
            if !self.eat(",") {
                return Err(wrong());
            }
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }
}

fn bounded(alternatives: usize) -> Result<(), String> {
    if alternatives > MAX_ALTERNATIVES {
        return Err(format!("its rule has more than {MAX_ALTERNATIVES} alternatives"));
    }
    Ok(())
}

fn join(left: &Partial, right: &Partial) -> Result<Partial, String> {
    let twice = |what: &str| format!("its rule asks for two {what} at once");
    if left.host.is_some() && right.host.is_some() && left.host != right.host {
        return Err(twice("hosts"));
    }
    if left.path.is_some() && right.path.is_some() && left.path != right.path {
        return Err(twice("paths"));
    }
    let methods = match (&left.methods, &right.methods) {
        (Some(left), Some(right)) => Some(collect_sorted(left.intersection(right).cloned())),
        (left, right) => left.clone().or_else(|| right.clone()),
    };
    Ok(Partial {
        host: left.host.clone().or_else(|| right.host.clone()),
        path: left.path.clone().or_else(|| right.path.clone()),
        methods,
    })
}

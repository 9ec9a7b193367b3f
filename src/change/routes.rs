//! Adds, changes and removes routes.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use toml_edit::{Array, ArrayOfTables, InlineTable, Item, Table, TableLike, Value};

use super::conflict::{Conflict, Kind};
use super::document::Document;
use super::settings::{self, Settings};
use super::{layout, table};
use crate::config::{Methods, Mode, Route};
use crate::sorting::sort;

/// The address of a route in the file: its hosts, its pattern and its methods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteAddress {
    /// The hosts, in any order. Empty for a route that matches any host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hosts: Vec<String>,
    /// The value of `path`, as the file contains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// The value of `prefix`, as the file contains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prefix: Option<String>,
    /// The methods, in any order. Empty for a route that matches all methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) methods: Vec<String>,
}

impl RouteAddress {
    /// Returns the address that a route in the file has.
    fn of(route: &dyn TableLike) -> Self {
        let text = |key| route.get(key).and_then(Item::as_str).map(str::to_owned);
        let list = |key| match route.get(key).and_then(Item::as_value) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(text)) => vec![text.value().clone()],
            _ => Vec::new(),
        };
        Self { hosts: list("host"), path: text("path"), prefix: text("prefix"), methods: list("methods") }
            .normal()
    }

    /// Returns the address of a compiled route.
    pub(crate) fn of_route(route: &Route) -> Self {
        let pattern = Some(route.path.as_str().to_owned());
        let (path, prefix) = if route.path.is_prefix() { (None, pattern) } else { (pattern, None) };
        let methods = match &route.methods {
            Methods::All => Vec::new(),
            Methods::Only(methods) => methods.iter().map(|method| method.as_str().to_owned()).collect(),
        };
        Self { hosts: route.hosts.iter().map(ToString::to_string).collect(), path, prefix, methods }
    }

    /// Returns whether two addresses are those of the same route.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.normal() == other.normal()
    }

    /// Returns the address that a route with these keys has.
    pub(crate) fn of_settings(route: &Settings) -> Self {
        let text = |key| Some(route.get(key)?.as_str()?.to_owned());
        let list = |key| match route.get(key) {
            Some(serde_json::Value::Array(items)) => {
                items.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect()
            }
            Some(serde_json::Value::String(text)) => vec![text.clone()],
            _ => Vec::new(),
        };
        Self { hosts: list("host"), path: text("path"), prefix: text("prefix"), methods: list("methods") }
    }

    fn normal(&self) -> Self {
        let mut hosts: Vec<String> = self.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let mut methods = self.methods.clone();
        sort(&mut hosts);
        sort(&mut methods);
        Self { hosts, methods, path: self.path.clone(), prefix: self.prefix.clone() }
    }
}

impl fmt::Display for RouteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = if self.methods.is_empty() { "any".to_owned() } else { self.methods.join(",") };
        write!(f, "{methods} {}", self.hosts.join(","))?;
        match (&self.path, &self.prefix) {
            (Some(path), _) => f.write_str(path),
            (None, Some(prefix)) => write!(f, "{}/…", prefix.trim_end_matches('/')),
            (None, None) => Ok(()),
        }
    }
}

impl Document {
    /// Adds routes after the others.
    pub(super) fn add_routes(&mut self, routes: &[Settings]) -> Result<(), Conflict> {
        let mut there: HashSet<RouteAddress> = self.roots().flat_map(addresses).collect();
        let mut added = Vec::new();
        for route in routes {
            let address = RouteAddress::of_settings(route);
            if !there.insert(address.normal()) {
                return Err(Conflict::Exists(Kind::Route, address.to_string()));
            }
            added.push(settings::entries(route, "routes")?);
        }
        if added.is_empty() {
            return Ok(());
        }
        self.turn_to(|root| root.contains_key("routes"))?;
        let blank = if self.is_blank() { "" } else { "\n" };
        let end = self.end();
        let last = self.current().get("routes").and_then(layout::last_position).unwrap_or(end);
        let tail = if matches!(self.current().get("routes"), Some(Item::Value(_))) {
            String::new()
        } else {
            layout::take_tail(self.current(), last)
        };
        let routes = self.current().entry("routes").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        match routes {
            Item::ArrayOfTables(tables) => {
                let mut prefix = format!("{tail}{blank}");
                for entries in added {
                    let mut table = Table::new();
                    for (key, value) in entries {
                        table.insert(&key, Item::Value(value));
                    }
                    table.set_position(Some(last));
                    table.decor_mut().set_prefix(std::mem::replace(&mut prefix, "\n".to_owned()));
                    tables.push(table);
                }
                Ok(())
            }
            Item::Value(Value::Array(array)) => {
                for entries in added {
                    let mut table = InlineTable::new();
                    for (key, value) in entries {
                        table.insert(key, value);
                    }
                    array.push(Value::InlineTable(table));
                }
                Ok(())
            }
            _ => Err(Conflict::NotATable("routes".to_owned())),
        }
    }

    /// Changes settings of a route.
    pub(super) fn set_route(&mut self, address: &RouteAddress, new: &Settings) -> Result<(), Conflict> {
        let (route, inline) = self.route(address)?;
        settings::apply(route, inline, new, "routes")
    }

    /// Sets whether a route only records refusals instead of enforcing them.
    pub(super) fn set_route_mode(&mut self, address: &RouteAddress, mode: Mode) -> Result<(), Conflict> {
        let (route, inline) = self.route(address)?;
        table::set(route, inline, "mode", Value::from(mode.as_str()));
        Ok(())
    }

    /// Removes a route, with the comment directly above it.
    pub(super) fn remove_route(&mut self, address: &RouteAddress) -> Result<(), Conflict> {
        self.route(address)?;
        let normal = address.normal();
        match self.current().get_mut("routes") {
            Some(Item::ArrayOfTables(tables)) => {
                let Some(index) = tables.iter().position(|route| RouteAddress::of(route) == normal) else {
                    return Ok(());
                };
                let removed = tables.remove(index);
                let above = removed.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
                let above = above.to_owned();
                let (first, is_last) = (removed.position(), tables.is_empty());
                let last = layout::last_position(&Item::Table(removed));
                if is_last {
                    self.current().remove("routes");
                }
                if let (Some(first), Some(last)) = (first, last) {
                    layout::close_gap(self.current(), first, last, &above);
                }
            }
            Some(Item::Value(Value::Array(routes))) => retain_others(routes, &normal),
            _ => {}
        }
        Ok(())
    }

    /// Selects the file that has this route, and returns the route's table.
    fn route(&mut self, address: &RouteAddress) -> Result<(&mut dyn TableLike, bool), Conflict> {
        match self.roots().map(|root| at(root, address)).sum() {
            0 => return Err(Conflict::Missing(Kind::Route, address.to_string(), String::new())),
            1 => {}
            _ => return Err(Conflict::Ambiguous(address.to_string())),
        }
        self.turn_to(|root| at(root, address) > 0)?;
        let normal = address.normal();
        let found: Option<(&mut dyn TableLike, bool)> = match self.current().get_mut("routes") {
            Some(Item::ArrayOfTables(tables)) => {
                let mut tables = tables.iter_mut();
                tables.find(|route| RouteAddress::of(*route) == normal).map(|it| (it as _, false))
            }
            Some(Item::Value(Value::Array(routes))) => {
                let mut tables = routes.iter_mut().filter_map(Value::as_inline_table_mut);
                tables.find(|route| RouteAddress::of(*route) == normal).map(|it| (it as _, true))
            }
            _ => None,
        };
        found.ok_or_else(|| Conflict::NotATable("routes".to_owned()))
    }
}

fn retain_others(routes: &mut Array, address: &RouteAddress) {
    routes.retain(|route| route.as_inline_table().is_none_or(|route| RouteAddress::of(route) != *address));
}

/// Returns the number of routes in a file that have this address.
fn at(root: &Table, address: &RouteAddress) -> usize {
    let normal = address.normal();
    addresses(root).filter(|other| *other == normal).count()
}

/// Iterates over the addresses of the routes in a file.
fn addresses(root: &Table) -> impl Iterator<Item = RouteAddress> + '_ {
    let routes = root.get("routes");
    let tables = routes.and_then(Item::as_array_of_tables).into_iter().flatten();
    let inline = routes.and_then(Item::as_array).into_iter().flatten().filter_map(Value::as_inline_table);
    tables.map(|route| RouteAddress::of(route)).chain(inline.map(|route| RouteAddress::of(route)))
}

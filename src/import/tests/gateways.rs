//! Configurations of other gateways.

use super::*;

#[test]
fn nginx_locations_become_routes() {
    let text = r#"
http {
  gzip on;
  upstream orders { server 10.0.0.1:8080 weight=3; server 10.0.0.2:8080 max_fails=2; least_conn; keepalive 16; }
  server {
    listen 443 ssl;
    server_name api.example.com shop.example.com;
    client_max_body_size 2m;
    location /orders/ {
      limit_except GET { deny all; }
      proxy_pass http://orders;
      proxy_set_header Host $host;
    }
    location = /status { proxy_pass http://127.0.0.1:9001; allow 10.0.0.0/8; deny all; }
    location /old/ { proxy_pass http://127.0.0.1:9001/; auth_basic "x"; }
    location /moved/ { proxy_pass http://127.0.0.1:9001/new/; }
    location ~ \.php$ { proxy_pass http://127.0.0.1:9002; }
    location /files { root /srv; }
    location /any { proxy_pass http://$backend; }
  }
}"#;
    let draft = gateway(Gateway::Nginx, text).unwrap();
    valid(&draft);
    let toml = render(&draft);
    for expected in [
        "[upstreams.orders]\nservers = [{ url = \"http://10.0.0.1:8080\", weight = 3 }, \"http://10.0.0.2:8080\"]\n\
         balance = \"least_requests\"\n",
        "[[routes]]\nprefix = \"/orders\"\nhost = \"api.example.com\"\nmethods = [\"GET\", \"HEAD\"]\nupstream = \
         \"orders\"\nmax_body_size = \"2MiB\"\n",
        "host = \"shop.example.com\"\nmethods",
        "path = \"/status\"\nhost = \"api.example.com\"\nupstream = \"127-0-0-1-9001\"\nallow = [\"10.0.0.0/8\"]\n",
        "prefix = \"/old\"\nhost = \"api.example.com\"\nupstream = \"127-0-0-1-9001\"\nmax_body_size = \
         \"2MiB\"\nstrip_prefix = \"/old\"\n",
    ] {
        assert!(toml.contains(expected), "{expected}\nis not in\n{toml}");
    }
    assert_eq!(draft.found, 7);
    let findings = findings(&draft).join("\n");
    for expected in [
        "3:3 gzip is not imported",
        "4:52 max_fails=2 of server 10.0.0.2:8080 is not imported",
        "6:5 listen is not imported",
        "12:7 proxy_set_header of location /orders/ is not imported",
        "15:57 auth_basic is not imported: the token takes its place",
        "16:24 location /moved/ is not imported: proxy_pass http://127.0.0.1:9001/new/ rewrites the path",
        "17:5 location ~ \\.php$ is not imported",
        "18:5 location /files is not imported: it has no proxy_pass",
        "19:21 location /any is not imported: proxy_pass http://$backend has no fixed target",
    ] {
        assert!(findings.contains(expected), "{expected} is not in\n{findings}");
    }
    assert!(!toml.contains("/moved") && !toml.contains("php") && !toml.contains("/files"), "{toml}");
}

/// The routes and the findings of one server block.
fn nginx_server(block: &str) -> (String, String) {
    let draft = gateway(Gateway::Nginx, &format!("server {{ {block} }}")).unwrap();
    valid(&draft);
    (render(&draft), findings(&draft).join("\n"))
}

#[test]
fn nginx_locations_whose_restrictions_a_route_cannot_express_are_left_out() {
    for restriction in [
        "allow 10.0.0.0/8; deny 10.1.0.0/16; deny all;",
        "allow 10.0.0.1; deny 10.0.0.0/8;",
        "deny all;",
        "if ($http_x) { return 403; }",
        "limit_except GET { allow 10.0.0.0/8; deny all; }",
        "internal;",
        "location /a/admin { deny all; }",
    ] {
        let (toml, findings) = nginx_server(&format!("location /a {{ proxy_pass http://h; {restriction} }}"));
        assert!(!toml.contains("[[routes]]"), "{restriction}\n{toml}");
        assert!(findings.contains("location /a is not imported"), "{restriction}\n{findings}");
    }
    let (toml, findings) =
        nginx_server("if ($scheme = http) { return 301 x; } location / { proxy_pass http://h; }");
    assert!(
        !toml.contains("[[routes]]") && findings.contains("this server is not imported"),
        "{toml}{findings}"
    );
    let error =
        gateway(Gateway::Nginx, "http { deny 10.0.0.1; allow 10.0.0.0/8; deny 10.2.0.0/16; }").unwrap_err();
    assert!(error.to_string().contains("nothing is imported: this deny is for all servers"), "{error}");
}

#[test]
fn the_addresses_of_an_nginx_location_replace_those_of_its_server() {
    let rules = "deny 192.0.2.1; allow 10.0.0.0/8; deny all;";
    let location = "location /own { proxy_pass http://h; allow 172.16.0.0/12; deny all; } location / { proxy_pass \
                    http://h; }";
    let (toml, _) = nginx_server(&format!("{rules} {location}"));
    let (own, all) = toml.split_once("prefix = \"/\"").expect("both routes");
    assert!(own.contains("allow = [\"172.16.0.0/12\"]") && !own.contains("deny"), "{toml}");
    assert!(all.contains("allow = [\"10.0.0.0/8\"]\ndeny = [\"192.0.2.1\"]"), "{toml}");
}

#[test]
fn broken_nginx_files_are_refused_where_they_are_broken() {
    for (text, expected) in [
        ("server {", "1:8: this block is not closed"),
        ("a b", "1:1: a has no ; at its end"),
        ("}", "1:1: this } has no matching {, or a ; is missing before it"),
        ("a \"b", "1:3: this quote is not closed"),
        ("a;\n;", "2:1: a directive has no name"),
    ] {
        assert_eq!(gateway(Gateway::Nginx, text).unwrap_err().to_string(), expected);
    }
    let text = format!("{}{}", "a {".repeat(100), "}".repeat(100));
    assert!(gateway(Gateway::Nginx, &text).unwrap_err().to_string().contains("too deeply"));
}

#[test]
fn kong_services_become_upstreams_and_acl_groups_scopes() {
    let text = r#"
_format_version: "3.0"
services:
  - name: orders
    host: orders-pool
    protocol: http
    routes:
      - name: read
        paths: [/orders, "~/v\\d+"]
        methods: [GET]
        hosts: [api.example.com]
        plugins:
          - { name: acl, config: { allow: [readers, admins] } }
          - { name: rate-limiting, config: { minute: 60 } }
          - { name: cors }
  - { name: users, url: "http://10.0.0.9:7000", plugins: [{ name: key-auth }], routes: [{ name: u, paths: [/users], strip_path: false }] }
upstreams: [{ name: orders-pool, targets: [{ target: "10.0.0.1:80", weight: 100 }, { target: "10.0.0.2:80", weight: 0 }] }]
consumers: [{ username: shop }]
routes: [{ name: lost, paths: [/lost], service: { name: gone } }]
"#;
    let draft = gateway(Gateway::Kong, text).unwrap();
    valid(&draft);
    let toml = render(&draft);
    for expected in [
        "[upstreams.orders]\nservers = [{ url = \"http://10.0.0.1:80\", weight = 100 }]\n",
        "prefix = \"/orders\"\nhost = \"api.example.com\"\nmethods = [\"GET\"]\nany_scope = [\"admins\", \
         \"readers\"]\nupstream = \"orders\"\nrate_limit = \"60/m\"\nstrip_prefix = \"/orders\"\n",
        "prefix = \"/users\"\nupstream = \"users\"\n",
    ] {
        assert!(toml.contains(expected), "{expected}\nis not in\n{toml}");
    }
    let findings = findings(&draft).join("\n");
    for expected in [
        "~/v\\d+ of route read is not imported: it is a regular expression",
        "plugin cors of read is not imported",
        "plugin key-auth is not imported: the token takes its place",
        "consumer shop is not imported: `tollgate client add` makes clients",
        "this route is not imported: its service is not in the file",
    ] {
        assert!(findings.contains(expected), "{expected} is not in\n{findings}");
    }
}

#[test]
fn kong_routes_whose_restrictions_a_route_cannot_express_are_left_out() {
    for route in [
        "paths: [/a], headers: { x-internal: [yes] }",
        "paths: [/a], plugins: [{ name: acl, config: { deny: [guests] } }]",
        "paths: [/a], plugins: [{ name: request-termination }]",
    ] {
        let text = format!("services: [{{ name: s, url: 'http://h', routes: [{{ name: r, {route} }}] }}]");
        let draft = gateway(Gateway::Kong, &text).unwrap();
        assert_eq!(render(&draft), "", "{route}");
        assert!(findings(&draft).join("\n").contains("route r is not imported"), "{route}");
    }
    // The name of a group that has a space cannot be a scope.
    let group = "services: [{ name: s, url: 'http://h/base', routes: [{ paths: [/a], plugins: [{ name: acl, config: { \
                 allow: [the team] } }] }] }]";
    let draft = gateway(Gateway::Kong, group).unwrap();
    valid(&draft);
    let toml = render(&draft);
    assert!(
        toml.contains("scopes = [\"the-team\"]") && toml.contains("servers = [\"http://h/base\"]"),
        "{toml}"
    );
}

#[test]
fn tyk_definitions_become_prefixes() {
    let text = r#"[{ "name": "Orders", "active": true, "use_standard_auth": true, "domain": "api.example.com",
        "global_rate_limit": { "rate": 100, "per": 60 }, "cache_options": { "enable_cache": true },
        "proxy": { "listen_path": "/orders/", "target_url": "http://10.0.0.1:8080/", "strip_listen_path": true } },
        { "name": "Off", "active": false, "proxy": { "listen_path": "/off", "target_url": "http://10.0.0.1" } },
        { "name": "Open", "use_keyless": true, "proxy": { "listen_path": "/", "target_url": "http://10.0.0.1" } }]"#;
    let draft = gateway(Gateway::Tyk, text).unwrap();
    valid(&draft);
    let toml = render(&draft);
    for expected in [
        "prefix = \"/orders\"\nhost = \"api.example.com\"\nupstream = \"orders\"\nstrip_prefix = \
         \"/orders\"\nrate_limit = \"100/m\"\n",
        "prefix = \"/\"\nupstream = \"open\"\n",
    ] {
        assert!(toml.contains(expected), "{expected}\nis not in\n{toml}");
    }
    let findings = findings(&draft).join("\n");
    for expected in [
        "Off is not imported: it is not active",
        "use_standard_auth of Orders is not imported: the token takes its place",
        "cache_options of Orders is not imported",
        "Open needs no key in Tyk; here it needs a token",
    ] {
        assert!(findings.contains(expected), "{expected} is not in\n{findings}");
    }
    assert!(gateway(Gateway::Tyk, "{}").is_err());
    let listed = r#"{ "name": "A", "proxy": { "listen_path": "/a", "target_url": "http://h" },
        "version_data": { "versions": { "Default": { "extended_paths": { "white_list": [{ "path": "/x" }] } } } } }"#;
    let draft = gateway(Gateway::Tyk, listed).unwrap();
    assert_eq!(render(&draft), "");
    let restricted = r#"{ "name": "A", "proxy": { "listen_path": "/a", "target_url": "http://h" },
        "enable_ip_whitelisting": true, "allowed_ips": ["10.0.0.0/8"], "enable_ip_blacklisting": false }"#;
    let draft = gateway(Gateway::Tyk, restricted).unwrap();
    valid(&draft);
    assert!(render(&draft).contains("allow = [\"10.0.0.0/8\"]"), "{}", render(&draft));
}

#[test]
fn traefik_rules_are_written_out_as_routes() {
    let text = r#"
http:
  routers:
    orders:
      rule: "(Host(`a.example.com`) || Host(`b.example.com`)) && PathPrefix(`/orders`) && Method(`GET`, `HEAD`)"
      service: orders@file
      middlewares: [strip, auth, only]
      entryPoints: [web]
    regex: { rule: "HostRegexp(`.*`)", service: orders }
    not: { rule: "!Path(`/x`)", service: orders }
    exact: { rule: "Path(`/status`)", service: orders }
  services:
    orders: { loadBalancer: { servers: [{ url: "http://10.0.0.1:80/" }, { url: "http://10.0.0.2:80", weight: 2 }], sticky: {} } }
  middlewares:
    strip: { stripPrefix: { prefixes: [/orders] } }
    auth: { forwardAuth: { address: x } }
    only: { ipAllowList: { sourceRange: ["10.0.0.0/8"] } }
tls: {}
"#;
    let draft = gateway(Gateway::Traefik, text).unwrap();
    valid(&draft);
    let toml = render(&draft);
    for expected in [
        "servers = [\"http://10.0.0.1:80\", { url = \"http://10.0.0.2:80\", weight = 2 }]\n",
        "prefix = \"/orders\"\nhost = \"a.example.com\"\nmethods = [\"GET\", \"HEAD\"]\nupstream = \"orders\"\nallow = \
         [\"10.0.0.0/8\"]\nstrip_prefix = \"/orders\"\n",
        "host = \"b.example.com\"\n",
        "path = \"/status\"\nupstream = \"orders\"\n",
    ] {
        assert!(toml.contains(expected), "{expected}\nis not in\n{toml}");
    }
    assert_eq!(draft.routes.len(), 3);
    let findings = findings(&draft).join("\n");
    for expected in [
        "middleware auth (forwardAuth) is not imported: the token takes its place",
        "router regex is not imported: HostRegexp in its rule has no equivalent",
        "router not is not imported: a rule with ! has no equivalent",
        "entryPoints of router orders is not imported",
        "sticky of service orders is not imported",
        "tls is not imported",
    ] {
        assert!(findings.contains(expected), "{expected} is not in\n{findings}");
    }
}

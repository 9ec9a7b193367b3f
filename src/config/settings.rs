//! The name, the default and the bounds of every number, duration and size in gateway.toml.
//!
//! This is the only place where they are written: the reader, the JSON Schema, the configuration reference
//! and the server take them from here.

use std::time::Duration;

/// The name of a key and the values that it accepts, both ends included.
pub(crate) struct Bounds<T: 'static> {
    pub(crate) name: &'static str,
    pub(crate) least: T,
    pub(crate) most: T,
}

/// A key that has a value even if the file does not set it.
pub(crate) struct Setting<T: 'static> {
    pub(crate) bounds: Bounds<T>,
    pub(crate) default: T,
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) struct Size(pub(crate) u64);

impl<T> Setting<T> {
    const fn new(name: &'static str, default: T, least: T, most: T) -> Self {
        Self { bounds: Bounds { name, least, most }, default }
    }
}

impl Setting<Duration> {
    /// A timeout of at least a millisecond and at most a day.
    const fn timeout(name: &'static str, default: Duration) -> Self {
        Self::new(name, default, Duration::from_millis(1), DAY)
    }
}

impl Bounds<Duration> {
    const fn timeout(name: &'static str) -> Self {
        Self { name, least: Duration::from_millis(1), most: DAY }
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const DAY: Duration = seconds(86_400);

/// `[server]`.
pub(crate) mod server {
    use super::*;

    /// 0 is one per core.
    pub(crate) const THREADS: Setting<u32> = Setting::new("threads", 0, 0, 1024);
    pub(crate) const SHUTDOWN_GRACE: Setting<Duration> =
        Setting::new("shutdown_grace", seconds(10), Duration::ZERO, DAY);
    /// A folder beside the file.
    pub(crate) const STATE_DIR: &str = "state";
    /// The port of the listener on 127.0.0.1 if the file has no `listen`.
    pub(crate) const PORT: u16 = 8443;
}

/// `[server.tls.acme]`.
pub(crate) mod acme {
    use super::*;

    /// Let's Encrypt.
    pub(crate) const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";
    pub(crate) const RENEW_PERCENT_LEFT: Setting<u32> = Setting::new("renew_percent_left", 33, 1, 90);
    pub(crate) const RETRY_AFTER: Setting<Duration> =
        Setting::new("retry_after", seconds(300), seconds(1), DAY);
    pub(crate) const MAX_ORDERS_PER_HOUR: Setting<u32> = Setting::new("max_orders_per_hour", 30, 1, 1_000);
}

/// `[store]`.
pub(crate) mod store {
    use super::*;
    use crate::store::RedisOptions;

    pub(crate) const PREFIX: &str = RedisOptions::PREFIX;
    /// A shorter one is over before the log was read.
    pub(crate) const LEASE: Setting<Duration> =
        Setting::new("lease", RedisOptions::LEASE, Duration::from_millis(50), seconds(10));
    pub(crate) const ALLOW_CACHED: Setting<Duration> =
        Setting::new("allow_cached", Duration::ZERO, Duration::ZERO, seconds(3_600));
    pub(crate) const PORT: u16 = 6_379;
    pub(crate) const SENTINEL_PORT: u16 = 26_379;
}

/// `[server.limits]`.
pub(crate) mod limits {
    use super::*;

    pub(crate) const HEADER_TIMEOUT: Setting<Duration> = Setting::timeout("header_timeout", seconds(10));
    /// The HTTP library's own buffer is never smaller than 8 KiB.
    pub(crate) const MAX_HEADER_SIZE: Setting<Size> =
        Setting::new("max_header_size", Size(16 << 10), Size(8 << 10), Size(1 << 20));
    pub(crate) const MAX_HEADERS: Setting<u32> = Setting::new("max_headers", 100, 1, 10_000);
    pub(crate) const IDLE_TIMEOUT: Setting<Duration> = Setting::timeout("idle_timeout", seconds(75));
    pub(crate) const MAX_CONNECTIONS: Setting<u32> = Setting::new("max_connections", 20_000, 1, 10_000_000);
    /// 0 is no limit.
    pub(crate) const MAX_CONNECTIONS_PER_ADDRESS: Bounds<u32> =
        Bounds { name: "max_connections_per_address", least: 0, most: 10_000_000 };
    /// 0 is no limit.
    pub(crate) const MAX_BODY_SIZE: Setting<Size> =
        Setting::new("max_body_size", Size(10 << 20), Size(0), Size(1 << 50));
    pub(crate) const BODY_TIMEOUT: Setting<Duration> = Setting::timeout("body_timeout", seconds(30));
    pub(crate) const WRITE_TIMEOUT: Setting<Duration> = Setting::timeout("write_timeout", seconds(30));
    pub(crate) const HANDSHAKE_TIMEOUT: Setting<Duration> =
        Setting::timeout("handshake_timeout", seconds(10));
    pub(crate) const HALF_CLOSED_TIMEOUT: Setting<Duration> =
        Setting::timeout("half_closed_timeout", seconds(3));
}

/// `[token_service]`. Its defaults are those of a gate that a program builds itself.
pub(crate) mod token_service {
    use super::*;
    use crate::gate::{ThrottlePolicy, defaults};

    /// Of a client, too, which takes the token service's if it sets none.
    pub(crate) const TOKEN_LIFETIME: Setting<Duration> =
        Setting::new("token_lifetime", defaults::TOKEN_LIFETIME, seconds(1), seconds(30 * 86_400));
    pub(crate) const MAX_TOKENS: Setting<u32> =
        Setting::new("max_tokens", defaults::MAX_TOKENS, 1, 100_000_000);
    pub(crate) const MAX_TOKENS_PER_CLIENT: Setting<u32> =
        Setting::new("max_tokens_per_client", defaults::MAX_TOKENS_PER_CLIENT, 1, 100_000_000);
    pub(crate) const THROTTLE_FAILURES: Setting<u32> =
        Setting::new("failures", ThrottlePolicy::DEFAULT.failures, 1, 1_000_000_000);
    pub(crate) const THROTTLE_PER: Setting<Duration> =
        Setting::new("per", ThrottlePolicy::DEFAULT.per, seconds(1), DAY);
}

/// `[token_service.registration]`.
pub(crate) mod registration {
    use super::*;

    /// Each swap of the settings copies a table of this many pointers.
    pub(crate) const MAX_CLIENTS: Setting<u32> = Setting::new("max_clients", 1_000, 1, 20_000);
    pub(crate) const MAX_CLIENTS_OF_TEMPLATE: Setting<u32> = Setting::new("max_clients", 100, 1, 20_000);
    pub(crate) const MAX_PER_MINUTE: Setting<u32> = Setting::new("max_per_minute", 30, 1, 10_000);
    pub(crate) const UNUSED_EXPIRY: Setting<Duration> =
        Setting::new("unused_expiry", seconds(90 * 86_400), seconds(60), seconds(3_650 * 86_400));
    pub(crate) const MAX_USES: Bounds<u32> = Bounds { name: "max_uses", least: 1, most: 1_000_000 };
    pub(crate) const MAX_TEMPLATES: usize = 100;
    pub(crate) const MAX_TOKENS: usize = 1_000;
    /// The most ids of clients that are disabled or removed.
    pub(crate) const MAX_LISTED: usize = 10_000;
}

/// `[clients.NAME]`.
pub(crate) mod clients {
    use super::Bounds;

    /// Up to what a JSON number holds exactly.
    pub(crate) const TOKEN_GENERATION: Bounds<u64> =
        Bounds { name: "token_generation", least: 0, most: (1 << 53) - 1 };
    /// More than anybody rotates through; a wrong secret is compared with each of them.
    pub(crate) const MAX_SECRETS: usize = 16;
    /// The most work that a wrong secret can cause, in KiB times passes: about a second of a core. Each
    /// attempt with an unknown client id costs as much as the most expensive client.
    pub(crate) const MAX_SECRETS_COST: u64 = 1024 * 1024;
    /// A signature without a key id is verified with each of them.
    pub(crate) const MAX_KEYS: usize = 32;
    /// The parts of a key that only its owner may have (RFC 7518 §6).
    pub(crate) const PRIVATE_KEY_PARTS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
}

/// `[upstreams.NAME]`.
pub(crate) mod upstreams {
    use super::*;

    pub(crate) const WEIGHT: Setting<u32> = Setting::new("weight", 1, 1, 1_000);
    pub(crate) const CONNECT_TIMEOUT: Setting<Duration> = Setting::timeout("connect_timeout", seconds(5));
    pub(crate) const READ_TIMEOUT: Setting<Duration> = Setting::timeout("read_timeout", seconds(60));
    pub(crate) const TOTAL_TIMEOUT: Bounds<Duration> = Bounds::timeout("total_timeout");
    /// Servers commonly close their connections after 60 to 75 s.
    pub(crate) const IDLE_TIMEOUT: Setting<Duration> = Setting::timeout("idle_timeout", seconds(50));
    pub(crate) const RETRIES: Setting<u32> = Setting::new("retries", 1, 0, 10);
    /// Of a route, too.
    pub(crate) const MAX_IN_FLIGHT: Bounds<u32> =
        Bounds { name: "max_in_flight", least: 1, most: 10_000_000 };
    pub(crate) const MAX_QUEUE: Bounds<u32> = Bounds { name: "max_queue", least: 1, most: 100_000 };
    /// A client that waits for more than a minute has given up.
    pub(crate) const QUEUE_TIMEOUT: Setting<Duration> =
        Setting::new("queue_timeout", seconds(1), Duration::from_millis(1), seconds(60));
}

/// `[admin]`.
pub(crate) mod admin {
    use super::*;

    pub(crate) const SESSION_IDLE_TIMEOUT: Setting<Duration> =
        Setting::new("session_idle_timeout", seconds(30 * 60), seconds(60), DAY);
    pub(crate) const SESSION_LIFETIME: Setting<Duration> =
        Setting::new("session_lifetime", seconds(12 * 3600), seconds(60), DAY);
    pub(crate) const MAX_USERS: usize = 100;
    pub(crate) const USER_NAME_LENGTH: usize = 64;
    /// The scopes with which a client may use the API. They are always defined, and their prefix is reserved.
    pub(crate) const READ_SCOPE: &str = "tollgate:admin.read";
    pub(crate) const WRITE_SCOPE: &str = "tollgate:admin.write";
    pub(crate) const RESERVED_SCOPES: &str = "tollgate:";
}

/// `[security_log]` and `[tracing]`.
pub(crate) mod observe {
    use super::*;

    pub(crate) const MAX_PER_SECOND: Setting<u32> = Setting::new("max_per_second", 50, 1, 10_000);
    pub(crate) const SERVICE_NAME: &str = "tollgate";
    /// In millionths.
    pub(crate) const RATIO: u32 = 10_000;
}

/// `[[expect]]`.
pub(crate) mod expect {
    use super::*;

    /// The most access tests that a file can have.
    pub(crate) const MAX_EXPECTATIONS: usize = 10_000;
    /// The statuses of the gateway's own answers.
    pub(crate) const STATUS: Bounds<u32> = Bounds { name: "result", least: 400, most: 599 };
}

/// `[[routes]]`.
pub(crate) mod routes {
    use super::*;

    /// The whole body is in memory at once.
    pub(crate) const BUFFER_REQUEST: Bounds<Size> =
        Bounds { name: "buffer_request", least: Size(1), most: Size(64 << 20) };
}

/// `[token_service.jwt]`.
pub(crate) mod jwt {
    use super::*;

    /// As long as a token lives by default, so that a token needs one JWT.
    pub(crate) const LIFETIME: Setting<Duration> =
        Setting::new("lifetime", seconds(300), seconds(10), seconds(3_600));
    pub(crate) const ROTATE_EVERY: Setting<Duration> =
        Setting::new("rotate_every", seconds(30 * 86_400), seconds(60), seconds(3_650 * 86_400));
    pub(crate) const PUBLISH_BEFORE: Setting<Duration> =
        Setting::new("publish_before", seconds(3_600), seconds(1), seconds(30 * 86_400));
}

/// A rate: `{ rate = "100/s", burst = 200 }`.
pub(crate) mod rates {
    use super::*;

    pub(crate) const BURST: Bounds<u32> = Bounds { name: "burst", least: 1, most: u32::MAX };
}

/// `health_check` of an upstream.
pub(crate) mod health_check {
    use super::*;

    pub(crate) const INTERVAL: Setting<Duration> = Setting::timeout("interval", seconds(5));
    /// Or the interval, if that is shorter.
    pub(crate) const TIMEOUT: Setting<Duration> = Setting::timeout("timeout", seconds(2));
    pub(crate) const HEALTHY_AFTER: Setting<u32> = Setting::new("healthy_after", 1, 1, 1_000);
    pub(crate) const UNHEALTHY_AFTER: Setting<u32> = Setting::new("unhealthy_after", 3, 1, 1_000);
    /// The statuses of a good answer.
    pub(crate) const STATUS: (u16, u16) = (200, 399);
    /// The statuses that a good answer can have at all.
    pub(crate) const STATUSES: (u16, u16) = (200, 599);
}

/// `ejection` of an upstream.
pub(crate) mod ejection {
    use super::*;

    pub(crate) const FAILURES: Setting<u32> = Setting::new("failures", 5, 1, 1_000);
    pub(crate) const FOR: Setting<Duration> = Setting::timeout("for", seconds(10));
    /// Or `for`, if that is longer.
    pub(crate) const MAX: Setting<Duration> = Setting::timeout("max", seconds(300));
    pub(crate) const RETURN_OVER: Setting<Duration> = Setting::timeout("return_over", seconds(10));
}

/// `retry_budget` of an upstream.
pub(crate) mod retry_budget {
    use super::*;

    pub(crate) const PERCENT: Setting<u32> = Setting::new("percent", 20, 0, 100);
    pub(crate) const MIN_PER_SECOND: Setting<u32> = Setting::new("min_per_second", 10, 0, 1_000_000);
}

/// `cors` of a route.
pub(crate) mod cors {
    use super::*;

    pub(crate) const MAX_AGE: Bounds<Duration> = Bounds { name: "max_age", least: Duration::ZERO, most: DAY };
}

//! The arguments of `tollgate bench`, and the plan that they make.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use http::Method;

use crate::bench::plan::{Plan, RequestLine, Wanted};
use crate::bench::scenario::Kind;
use crate::cli::failure::Failure;
use crate::config::parse_duration;

const LONGEST: Duration = Duration::from_secs(3600);
/// What a machine has descriptors for, if it is generous.
const MOST_CONNECTIONS: usize = 50_000;
const MOST_THREADS: usize = 256;
const MOST_TOKENS: usize = 10_000;
const MOST_ROUNDS: usize = 1_000;
/// Nothing can be told from less.
const SHORTEST_ROUND: Duration = Duration::from_millis(10);
const HIGHEST_RATE: f64 = 1e6;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The gateway's origin; left out: the configuration's first listener or, if nothing listens there, a gateway of
    /// its own as with --own.
    #[arg(long, value_name = "URL", conflicts_with = "own")]
    url: Option<String>,
    /// Start a gateway of this configuration on a free port for the time of the run, before a stand-in API. Its limits
    /// (rate_limit, max_in_flight, allow, deny) are lifted, and it has a client that exists only there.
    #[arg(long)]
    own: bool,
    /// Allow a gateway, or an API behind it, on another machine. Make sure that nobody depends on it.
    #[arg(long)]
    remote: bool,
    /// The client whose tokens are used; may be left out where only one client can get tokens with a secret.
    #[arg(long, value_name = "ID", conflicts_with = "own")]
    client: Option<String>,
    /// Its secret. Others on this machine can see it here: rather set TOLLGATE_CLIENT_SECRET, or pipe it in.
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true, conflicts_with = "own")]
    secret: Option<String>,
    /// A scope of the tokens, may be given several times; left out: what the route needs.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The protected route; left out: the first one that takes GET and lets the client in.
    #[arg(long, num_args = 2, value_names = ["METHOD", "PATH"])]
    route: Option<Vec<String>>,
    /// The public route to compare with; left out: the first one that takes GET. A gateway of its own makes one.
    #[arg(long, num_args = 2, value_names = ["METHOD", "PATH"], conflicts_with = "own")]
    public_route: Option<Vec<String>>,
    /// What to measure, several with commas; left out: all that the gateway has (`invalid` only with --own).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    scenario: Vec<Kind>,
    /// Requests at once. Over HTTP/1.1 that many connections, with --http2 one connection a thread.
    #[arg(long, value_name = "N", default_value = "32")]
    connections: NonZeroUsize,
    /// Threads of the load; left out: half as many as cores.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// How long each scenario is measured, all its rounds together.
    #[arg(long, value_name = "TIME", default_value = "4s", value_parser = duration)]
    duration: Duration,
    /// In how many rounds, in turn with the other scenarios.
    #[arg(long, value_name = "N", default_value = "5")]
    rounds: NonZeroUsize,
    /// Requests a second of the scenario `fixed`; left out: half of what the protected route answered at full load.
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// Tokens that are used in turn.
    #[arg(long, value_name = "N", default_value = "100")]
    tokens: NonZeroUsize,
    /// The most tokens that the scenario `issuing` may get in all (1000000 with --own, else 20000).
    #[arg(long, value_name = "N")]
    max_issued: Option<u64>,
    /// Speak HTTP/2.
    #[arg(long)]
    http2: bool,
    /// Do not check the gateway's certificate.
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Trust the certificates in this file (PEM) beside the system's and the configuration's.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Write the figures to this file as JSON; `-` prints them instead of the table.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write a report with plots to this file.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Be the gateway that `--own` starts.
    #[arg(long, hide = true)]
    pub(super) as_gateway: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(duration) if duration.is_zero() || duration > LONGEST => Err("is not from 1ms to 1h".into()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}: write it as \"4s\" or \"1m\"")),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.1..=HIGHEST_RATE).contains(&rate) => Ok(rate),
        _ => Err("is not from 0.1 to 1000000".into()),
    }
}

impl Arguments {
    /// Returns the secret that was given as an argument.
    pub(super) fn secret(&self) -> Option<String> {
        self.secret.clone()
    }

    /// Checks the arguments against each other and makes the plan.
    pub(super) fn plan(&self) -> Result<Plan, Failure> {
        let most = |name: &str, value: NonZeroUsize, most: usize| {
            if value.get() <= most {
                Ok(value.get())
            } else {
                Err(Failure::config(format!("--{name} {value} is more than {most}")))
            }
        };
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let wanted = match &self.url {
            Some(url) => Wanted::Url(url.clone()),
            None if self.own => Wanted::Temporary,
            None => Wanted::RunningOrTemporary,
        };
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| self.scenario.contains(kind)).collect();
        if self.rate.is_some() && !kinds.is_empty() && !kinds.contains(&Kind::Fixed) {
            return Err(Failure::config(
                "--rate is the rate of --scenario fixed, which is not among those named",
            ));
        }
        let rounds = most("rounds", self.rounds, MOST_ROUNDS)?;
        if self.duration < SHORTEST_ROUND * u32::try_from(rounds).unwrap_or(u32::MAX) {
            return Err(Failure::config(
                "rounds shorter than 10 ms tell nothing: more --duration, or fewer --rounds",
            ));
        }
        Ok(Plan {
            wanted,
            remote: self.remote,
            client: self.client.clone(),
            scopes: self.scopes.clone(),
            route: self.route.as_deref().map(line).transpose()?,
            public_route: self.public_route.as_deref().map(line).transpose()?,
            kinds,
            connections: most("connections", self.connections, MOST_CONNECTIONS)?,
            threads: match self.threads {
                Some(threads) => most("threads", threads, MOST_THREADS)?,
                None => (cores / 2).clamp(1, MOST_THREADS),
            },
            duration: self.duration,
            rounds,
            rate: self.rate,
            tokens: most("tokens", self.tokens, MOST_TOKENS)?,
            max_issued: self.max_issued,
            http2: self.http2,
            insecure: self.insecure,
            ca: self.ca.clone(),
        })
    }
}

fn line(words: &[String]) -> Result<RequestLine, Failure> {
    let [method, path] = words else {
        return Err(Failure::config("a route is a method and a path"));
    };
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| Failure::config(format!("{method:?} is no method")))?;
    if matches!(method, Method::CONNECT | Method::TRACE) {
        return Err(Failure::config(format!("{method} is taken on no route")));
    }
    let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !is_path {
        return Err(Failure::config(format!("{path:?} is no path: it begins with a slash, like /orders/1")));
    }
    Ok(RequestLine { method, path: path.clone() })
}

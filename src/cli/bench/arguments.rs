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
/// More connections than most machines have file descriptors for.
const MOST_CONNECTIONS: usize = 50_000;
const MOST_THREADS: usize = 256;
const MOST_TOKENS: usize = 10_000;
const MOST_ROUNDS: usize = 1_000;
/// A shorter round gives no meaningful figure.
const SHORTEST_ROUND: Duration = Duration::from_millis(10);
const HIGHEST_RATE: f64 = 1e6;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The origin of the gateway. Default: the configuration's first listener or, if nothing listens there, a
    /// temporary gateway as with --own.
    #[arg(long, value_name = "URL", conflicts_with = "own")]
    url: Option<String>,
    /// Start a temporary gateway of this configuration on a free port, in front of a stand-in API. It has no
    /// limits (rate_limit, max_in_flight, allow, deny), and a client that exists only there.
    #[arg(long)]
    own: bool,
    /// Allow a gateway, or an API behind it, on another machine. Make sure that nobody else needs it
    /// meanwhile.
    #[arg(long)]
    remote: bool,
    /// The client whose tokens are used. Needed unless only one client can get tokens with a secret.
    #[arg(long, value_name = "ID", conflicts_with = "own")]
    client: Option<String>,
    /// The client's secret. Other users of this machine can see arguments: better set TOLLGATE_CLIENT_SECRET,
    /// or pipe the secret in.
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true, conflicts_with = "own")]
    secret: Option<String>,
    /// A scope of the tokens; may be given several times. Default: the scopes that the route needs.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The protected route. Default: the first one for GET that the client gets through.
    #[arg(long, num_args = 2, value_names = ["METHOD", "PATH"])]
    route: Option<Vec<String>>,
    /// The public route to compare with. Default: the first one for GET. A temporary gateway has one of its
    /// own.
    #[arg(long, num_args = 2, value_names = ["METHOD", "PATH"], conflicts_with = "own")]
    public_route: Option<Vec<String>>,
    /// The scenarios, separated by commas. Default: all that the gateway has (`invalid` only with --own).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    scenario: Vec<Kind>,
    /// How many requests are in flight. HTTP/1.1 uses a connection for each, --http2 one connection per
    /// thread.
    #[arg(long, value_name = "N", default_value = "32")]
    connections: NonZeroUsize,
    /// How many threads make the load. Default: half as many as there are cores.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// How long each scenario is measured, in all of its rounds together.
    #[arg(long, value_name = "TIME", default_value = "4s", value_parser = duration)]
    duration: Duration,
    /// How many rounds each scenario has. The scenarios take turns.
    #[arg(long, value_name = "N", default_value = "5")]
    rounds: NonZeroUsize,
    /// The rate of the scenario `fixed`, in requests per second. Default: half of the rate at full load.
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// How many tokens are used in turn.
    #[arg(long, value_name = "N", default_value = "100")]
    tokens: NonZeroUsize,
    /// The most tokens that the scenario `issuing` may get in all (1000000 with --own, else 20000).
    #[arg(long, value_name = "N")]
    max_issued: Option<u64>,
    /// Use HTTP/2.
    #[arg(long)]
    http2: bool,
    /// Do not verify the gateway's certificate.
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Trust the certificates in this file (PEM), beyond those of the system and of the configuration.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Write the figures to this file as JSON; `-` prints them instead of the table.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write a report with plots to this file.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Serve as the temporary gateway of `--own`.
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
                "rounds shorter than 10 ms give no meaningful figures: use a longer --duration, or fewer --rounds",
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
        .map_err(|_| Failure::config(format!("\"{method}\" is not a method")))?;
    if matches!(method, Method::CONNECT | Method::TRACE) {
        return Err(Failure::config(format!("{method} is allowed on no route")));
    }
    let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !is_path {
        return Err(Failure::config(format!(
            "\"{path}\" is not a path: it must begin with a slash, as in /orders/1"
        )));
    }
    Ok(RequestLine { method, path: path.clone() })
}

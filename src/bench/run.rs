//! One run of a benchmark: what is sent, and in which order.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::time::Instant;

use crate::bench::cpu;
use crate::bench::error::BenchError;
use crate::bench::gateway::Gateway;
use crate::bench::http1::Http1;
use crate::bench::load::{Load, Round};
use crate::bench::outcome::{Machine, Measured, Outcome, Settings, Target, rate};
use crate::bench::plan::Plan;
use crate::bench::progress::Progress;
use crate::bench::report;
use crate::bench::routes::Choice;
use crate::bench::scenario::{Kind, Message, Scenario};
use crate::bench::tokens::{self, Tokens};
use crate::config::Scheme;
use crate::oauth::secret::Secret;
use crate::oauth::token::AccessToken;

/// The load before the first round.
const WARM_UP: Duration = Duration::from_millis(300);
/// The load that finds a rate if none is given and none was measured.
const CALIBRATION: Duration = Duration::from_secs(1);
/// How long one request before the load may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many tokens that were never issued are used in turn.
const INVALID_TOKENS: usize = 64;

/// Measures every scenario. Returns the figures and the tokens that are still valid.
///
/// # Errors
/// Fails if the gateway does not answer as it should, or the load cannot be made.
pub(crate) fn run(gateway: &Gateway, plan: &Plan) -> Result<(Outcome, Vec<Secret>), BenchError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The first signal ends the measurement, the second one the process.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| BenchError::failed(format!("cannot handle signals: {error}")))?;
    }
    let load = Load {
        destination: gateway.destination.clone(),
        threads: plan.threads,
        connections: plan.connections,
        server: gateway.process,
        stop: Arc::clone(&stop),
    };
    let closed: Vec<Kind> = gateway.kinds.iter().copied().filter(|kind| *kind != Kind::Fixed).collect();
    let fixed = gateway.kinds.contains(&Kind::Fixed);
    let mut run = Run {
        gateway,
        plan,
        load,
        tokens: Tokens::default(),
        began: Instant::now(),
        progress: Progress::new(closed.len() * plan.rounds + usize::from(fixed)),
        outcome: outcome(gateway, plan),
    };
    run.look_first()?;
    run.began = Instant::now();
    let whole = run.rounds(&closed)?;
    if fixed && whole {
        run.fixed()?;
    }
    run.outcome.interrupted = stop.load(Ordering::Relaxed);
    Ok((run.outcome, run.tokens.all))
}

struct Run<'a> {
    gateway: &'a Gateway,
    plan: &'a Plan,
    load: Load,
    tokens: Tokens,
    began: Instant,
    progress: Progress,
    outcome: Outcome,
}

impl Run<'_> {
    /// Sends each request once, so that a scenario that does not work at all is not measured.
    fn look_first(&mut self) -> Result<(), BenchError> {
        for kind in self.gateway.kinds.clone() {
            let scenario = self.scenario(kind, Duration::ZERO)?;
            let Some(message) = scenario.messages.first() else { continue };
            let exchange = async {
                let mut connection = Http1::new(self.gateway.plain.connect().await?);
                connection.exchange(&message.http1, scenario.is_head(), None).await
            };
            let answer = tokens::within(TIMEOUT, exchange)?;
            let (title, origin) = (kind.title(), &self.gateway.origin);
            match answer {
                None => {
                    let seconds = TIMEOUT.as_secs();
                    return Err(BenchError::failed(format!(
                        "{title}: {origin} does not answer within {seconds} s"
                    )));
                }
                Some(Err(fault)) => return Err(BenchError::failed(format!("{title}, {origin}: {fault}"))),
                Some(Ok(answer)) if scenario.expects(answer.status) => {}
                Some(Ok(answer)) => {
                    return Err(BenchError::failed(format!(
                        "{title}: {origin} answers {} with status {}, so there is nothing to measure; --route and \
                         --scope choose something else",
                        self.line(kind),
                        answer.status
                    )));
                }
            }
        }
        if let Some(kind) = self.gateway.kinds.first() {
            let scenario = self.scenario(*kind, WARM_UP)?;
            self.progress.now("warming up");
            self.drive(&scenario, WARM_UP, &|_| {})?;
        }
        Ok(())
    }

    fn line(&self, kind: Kind) -> String {
        let choice = match kind {
            Kind::Public => &self.gateway.public,
            Kind::Issuing => return format!("POST {}", self.gateway.token_path),
            Kind::Protected | Kind::Invalid | Kind::Fixed => &self.gateway.protected,
        };
        choice.as_ref().map(Choice::text).unwrap_or_default()
    }

    /// Measures all rounds; each scenario is first in one of them. Returns false if the run was interrupted.
    fn rounds(&mut self, kinds: &[Kind]) -> Result<bool, BenchError> {
        let rounds = u32::try_from(self.plan.rounds).unwrap_or(u32::MAX);
        let duration = self.plan.duration / rounds;
        self.outcome.measured =
            kinds.iter().map(|kind| Measured { kind: *kind, offered: None, rounds: Vec::new() }).collect();
        for round in 0..self.plan.rounds {
            for turn in 0..kinds.len() {
                let at = (round + turn) % kinds.len();
                let Some(kind) = kinds.get(at).copied() else { continue };
                let scenario = self.scenario(kind, duration)?;
                let what = format!("{}, round {} of {}", kind.title(), round + 1, self.plan.rounds);
                let Some(result) = self.measure(&scenario, duration, &what)? else {
                    self.outcome.drop_incomplete_round();
                    return Ok(false);
                };
                let is_dead = result.1.tally.answers() == 0 && result.1.tally.faults() > 0;
                if let Some(measured) = self.outcome.measured.get_mut(at) {
                    measured.rounds.push(result);
                }
                if is_dead {
                    self.outcome
                        .notes
                        .push("The gateway stopped answering, so the rest was not measured.".into());
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn fixed(&mut self) -> Result<(), BenchError> {
        let offered = match self.plan.rate {
            Some(rate) => rate,
            None => match self.half_of_full()? {
                Some(rate) => rate,
                None => return Ok(()),
            },
        };
        let mut scenario = self.scenario(Kind::Fixed, self.plan.duration)?;
        scenario.rate = Some(offered);
        let what = format!("{}, {} requests/s", Kind::Fixed.title(), report::rate(offered));
        let rounds = self.measure(&scenario, self.plan.duration, &what)?.into_iter().collect();
        self.outcome.measured.push(Measured { kind: Kind::Fixed, offered: Some(offered), rounds });
        Ok(())
    }

    /// Returns half of the rate that the protected route has at full load, or `None` if it has none.
    fn half_of_full(&mut self) -> Result<Option<f64>, BenchError> {
        let full = match self.outcome.of(Kind::Protected).and_then(Measured::rate) {
            Some(spread) => spread.median,
            None => {
                let scenario = self.scenario(Kind::Protected, CALIBRATION)?;
                self.progress.now("measuring full load");
                rate(&self.drive(&scenario, CALIBRATION, &|_| {})?)
            }
        };
        // Two digits are precise enough for a rate that is only a default.
        let unit = 10_f64.powf((full / 2.0).max(1.0).log10().floor() - 1.0);
        let half = (full / 2.0 / unit).floor() * unit;
        Ok((half >= 0.1).then_some(half))
    }

    /// Measures one round. Returns `None` if it was interrupted before anything was answered.
    fn measure(
        &mut self,
        scenario: &Scenario,
        duration: Duration,
        what: &str,
    ) -> Result<Option<(f64, Round)>, BenchError> {
        if self.load.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.progress.begin();
        self.progress.now(what);
        let at = self.began.elapsed().as_secs_f64();
        let progress = std::cell::RefCell::new(&mut self.progress);
        let tick =
            |rate: f64| progress.borrow_mut().now(&format!("{what}: {} requests/s", report::rate(rate)));
        let round = drive(&self.load, scenario, duration, &tick)?;
        if self.load.stop.load(Ordering::Relaxed) && round.tally.answers() == 0 {
            return Ok(None);
        }
        self.progress.done(&format!("{what}: {} requests/s", report::rate(rate(&round))));
        Ok(Some((at, round)))
    }

    fn drive(
        &self,
        scenario: &Scenario,
        duration: Duration,
        tick: &dyn Fn(f64),
    ) -> Result<Round, BenchError> {
        drive(&self.load, scenario, duration, tick)
    }

    /// Makes a scenario with its requests. Tokens that would expire in the meantime are replaced first.
    fn scenario(&mut self, kind: Kind, duration: Duration) -> Result<Scenario, BenchError> {
        if kind.needs_tokens() && !self.tokens.last(duration) {
            self.progress.now("getting tokens");
            tokens::revoke(self.gateway, &std::mem::take(&mut self.tokens).all);
            self.tokens = Tokens::get(self.gateway, self.plan.tokens)?;
        }
        let messages = match kind {
            Kind::Public => self.requests(&self.gateway.public, [None])?,
            Kind::Protected | Kind::Fixed => {
                let tokens = self.tokens.all.iter().map(|token| Some(token.expose()));
                self.requests(&self.gateway.protected, tokens)?
            }
            Kind::Invalid => {
                let tokens: Vec<AccessToken> =
                    (0..INVALID_TOKENS).map(|_| not_issued()).collect::<Result<_, BenchError>>()?;
                self.requests(&self.gateway.protected, tokens.iter().map(|token| Some(token.expose())))?
            }
            Kind::Issuing => vec![tokens::request(self.gateway)?],
        };
        let most = (kind == Kind::Issuing).then(|| {
            (self.plan.max_issued(self.gateway.temporary.is_some()) / self.plan.rounds as u64).max(1)
        });
        Ok(Scenario { kind, messages: messages.into(), rate: None, most })
    }

    fn requests<'t>(
        &self,
        choice: &Option<Choice>,
        tokens: impl IntoIterator<Item = Option<&'t str>>,
    ) -> Result<Vec<Message>, BenchError> {
        let Some(choice) = choice else { return Ok(Vec::new()) };
        let (origin, authority) = (self.gateway.origin.to_string(), self.gateway.authority());
        let host = choice.host.as_deref().unwrap_or(&authority);
        let line = &choice.line;
        let request = |token: Option<&str>| {
            let bearer = token.map(|token| Secret::new(format!("Bearer {token}")));
            let mut fields = vec![("Accept", "*/*"), ("User-Agent", "tollgate-bench")];
            fields.extend(bearer.as_ref().map(|bearer| ("Authorization", bearer.expose())));
            Message::new(&line.method, &origin, host, &line.path, &fields, None).map_err(BenchError::failed)
        };
        tokens.into_iter().map(request).collect()
    }
}

fn drive(
    load: &Load,
    scenario: &Scenario,
    duration: Duration,
    tick: &dyn Fn(f64),
) -> Result<Round, BenchError> {
    load.round(scenario, duration, &mut |rate| tick(rate))
        .map_err(|error| BenchError::failed(format!("the load cannot be made: {error}")))
}

/// Makes a well-formed token that was never issued.
fn not_issued() -> Result<AccessToken, BenchError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|error| BenchError::failed(format!("the system gives no random bytes: {error}")))?;
    Ok(AccessToken::from_random(&random))
}

fn outcome(gateway: &Gateway, plan: &Plan) -> Outcome {
    Outcome {
        started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        target: Target {
            url: gateway.origin.to_string(),
            own: gateway.temporary.is_some(),
            process: gateway.process.map(|process| process.id),
            http2: plan.http2,
            tls: gateway.origin.scheme == Scheme::Https,
            route: gateway.protected.as_ref().map(Choice::text),
            public_route: gateway.public.as_ref().map(Choice::text),
        },
        machine: Machine {
            cores: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            model: cpu::model(),
            shared: gateway.destination.address.ip().is_loopback(),
        },
        settings: Settings {
            connections: plan.connections,
            threads: plan.threads,
            tokens: plan.tokens,
            rounds: plan.rounds,
            duration: plan.duration,
        },
        measured: Vec::new(),
        notes: gateway.notes.clone(),
        interrupted: false,
    }
}

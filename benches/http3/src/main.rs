//! Compares HTTP/3 with HTTP/2 over TLS: the processor time of the server for a protected request.

#[path = "../../../tests/support/any_certificate.rs"]
mod any_certificate;
mod client;
mod server;

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// The rounds of each protocol and each number of requests in flight.
const ROUNDS: usize = 9;
/// The requests of a round.
const REQUESTS: usize = 20_000;

/// A protocol that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/2 over TLS.
    Http2,
    /// HTTP/3 over QUIC.
    Http3,
}

impl Protocol {
    const ALL: [Self; 2] = [Self::Http2, Self::Http3];

    fn name(self) -> &'static str {
        match self {
            Self::Http2 => "http2",
            Self::Http3 => "http3",
        }
    }
}

impl FromStr for Protocol {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let found = Self::ALL.into_iter().find(|protocol| protocol.name() == text);
        found.ok_or_else(|| format!("{text} is no protocol").into())
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => measure(),
        ["server", protocol] => on_one_thread(server::serve(protocol.parse()?)),
        ["client", protocol, address, token, in_flight, requests] => {
            let load = client::Load {
                address: address.parse()?,
                token: (*token).to_owned(),
                in_flight: in_flight.parse()?,
                requests: requests.parse()?,
            };
            let spent = on_one_thread(client::run(protocol.parse()?, load))?;
            println!("{spent}");
            Ok(())
        }
        _ => Err("there are no arguments to give".into()),
    }
}

fn on_one_thread<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Runs all rounds and prints the medians.
fn measure() -> Result<(), Failure> {
    let servers = [Server::start(Protocol::Http2)?, Server::start(Protocol::Http3)?];
    println!("microseconds of processor time of the server for each request, median of {ROUNDS} rounds\n");
    println!("{:>10} {:>8} {:>8} {:>8}", "in flight", "http2", "http3", "ratio");
    for in_flight in [1, 16] {
        let mut spent = [Vec::new(), Vec::new()];
        // A round of each protocol warms it up.
        for round in 0..=ROUNDS {
            for (server, spent) in servers.iter().zip(&mut spent) {
                let nanos = server.load(in_flight)?;
                if round > 0 {
                    spent.push(nanos as f64 / REQUESTS as f64 / 1_000.0);
                }
            }
        }
        let [http2, http3] = spent.map(median);
        println!("{in_flight:>10} {http2:>8.1} {http3:>8.1} {:>8.2}", http3 / http2);
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A server process, which ends with this.
struct Server {
    process: Child,
    protocol: Protocol,
    address: SocketAddr,
    token: String,
}

impl Server {
    fn start(protocol: Protocol) -> Result<Self, Failure> {
        let mut process = pinned(0)?.args(["server", protocol.name()]).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let (address, token) = line.trim().split_once(' ').ok_or("the server does not start")?;
        Ok(Self { address: address.parse()?, token: token.to_owned(), process, protocol })
    }

    /// Sends a round of requests, and returns the processor time of the server in nanoseconds.
    fn load(&self, in_flight: usize) -> Result<u64, Failure> {
        let output = pinned(1)?
            .args(["client", self.protocol.name(), &self.address.to_string(), &self.token])
            .args([in_flight.to_string(), REQUESTS.to_string()])
            .stderr(Stdio::inherit())
            .output()?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns a command that runs this program on one core.
fn pinned(core: usize) -> Result<Command, Failure> {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(std::env::current_exe()?);
    Ok(command)
}

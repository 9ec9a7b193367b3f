//! The process of a temporary gateway.

use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::thread;

use crate::bench::error::BenchError;
use crate::bench::temporary::order::Order;
use crate::change::environment::read_config;
use crate::config::Issuer;
use crate::gate::{Gate, GateSpec};
use crate::gateway::{build, settings, start};
use crate::proxy::pipeline::Proxy;
use crate::server::Bound;

/// Serves as the temporary gateway until standard input ends.
///
/// # Errors
/// Fails if the order or the configuration is invalid.
pub(crate) fn serve(path: &Path) -> Result<(), BenchError> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(BenchError::failed)?;
    let order = Order::parse(&line)
        .ok_or_else(|| BenchError::usage("only `tollgate bench --own` uses --as-gateway"))?;
    let mut config = read_config(path)?;
    order.apply(&mut config);
    let rules = build::rules(&config, None)?;
    let bound = Bound::bind(settings::server_options(&config)?).map_err(BenchError::usage)?;
    let address = bound.listeners().first().map(crate::server::Listener::addr);
    settings::name_issuer(&mut config, &bound);
    // No keys are fetched: the only client that is used has none.
    let gate = Gate::builder(GateSpec::from(&config))
        .max_tokens(usize::try_from(config.token_service.max_tokens.get()).unwrap_or(usize::MAX))
        .build()
        .map_err(BenchError::failed)?;
    let proxy: &'static Proxy = Box::leak(Box::new(Proxy::new(gate, rules)));
    let listener = config.server.listen.first().zip(address);
    let url = listener.map(|(listener, address)| Issuer::of_listener(listener.protocol.scheme(), address));
    let mut stdout = io::stdout();
    url.map_or(Ok(()), |url| writeln!(stdout, "{url}"))
        .and_then(|()| stdout.flush())
        .map_err(BenchError::failed)?;
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // The parent process has ended.
        std::process::exit(0);
    });
    let _ = start::serve(&config, bound, proxy, || ());
    Ok(())
}

//! Makes a client secret, and the hash of it that gateway.toml keeps.
//!
//! ```text
//! cargo run --release --example client_secret
//! ```

use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tollgate::gate::SecretHash;
use tollgate::oauth::secret::Secret;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut random, mut salt) = ([0; 32], [0; 16]);
    getrandom::fill(&mut random)?;
    getrandom::fill(&mut salt)?;
    let secret = Secret::new(URL_SAFE_NO_PAD.encode(random));
    println!("secret, for the client, shown only now:  {}", secret.expose());
    println!("hash, for gateway.toml:  {}", SecretHash::of(&secret, &salt)?.to_phc());
    Ok(())
}

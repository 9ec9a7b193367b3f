//! Certificates of servers as they are found: self-signed by openssl, pinned, or not verified at all.

use crate::support::{Config, Conn, Gateway, get};
use base64::Engine as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

fn openssl(folder: &Path, arguments: &str) -> Vec<u8> {
    let output =
        Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("openssl");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Makes a certificate as tutorials do: it is its own authority, and has a name only in its subject.
fn self_signed(folder: &Path, name: &str) {
    let made = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=legacy -days 30 -keyout \
         {name}.key -out {name}.pem"
    );
    openssl(folder, &made);
}

/// Makes a certificate of the same kind that has expired.
fn expired(folder: &Path, name: &str) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut certificate = rcgen::CertificateParams::default();
    certificate.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    certificate.not_before = rcgen::date_time_ymd(2020, 1, 1);
    certificate.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let certificate = certificate.self_signed(&key).expect("a certificate");
    std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).expect("a file");
    std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).expect("a file");
}

/// Serves one 200 per connection with a certificate, and counts the requests.
fn serve(folder: &Path, name: &str, requests: &Arc<AtomicUsize>) -> SocketAddr {
    let requests = Arc::clone(requests);
    use rustls_pki_types::pem::PemObject as _;
    let certificate = rustls_pki_types::CertificateDer::from_pem_file(folder.join(format!("{name}.pem")))
        .expect("a certificate");
    let key =
        rustls_pki_types::PrivateKeyDer::from_pem_file(folder.join(format!("{name}.key"))).expect("a key");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a server's configuration");
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let (config, requests) = (Arc::clone(&config), Arc::clone(&requests));
            thread::spawn(move || {
                let mut connection = rustls::ServerConnection::new(config).expect("a session");
                let mut stream = rustls::Stream::new(&mut connection, &mut socket);
                if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                    requests.fetch_add(1, Relaxed);
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
                    let _ = stream.flush();
                }
            });
        }
    });
    address
}

/// Returns the pin of a certificate's key, as the documentation says it is made.
fn pin(folder: &Path, name: &str) -> String {
    openssl(folder, &format!("x509 -in {name}.pem -pubkey -noout -out {name}.pub"));
    let key = openssl(folder, &format!("pkey -pubin -in {name}.pub -outform der"));
    std::fs::write(folder.join("key.der"), key).expect("a file");
    let digest = openssl(folder, "dgst -sha256 -binary key.der");
    base64::engine::general_purpose::STANDARD.encode(digest)
}

#[test]
fn a_server_is_trusted_as_the_configuration_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    self_signed(folder, "own");
    self_signed(folder, "other");
    expired(folder, "expired");
    let requests = Arc::new(AtomicUsize::new(0));
    let (own, expired) = (serve(folder, "own", &requests), serve(folder, "expired", &requests));
    let ca = |name: &str| format!("ca = {:?}", folder.join(format!("{name}.pem")));
    let pins = |names: &[&str]| {
        let pins: Vec<String> = names.iter().map(|name| format!("{:?}", pin(folder, name))).collect();
        format!("pin_sha256 = [{}]", pins.join(", "))
    };
    let of_own = [
        (ca("own"), true, false),
        (ca("other"), false, false),
        (pins(&["own"]), true, false),
        (pins(&["other", "own"]), true, false),
        (pins(&["other"]), false, false),
        (format!("{}, {}", ca("own"), pins(&["own"])), true, false),
        (format!("{}, {}", ca("own"), pins(&["other"])), false, false),
        (format!("{}, {}", ca("other"), pins(&["own"])), false, false),
        ("insecure_skip_verify = true".to_owned(), true, true),
        ("server_name = \"legacy\"".to_owned(), false, false),
    ];
    // A pin is of the key, which does not expire.
    let of_expired = [(ca("expired"), false, false), (pins(&["expired"]), true, false)];
    let cases = of_own.into_iter().map(|case| (own, case));
    for (address, (tls, passes, warns)) in cases.chain(of_expired.into_iter().map(|case| (expired, case))) {
        let before = requests.load(Relaxed);
        let upstream = format!("[upstreams.api]\nservers = [\"https://{address}\"]\ntls = {{ {tls} }}\n");
        let route = "prefix = \"/\"\naccess = \"public\"\nupstream = \"api\"";
        let gateway = Gateway::start(&Config::bare().table(&upstream).route(route));
        let answer = Conn::plain(gateway.plain()).request(get("/", &[]));
        assert_eq!(answer.code(), if passes { 200 } else { 502 }, "{tls}\n{}", gateway.written());
        assert_eq!(requests.load(Relaxed) - before, usize::from(passes), "{tls}: what reached the server");
        if warns {
            gateway.wait_for("insecure_skip_verify");
        }
        assert_eq!(gateway.written().contains("insecure_skip_verify"), warns, "{tls}\n{}", gateway.written());
    }
}

//! A minimal client: one request on one connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends a head and a body unchanged. Returns the status and the whole answer.
pub(crate) async fn ask(server: SocketAddr, head: &str, body: &str) -> std::io::Result<(u16, String)> {
    let mut connection = TcpStream::connect(server).await?;
    let request = format!(
        "{}\r\nHost: {server}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        head.trim_end(),
        body.len()
    );
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok((status, answer))
}

/// Gets a token from the token endpoint, as every client does.
pub(crate) async fn token(server: SocketAddr, scope: &str) -> std::io::Result<String> {
    let head = "POST /oauth/v2/oauth-token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    let form =
        format!("grant_type=client_credentials&client_id=server&client_secret=Password1&scope={scope}");
    let (status, answer) = ask(server, head, &form).await?;
    assert_eq!(status, 200, "{answer}");
    Ok(answer.split('"').skip_while(|part| *part != "access_token").nth(2).unwrap_or_default().to_owned())
}

//! The style sheet, the script and the icon. They are compiled in and addressed by their digest, so that
//! browsers can cache them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

use super::view::frame::Assets;

/// One file that pages load.
struct Asset {
    bytes: &'static [u8],
    media_type: &'static str,
    /// `/assets/`, the digest, and the name.
    path: String,
}

impl Asset {
    fn new(name: &str, media_type: &'static str, bytes: &'static [u8]) -> Self {
        let mut path = String::from("/assets/");
        for byte in Sha256::digest(bytes) {
            let _ = write!(path, "{byte:02x}");
        }
        let _ = write!(path, "/{name}");
        Self { bytes, media_type, path }
    }
}

static ALL: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        Asset::new("console.css", "text/css; charset=utf-8", include_bytes!("assets/console.css")),
        Asset::new("console.js", "text/javascript; charset=utf-8", include_bytes!("assets/console.js")),
        Asset::new("icon.svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
    ]
});

/// Returns the addresses for a page.
pub(super) fn addresses() -> Assets {
    let [style, script, icon] = &*ALL;
    Assets { style: &style.path, script: &script.path, icon: &icon.path }
}

/// Serves a file. The content at an address never changes.
pub(super) async fn serve(Path((digest, name)): Path<(String, String)>) -> Response {
    let path = format!("/assets/{digest}/{name}");
    let Some(asset) = ALL.iter().find(|asset| asset.path == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_small() {
        let [_, script, _] = &*ALL;
        assert!(script.bytes.len() <= 8 << 10, "{} bytes", script.bytes.len());
    }

    #[test]
    fn the_address_is_the_digest() {
        for asset in &*ALL {
            let digest = asset.path.split('/').nth(2).unwrap();
            assert_eq!(digest.len(), 64);
            assert!(digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
        assert_eq!(addresses().style, ALL[0].path);
    }
}

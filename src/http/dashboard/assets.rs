//! The files of the dashboard: embedded, named by what is in them, compressed once.
//!
//! All files share one folder `/ui/a/<sha8>/` whose name is taken from the bytes of
//! all of them, so modules find one another by relative paths and a browser may keep
//! every file for ever. The editor comes from `build.rs`; it is empty when it was not
//! bundled, and then it is not served.

use actix_web::HttpResponse;
use actix_web::http::header;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::LazyLock;

/// One embedded file.
#[derive(Clone, Copy, Debug)]
struct Asset {
    path: &'static str,
    mime: &'static str,
    bytes: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

macro_rules! own {
    ($path:literal, $mime:expr) => {
        Asset { path: $path, mime: $mime, bytes: include_bytes!(concat!("web/", $path)) }
    };
}

/// Where the bundled editor is served.
pub(super) const EDITOR: &str = "editor.js";

static ASSETS: &[Asset] = &[
    own!("app.css", STYLE),
    own!("app.js", SCRIPT),
    own!("icon.svg", IMAGE),
    own!("theme.js", SCRIPT),
    own!("lib/api.js", SCRIPT),
    own!("lib/changes.js", SCRIPT),
    own!("lib/dialog.js", SCRIPT),
    own!("lib/dom.js", SCRIPT),
    own!("lib/drafts.js", SCRIPT),
    own!("lib/editor.js", SCRIPT),
    own!("lib/format.js", SCRIPT),
    own!("lib/json.js", SCRIPT),
    own!("lib/keys.js", SCRIPT),
    own!("lib/live.js", SCRIPT),
    own!("lib/past.js", SCRIPT),
    own!("lib/profile.js", SCRIPT),
    own!("lib/review.js", SCRIPT),
    own!("lib/session.js", SCRIPT),
    own!("lib/snippets.js", SCRIPT),
    own!("lib/tabs.js", SCRIPT),
    own!("lib/tenants.js", SCRIPT),
    own!("pages/client.js", SCRIPT),
    own!("pages/client/grid.js", SCRIPT),
    own!("pages/clients.js", SCRIPT),
    own!("pages/history.js", SCRIPT),
    own!("pages/login.js", SCRIPT),
    own!("pages/overview.js", SCRIPT),
    own!("pages/past/gone.js", SCRIPT),
    own!("pages/past/history.js", SCRIPT),
    own!("pages/past/recent.js", SCRIPT),
    own!("pages/past/restore.js", SCRIPT),
    own!("pages/requests.js", SCRIPT),
    own!("pages/settings.js", SCRIPT),
    own!("pages/settings/snapshots.js", SCRIPT),
    own!("pages/snapshots.js", SCRIPT),
    own!("pages/tokens.js", SCRIPT),
    own!("pages/user.js", SCRIPT),
    own!("pages/user/claims.js", SCRIPT),
    own!("pages/user/delete.js", SCRIPT),
    own!("pages/user/details.js", SCRIPT),
    own!("pages/user/identity.js", SCRIPT),
    own!("pages/user/metadata.js", SCRIPT),
    own!("pages/user/provider.js", SCRIPT),
    own!("pages/user/raw.js", SCRIPT),
    own!("pages/users.js", SCRIPT),
    own!("pages/users/columns.js", SCRIPT),
    own!("pages/users/complete.js", SCRIPT),
    own!("pages/users/export.js", SCRIPT),
    own!("pages/users/import.js", SCRIPT),
    own!("pages/users/samples.js", SCRIPT),
    Asset {
        path: EDITOR,
        mime: SCRIPT,
        bytes: include_bytes!(concat!(env!("OUT_DIR"), "/editor.js")),
    },
    Asset {
        path: "licences.txt",
        mime: TEXT,
        bytes: include_bytes!(concat!(env!("OUT_DIR"), "/licences.txt")),
    },
];

/// The page everything is shown in; the only file that is filled in.
const INDEX: &str = include_str!("web/index.html");

/// A file ready to be sent.
#[derive(Debug)]
struct Served {
    mime: &'static str,
    bytes: Bytes,
    gzip: Option<Bytes>,
    etag: String,
}

/// All files, and the name of the folder they are in.
#[derive(Debug)]
struct Folder {
    name: String,
    files: BTreeMap<&'static str, Served>,
}

static SERVED: LazyLock<Folder> = LazyLock::new(prepare);

/// Reads a file of the dashboard while it is being worked on.
pub type ReadAsset = dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync;

/// The name of the folder while files are read from disk.
const WORKSHOP: &str = "workshop";

fn prepare() -> Folder {
    let mut all = Sha256::new();
    let present = ASSETS.iter().filter(|asset| !asset.bytes.is_empty());
    let files = present
        .map(|asset| {
            all.update(asset.path.as_bytes());
            all.update(asset.bytes);
            let served = Served {
                mime: asset.mime,
                bytes: Bytes::from_static(asset.bytes),
                gzip: compressed(asset.bytes),
                etag: format!("\"{}\"", hex(&Sha256::digest(asset.bytes))),
            };
            (asset.path, served)
        })
        .collect();
    Folder { name: hex(&all.finalize()).chars().take(8).collect(), files }
}

/// Compresses everything now rather than at the first request.
pub fn warm_up() {
    LazyLock::force(&SERVED);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

/// The bytes as gzip, where that is smaller.
fn compressed(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < bytes.len()).then(|| Bytes::from(packed))
}

/// Whether the bundled editor is there.
pub(super) fn has_editor() -> bool {
    SERVED.files.contains_key(EDITOR)
}

/// One file of the folder `folder`; none when there is no such file now.
pub(super) fn serve(
    folder: &str,
    path: &str,
    accept_encoding: &str,
    if_none_match: &str,
    read: Option<&ReadAsset>,
) -> Option<HttpResponse> {
    let file = SERVED.files.get(path)?;
    if let Some(bytes) = read.filter(|_| path != EDITOR).and_then(|read| read(path)) {
        let mut response = HttpResponse::Ok();
        response.insert_header((header::CONTENT_TYPE, file.mime));
        return Some(response.insert_header((header::CACHE_CONTROL, "no-store")).body(bytes));
    }
    if folder != SERVED.name && folder != WORKSHOP {
        return None;
    }
    let is_known = if_none_match.split(',').any(|tag| tag.trim() == file.etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::CONTENT_TYPE, file.mime))
        .insert_header((header::ETAG, file.etag.as_str()))
        .insert_header((header::VARY, "accept-encoding"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"));
    if is_known {
        return Some(response.finish());
    }
    let takes_gzip = accept_encoding.split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        name.trim().eq_ignore_ascii_case("gzip") && weight.replace(' ', "") != "q=0"
    });
    Some(match &file.gzip {
        Some(packed) if takes_gzip => {
            response.insert_header((header::CONTENT_ENCODING, "gzip")).body(packed.clone())
        }
        Some(_) | None => response.body(file.bytes.clone()),
    })
}

/// What only the page of one user or client needs, so that lists come without it.
const OF_ONE: &[&str] = &[
    "lib/changes.js",
    "lib/editor.js",
    "lib/live.js",
    "lib/past.js",
    "lib/profile.js",
    "lib/review.js",
    "lib/snippets.js",
    "lib/tabs.js",
];

/// Whether the address below `/ui/` is of one user or client.
fn is_of_one(address: &str) -> bool {
    let mut parts = address.split('/').skip(2);
    matches!(parts.next(), Some("users" | "clients")) && parts.next().is_some()
}

/// The shell with its folder, title and nonce filled in, and what the page at this address below
/// `/ui/` is made of named, so that a browser need not find out file by file.
pub(super) fn index(title: &str, nonce: &str, address: &str, read: Option<&ReadAsset>) -> String {
    let from_disk = read.and_then(|read| read("index.html"));
    let text = from_disk.and_then(|bytes| String::from_utf8(bytes).ok());
    let folder = if read.is_some() { WORKSHOP } else { &SERVED.name };
    let mut preload = String::new();
    let is_wanted = |path: &&&str| {
        **path == "app.js"
            || (path.starts_with("lib/") && (is_of_one(address) || !OF_ONE.contains(path)))
    };
    for path in SERVED.files.keys().filter(is_wanted) {
        writeln!(preload, "<link rel=\"modulepreload\" href=\"/ui/a/{folder}/{path}\">")
            .expect("writing to a string cannot fail");
    }
    text.as_deref()
        .unwrap_or(INDEX)
        .replace("{{preload}}", &preload)
        .replace("{{folder}}", folder)
        .replace("{{nonce}}", nonce)
        .replace("{{editor}}", if has_editor() { EDITOR } else { "" })
        .replace("{{title}}", &escaped(title))
}

/// Text that is safe between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_what_it_is_made_of_and_no_more() {
        let has = |address: &str, file: &str| index("", "", address, None).contains(file);
        assert!(OF_ONE.iter().all(|file| SERVED.files.contains_key(file)));
        for address in ["", "t/default", "t/default/users", "t/default/clients", "settings"] {
            assert!(has(address, "lib/api.js") && !has(address, "lib/review.js"), "{address}");
        }
        for address in ["t/default/users/auth0|1", "t/x/clients/c/history", "t/x/users/a/b"] {
            assert!(has(address, "lib/api.js") && has(address, "lib/review.js"), "{address}");
        }
        assert!(!has("t/default/users/auth0|1", "pages/"), "a page's own code comes with it");
    }

    #[test]
    fn a_title_cannot_break_out_of_the_page() {
        let page = index("<script>\"&", "n0nce", "", None);
        assert!(page.contains("&lt;script&gt;&quot;&amp;"), "{page}");
        assert!(!page.contains("{{"), "{page}");
    }

    #[test]
    fn a_file_is_served_under_its_own_folder_only() {
        let folder = SERVED.name.clone();
        assert!(serve(&folder, "app.js", "", "", None).is_some());
        assert!(serve("00000000", "app.js", "", "", None).is_none());
        assert!(serve(&folder, "../mod.rs", "", "", None).is_none());
        let packed = serve(&folder, "app.css", "br, gzip;q=0.8", "", None).unwrap();
        assert_eq!(packed.headers().get(header::CONTENT_ENCODING).unwrap(), "gzip");
        let etag = packed.headers().get(header::ETAG).unwrap().to_str().unwrap().to_owned();
        let again = serve(&folder, "app.css", "gzip", &etag, None).unwrap();
        assert_eq!(again.status(), 304);
        let plain = serve(&folder, "app.css", "gzip;q=0", "", None).unwrap();
        assert!(plain.headers().get(header::CONTENT_ENCODING).is_none());
    }
}

//! Running an export: a view of the tenant, written and packed away from the workers.

use super::files::{MAX_BYTES, Running};
use super::table::Columns;
use super::{Errand, Patience};
use crate::domain::document::Document;
use crate::domain::json::{Builder, Elements, Object};
use crate::domain::resource::Resource;
use crate::tenant::{StateView, TenantError};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};

/// Text that is gathered before it is packed.
const PIECE_BYTES: usize = 64 * 1024;

pub(super) async fn run(errand: &Errand, job: &Resource) -> Result<(), TenantError> {
    let exports = &errand.services.exports;
    let Some(running) = Running::begin(exports, errand.tenant.uid(), &errand.id) else {
        return Ok(());
    };
    let was_completed = super::status_of(job) == "completed";
    if !was_completed {
        let mut status = Builder::new();
        status.string("status", "processing");
        errand.put(job, status.object()).await?;
    }
    let _turn = running.turn().await;
    let mut patience = Patience::default();
    let view = loop {
        match errand.tenant.view().await {
            Ok(view) => break view,
            Err(error) => patience.after(error).await?,
        }
    };
    let wanted = Wanted::of(&job.body);
    let packed = actix_web::web::block(move || pack(&view, &wanted, MAX_BYTES)).await;
    match packed {
        Ok(Ok(bytes)) => {
            exports.put(errand.tenant.uid(), &errand.id, bytes, errand.services.now());
            if was_completed {
                return Ok(());
            }
            let mut ended = Builder::new();
            ended
                .string("status", "completed")
                .raw("percentage_done", "100")
                .raw("time_left_seconds", "0");
            errand.put(job, ended.object()).await
        }
        Ok(Err(_)) => {
            let limit = MAX_BYTES >> 20;
            errand
                .fail(job, &format!("The packed file would be larger than {limit} MiB; ask for fewer fields or users"))
                .await
        }
        Err(_) => errand.fail(job, "The file could not be made").await,
    }
}

/// What an export shows, from the members of its job.
struct Wanted {
    columns: Columns,
    is_csv: bool,
    limit: usize,
    connection: Option<String>,
}

impl Wanted {
    fn of(body: &Object) -> Self {
        Self {
            columns: Columns::of(body.get("fields")),
            is_csv: body.get_str("format").as_deref() == Some("csv"),
            limit: body.get("limit").and_then(|raw| raw.parse().ok()).unwrap_or(usize::MAX),
            connection: body.get_str("connection").map(std::borrow::Cow::into_owned),
        }
    }

    fn has(&self, document: &Document) -> bool {
        self.connection.as_ref().is_none_or(|wanted| {
            let identities = Object::trusted(document.json());
            Elements::of(identities.get("identities").unwrap_or("[]")).next().is_some_and(|raw| {
                Object::trusted(raw).get_str("connection").as_deref() == Some(wanted)
            })
        })
    }
}

/// The packed file.
///
/// # Errors
/// When it would be larger than `limit` bytes.
fn pack(view: &StateView, wanted: &Wanted, limit: usize) -> io::Result<Bytes> {
    let mut packer = GzEncoder::new(Bounded { bytes: Vec::new(), limit }, Compression::fast());
    let mut text = String::with_capacity(PIECE_BYTES + 4096);
    if wanted.is_csv {
        wanted.columns.csv_head(&mut text);
    }
    for document in view.users().filter(|document| wanted.has(document)).take(wanted.limit) {
        if wanted.is_csv {
            wanted.columns.csv_line(document.json(), &mut text);
        } else {
            wanted.columns.json_line(document.json(), &mut text);
        }
        if text.len() >= PIECE_BYTES {
            packer.write_all(text.as_bytes())?;
            text.clear();
        }
    }
    packer.write_all(text.as_bytes())?;
    Ok(Bytes::from(packer.finish()?.bytes))
}

/// Memory that takes so much and no more.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(piece.len()) > self.limit {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

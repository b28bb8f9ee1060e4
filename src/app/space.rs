//! Watches over the space: gives the reserve back to a full disk, and takes it again.

use crate::config::Settings;
use crate::http::services::Services;
use crate::journal::{self, Health};
use crate::store::reserve::Reserve;
use crate::tenant::Shortage;
use actix_web::web::{self, Data};
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time between two looks. What the journal finds out is heard at once.
const EVERY: Duration = Duration::from_secs(1);

/// Holds the reserve for the first time, before requests are taken. Where space cannot be held the
/// server does without.
pub(super) fn begin(reserve: Option<Reserve>, services: &Services) -> Option<Reserve> {
    let reserve = reserve?;
    match reserve.hold() {
        Ok(()) => Some(reserve),
        Err(error) if journal::is_full(&error) => {
            services.directory.space().set(Some(Shortage::Disk));
            log::warn!(error:% = error; "the disk has no space for the reserve: only what removes something is written until it has");
            Some(reserve)
        }
        Err(error) => {
            log::warn!(error:% = error; "no space can be held for a full disk here; the server does without");
            None
        }
    }
}

/// Does so for as long as the server runs.
pub(super) async fn watch(reserve: Option<Reserve>, services: Data<Services>) {
    let mut progress = services.journal.progress();
    loop {
        let is_full = matches!(progress.borrow_and_update().health, Health::Full { .. });
        look(reserve.as_ref(), is_full, &services).await;
        let changed = progress
            .wait_for(|progress| !is_full && matches!(progress.health, Health::Full { .. }));
        tokio::select! {
            told = changed => if told.is_err() { return },
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn look(reserve: Option<&Reserve>, is_journal_full: bool, services: &Services) {
    let space = services.directory.space();
    let has_snapshot_failed = services.dashboard.snapshots.has_failed.load(Ordering::Acquire);
    let short_of_disk = match (space.shortage(), reserve) {
        (Some(Shortage::Disk), Some(_)) if is_journal_full => true,
        // Only once the reserve is held again is there space for all.
        (Some(Shortage::Disk), Some(reserve)) => {
            asked(reserve, Reserve::hold).await.is_err_and(|error| journal::is_full(&error))
        }
        (None | Some(Shortage::Journal), Some(reserve)) => {
            let is_full = is_journal_full
                || has_snapshot_failed
                    && asked(reserve, Reserve::is_disk_full).await.unwrap_or(false);
            if is_full {
                space.set(Some(Shortage::Disk));
                log::warn!(
                    "the disk is full: its reserve is given back to it, and only what removes something is written until there is space again"
                );
                if let Err(error) = asked(reserve, Reserve::give_back).await {
                    log::error!(error:% = error; "the reserve cannot be given back");
                }
            }
            is_full
        }
        (_, None) => false,
    };
    let next = if short_of_disk {
        Some(Shortage::Disk)
    } else if has_snapshot_failed && is_overgrown(services, &services.settings()) {
        Some(Shortage::Journal)
    } else {
        None
    };
    let before = space.shortage();
    space.set(next);
    match (before, next) {
        (Some(_), None) => log::info!("there is space again: everything is written"),
        (None | Some(Shortage::Disk), Some(Shortage::Journal)) => {
            log::error!(
                "the journal has reached journal.max_bytes because snapshots fail: only what removes something is written until one succeeds"
            );
        }
        _ => {}
    }
}

fn is_overgrown(services: &Services, settings: &Settings) -> bool {
    services.journal.stats().size_bytes > settings.journal.max_bytes
}

/// Asks the disk on a thread that may wait for it.
async fn asked<T: Send + 'static>(
    reserve: &Reserve,
    what: fn(&Reserve) -> io::Result<T>,
) -> io::Result<T> {
    let reserve = reserve.clone();
    web::block(move || what(&reserve)).await.map_err(io::Error::other)?
}

//! Keys of users that go by themselves go also when nobody asks for anything.

use crate::http::services::Services;
use actix_web::web::Data;
use std::time::Duration;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// Removes keys whose time has come, in every tenant, for as long as the server runs.
pub(super) async fn watch(services: Data<Services>) {
    let mut has_failed = false;
    loop {
        actix_web::rt::time::sleep(EVERY).await;
        let mut fails = false;
        for tenant in services.directory.tenants() {
            if let Err(error) = tenant.expire(services.now()).await {
                fails = true;
                if !has_failed {
                    log::warn!(tenant = tenant.id(), error:% = error; "keys whose time has come could not be removed, they stay for now");
                }
            }
        }
        // Said once for each time of trouble, not every second of it.
        has_failed = fails;
    }
}

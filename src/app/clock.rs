//! The one place that asks the system for the time.

use crate::domain::time::Timestamp;

/// Now.
pub fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}

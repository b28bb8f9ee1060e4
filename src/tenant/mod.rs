//! One actor for each tenant, and the way to them.
//!
//! An actor is the only writer of its tenant. It decides on what is *held* (appended,
//! not yet durable) over what is *published*; readers see the published only. What
//! became durable is published in journal order and only then answered, so a reader
//! needs no wait, finds every acknowledged write, and is never told of something a
//! crash could take back. Messages are private to this floor: everyone else has a
//! [`TenantHandle`].

mod actor;
mod catalog;
mod compaction;
mod company;
mod directory;
mod expiring;
mod finder;
mod fork;
mod forming;
mod handle;
pub mod history;
mod logins;
mod overlay;
mod pace;
mod priority;
mod published;
mod restore;
mod room;
mod shelf;
mod snapshots;
mod space;
mod strain;

pub use actor::{Limits, Search, Suggested};
pub use catalog::{Catalog, StateView};
pub use directory::{
    DEFAULT_TENANT, Directory, DirectoryError, RulesOf, Seeds, TenantDefinition, by_server,
    host_name, seed, server_provenance,
};
pub use fork::{ForkError, ForkPast, ForkSource};
pub use forming::Forming;
pub use handle::{Answer, TenantError, TenantHandle};
pub use published::Published;
pub use restore::{RestoreError, RestoreReport, Restored, accepted, repaired_file, restore};
pub use room::Place;
pub use shelf::{Check, Checks, OpenSnapshot, Shelf, ShelfError, Shelved};
pub use snapshots::{
    DueSnapshot, ListDue, NewestSnapshot, SnapshotError, SnapshotParts, SnapshotReport,
    SnapshotSettings, SnapshotState, Snapshots, TakeSnapshots,
};
pub use space::{Shortage, Space};

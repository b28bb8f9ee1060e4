//! What users, clients and their metadata are, and what a change does to them.
//!
//! Everything here is pure: no disk, clock, network or chance. Time, identifiers
//! and randomness come in as arguments, so a test names the instant it wants and a
//! replay gives the same answer twice. [`decide::decide`] works a command out into
//! a change and never mutates; applying a change never refuses.

pub mod assignments;
pub mod change;
pub mod client;
pub mod command;
pub mod condition;
pub mod credential;
pub mod decide;
pub mod diff;
pub mod document;
pub mod effective;
pub mod entries;
pub mod erasure;
pub mod expiry;
pub mod history;
pub mod job;
pub mod json;
pub mod keys;
pub mod metadata;
pub mod password;
pub mod patch;
pub mod permit;
pub mod policy;
pub mod put_back;
pub mod resource;
pub mod scope;
pub mod search;
pub mod strength;
pub mod time;
pub mod user;

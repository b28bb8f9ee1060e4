//! Dossier: a self-hosted, multi-tenant user profile and metadata service.
//!
//! The floors, ground floor first; a floor uses those before it and never one after:
//! `domain`, `journal`, `store`, `tenant`, `http`, `app`, with `config` and `cli` beside them.
//! See `src/ARCHITECTURE.md`.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod journal;
pub mod store;
pub mod tenant;

//! The wire: dialects, tokens, problems, the dashboard.
//!
//! One handler takes every request ([`dispatch`]), finds its row in the table of
//! routes ([`route`]), asks who is calling ([`call`]) and hands over to a dialect.
//! Handlers turn bytes into a command and a change into bytes; rules live below.

pub mod answer;
pub mod budget;
pub mod call;
pub mod dashboard;
pub mod dispatch;
pub mod hashing;
pub mod health;
pub mod incoming;
pub mod kv;
mod lists;
pub mod names;
pub mod oauth;
pub mod openapi;
pub mod operate;
pub mod outgoing;
pub mod own;
mod patches;
pub mod problem;
pub mod query;
pub mod random;
pub mod rate;
pub mod reading;
pub mod request_log;
pub mod route;
pub mod schema;
pub mod services;
mod signing_key;
pub mod timings;
pub mod tokens;
pub mod v1;
pub mod v2;

/// The content type of management answers.
pub const JSON: &str = "application/json; charset=utf-8";

/// The content type of token answers.
pub const PLAIN_JSON: &str = "application/json";

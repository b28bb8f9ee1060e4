//! Opens, recovers, starts, binds, stops.
mod certificate;
pub mod keys;
pub mod private_files;
pub mod tls;

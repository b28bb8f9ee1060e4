//! The golden cases, the language by example, and the laws that hold for all documents and queries.

pub(crate) mod generate;
mod golden;
mod language;
mod laws;
mod reference;

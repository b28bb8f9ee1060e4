//! The published cases of both RFCs, the dialect of our own, and laws.

mod cases;
mod laws;
mod ops;

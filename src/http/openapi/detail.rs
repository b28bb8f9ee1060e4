//! What the description of a route says beyond its row in the table.
//!
//! Each dialect lists the details of its routes beside them, out of the same schemas
//! and the same lists of parameters its handlers check with.

use crate::http::schema::Schema;

/// What a route takes as its body.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A JSON object; the schemas hold all together.
    Json(&'static [&'static Schema]),
    /// One of these JSON objects.
    OneOf(&'static [&'static Schema]),
    /// A JSON array of such objects.
    List(&'static Schema),
    /// A JSON object of any members.
    Object,
    /// Any JSON value.
    Any,
    /// Parameters of texts, as a form or as JSON: those that must be there, and others.
    Form(&'static [&'static str], &'static [&'static str]),
    /// Parts: a file, and texts.
    Multipart(&'static [&'static str], &'static [&'static str]),
}

/// The details of some routes.
#[derive(Clone, Copy, Debug)]
pub struct Detail {
    /// Their method.
    pub method: &'static str,
    /// Their paths.
    pub paths: &'static [&'static str],
    /// The body.
    pub takes: Takes,
    /// Parameters of the query.
    pub query: &'static [&'static [&'static str]],
    /// The one of them that must be there.
    pub required: Option<&'static str>,
    /// Statuses of success; none means what the method says.
    pub statuses: &'static [u16],
    /// The shape of errors; none means the one of the dialect.
    pub errors: Option<&'static str>,
}

impl Detail {
    /// Nothing special about these routes so far.
    pub const fn of(method: &'static str, paths: &'static [&'static str]) -> Self {
        let (query, statuses) = (&[], &[]);
        Self { method, paths, takes: Takes::Nothing, query, required: None, statuses, errors: None }
    }

    /// With a body.
    #[must_use]
    pub const fn takes(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    /// With parameters.
    #[must_use]
    pub const fn query(self, query: &'static [&'static [&'static str]]) -> Self {
        Self { query, ..self }
    }

    /// With a parameter that must be there.
    #[must_use]
    pub const fn required(self, name: &'static str) -> Self {
        Self { required: Some(name), ..self }
    }

    /// With other statuses of success.
    #[must_use]
    pub const fn statuses(self, statuses: &'static [u16]) -> Self {
        Self { statuses, ..self }
    }

    /// With errors of another shape than the dialect's.
    #[must_use]
    pub const fn errors(self, shape: &'static str) -> Self {
        Self { errors: Some(shape), ..self }
    }
}

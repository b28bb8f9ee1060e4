//! Where a server is that comes and goes while others work with it.

use super::{Connection, Server, until};
use std::sync::RwLock;

/// Where the server is, and the `Authorization` it takes; nothing while it is down.
#[derive(Debug)]
pub(crate) struct Place(RwLock<Option<(String, String)>>);

impl Place {
    pub(crate) fn of(server: &Server) -> Self {
        Self(RwLock::new(Some(Self::here(server))))
    }

    fn here(server: &Server) -> (String, String) {
        (server.address().to_owned(), server.admin().to_owned())
    }

    /// Kills the server without a word and starts it again, somewhere else.
    pub(crate) fn restart(&self, server: &mut Server) {
        *self.0.write().unwrap() = None;
        server.restart();
        *self.0.write().unwrap() = Some(Self::here(server));
    }

    /// Makes something of the server that is there now, as soon as there is one.
    #[track_caller]
    pub(crate) fn at<T>(&self, mut make: impl FnMut(&str, &str) -> Option<T>) -> T {
        until("a server to connect to", || {
            let (address, authorization) = self.0.read().unwrap().clone()?;
            make(&address, &authorization)
        })
    }

    /// A connection to the server that is there now, and the `Authorization` it takes.
    #[track_caller]
    pub(crate) fn connect(&self) -> (Connection, String) {
        self.at(|address, authorization| {
            Some((Connection::open(address).ok()?, authorization.to_owned()))
        })
    }
}

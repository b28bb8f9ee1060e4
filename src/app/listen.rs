//! The two listeners, and how each connection is served.

use super::open::Opened;
use super::tls::{self, DevelopmentTls, Made};
use super::{AppError, clock, descriptors};
use crate::config::{Settings, TlsMode};
use crate::http::dispatch::dispatch;
use crate::http::incoming::LastRequest;
use crate::http::reading::Reader;
use crate::http::services::Services;
use crate::http::tokens::LastToken;
use actix_http::error::DispatchError;
use actix_http::{Extensions, HttpService};
use actix_server::GracefulShutdownSignal;
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
use actix_tls::accept::TlsError;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::dev::{AppConfig, Server};
use actix_web::rt::net::TcpStream;
use actix_web::{App, web};
use std::future::ready;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How many threads are meant; none means one for each core.
pub(super) fn threads(wanted: usize) -> usize {
    if wanted == 0 {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    } else {
        wanted
    }
}

/// How long a client may take nothing of what was sent to it; then the system ends the connection.
const UNREAD_LIMIT_MS: u32 = 30_000;

/// How many connections may wait to be taken; the system may allow fewer.
const BACKLOG: i32 = 2048;

/// Listens on an address; connections whose clients take nothing are cut off by the system.
///
/// # Errors
/// [`AppError::Bind`].
pub(super) fn bind(address: &str) -> Result<TcpListener, AppError> {
    let listener = TcpListener::bind(address)
        .map_err(|source| AppError::Bind { address: address.to_owned(), source })?;
    // What comes at once waits here for a worker; the standard library asks for few.
    if let Err(error) = rustix::net::listen(&listener, BACKLOG) {
        log::warn!(error:% = error; "fewer connections may wait to be taken");
    }
    // Every connection has it from its listener. What actix asks a body for waits until there is
    // space in the socket, so nobody here could notice.
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(&listener, UNREAD_LIMIT_MS) {
        log::warn!(error:% = error; "clients that do not read cannot be cut off");
    }
    Ok(listener)
}

/// The address that was given, with the port the system chose.
pub(super) fn local_address(listener: &TcpListener) -> String {
    listener.local_addr().map(|address| address.to_string()).unwrap_or_default()
}

/// The listener for HTTPS, how it speaks, and the development CA if there is one.
pub(super) type Secure = (TcpListener, rustls::ServerConfig, Option<(PathBuf, Made)>);

/// Listens for HTTPS where the settings say so.
///
/// # Errors
/// When the address cannot be had or the certificate not be used.
pub(super) fn listen_securely(
    settings: &Settings,
    opened: &Opened,
) -> Result<Option<Secure>, AppError> {
    let (config, ca) = match settings.server.tls {
        TlsMode::Off => return Ok(None),
        TlsMode::Dev => {
            let mut hosts: Vec<String> =
                settings.tenants.iter().flat_map(|tenant| tenant.domains.iter().cloned()).collect();
            hosts.extend(settings.tenants.iter().map(|tenant| format!("{}.localhost", tenant.id)));
            let DevelopmentTls { tls, ca_file, made, .. } =
                tls::development(opened.dir.root(), &hosts, clock::now().seconds())?;
            (tls.server, Some((ca_file, made)))
        }
        TlsMode::Files => {
            let path = |path: &Option<PathBuf>| path.clone().unwrap_or_default();
            let tls =
                tls::from_files(&path(&settings.server.tls_cert), &path(&settings.server.tls_key))?;
            (tls.server, None)
        }
    };
    let listener = bind(&settings.server.https_listen.to_string())?;
    Ok(Some((listener, config, ca)))
}

/// What `HttpServer` of actix-web would be, but each connection is read by a [`Reader`].
pub(super) fn http_server(
    settings: &Settings,
    services: &web::Data<Services>,
    http: &TcpListener,
    https: Option<(&TcpListener, rustls::ServerConfig)>,
) -> Result<Server, AppError> {
    let failed = |address: &TcpListener| {
        let address = local_address(address);
        move |source| AppError::Bind { address, source }
    };
    let workers = threads(settings.server.workers);
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(connections(settings, workers))
        .shutdown_timeout(settings.server.shutdown_grace.as_secs())
        .disable_signals();
    let protocol = Protocol {
        services: services.clone(),
        keep_alive: settings.server.keep_alive,
        head_timeout: settings.server.head_timeout,
        stopping: builder.graceful_shutdown_signal(),
    };
    let plain = protocol.clone();
    let listener = http.try_clone().map_err(failed(http))?;
    let mut builder = builder
        .listen("http", listener, move || {
            let protocol = plain.clone();
            fn_service(move |io: TcpStream| {
                let peer = io.peer_addr().ok();
                ready(Ok((protocol.reader(io, false), peer)))
            })
            .and_then(plain.service())
        })
        .map_err(failed(http))?;
    if let Some((listener, config)) = https {
        let own = listener.try_clone().map_err(failed(listener))?;
        builder = builder
            .listen("https", own, move || {
                let reading = protocol.clone();
                Acceptor::new(config.clone())
                    .map_init_err(|()| ())
                    .map_err(TlsError::into_service_error)
                    .map(move |io: TlsStream<TcpStream>| {
                        let peer = io.get_ref().0.peer_addr().ok();
                        (reading.reader(io, true), peer)
                    })
                    .and_then(protocol.service().map_err(TlsError::Service))
            })
            .map_err(failed(listener))?;
    }
    Ok(builder.run())
}

/// How many connections each worker may have: what is set, unless descriptors are short.
fn connections(settings: &Settings, workers: usize) -> usize {
    let (wanted, descriptors) = (settings.server.max_connections, descriptors::limit());
    let allowed = descriptors::connections(wanted, workers, descriptors);
    if allowed < wanted {
        log::warn!(workers, wanted, allowed, descriptors = descriptors.unwrap_or_default();
            "each worker may have fewer connections than server.max_connections, so that descriptors are left for files; raise the limit (ulimit -n) for more");
    }
    allowed
}

/// How a connection is served, whatever it goes over.
#[derive(Clone)]
struct Protocol {
    services: web::Data<Services>,
    keep_alive: Duration,
    head_timeout: Duration,
    stopping: GracefulShutdownSignal,
}

impl Protocol {
    fn reader<T>(&self, io: T, is_secure: bool) -> Reader<T> {
        Reader::new(io, is_secure, self.keep_alive + self.head_timeout)
    }

    /// HTTP/1.1 over connections of one kind. Called once for each worker and listener, each of
    /// which so has a book of its own.
    fn service<T: AsyncRead + AsyncWrite + Unpin + 'static>(
        &self,
    ) -> impl ServiceFactory<
        (Reader<T>, Option<SocketAddr>),
        Config = (),
        Response = (),
        Error = DispatchError,
        InitError = (),
    > + use<T> {
        let book = self.services.timings.book();
        let app = App::new()
            .app_data(self.services.clone())
            .app_data(book)
            .default_service(web::to(dispatch))
            .into_factory()
            .map_err(|error: actix_web::Error| error.error_response());
        let stopping = self.stopping.clone();
        HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(self.keep_alive)
            .client_request_timeout(self.head_timeout)
            .client_disconnect_timeout(Duration::from_secs(2))
            .on_connect_ext(|reader: &Reader<T>, connection: &mut Extensions| {
                connection.insert(LastToken::default());
                connection.insert(LastRequest::default());
                connection.insert(reader.door().clone());
            })
            .h1(map_config(app, |()| AppConfig::default()))
    }
}

//! Streams to brokers, with and without TLS.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tidegate_core::error::{Error, Result};
use tokio::io::{AsyncRead, AsyncWrite, BufStream, ReadBuf, join};
use tokio::net::{TcpStream, lookup_host};

use crate::connection::Broken;
use crate::security::{Refused, Tls, server_name, tls_error, translate};

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Endpoint {
    /// Parses `host:port`; an IPv6 address stands in brackets.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let parts = match text.strip_prefix('[') {
            Some(rest) => rest.split_once("]:"),
            None => text.rsplit_once(':').filter(|(host, _)| !host.contains(':')),
        };
        let endpoint = parts.and_then(|(host, port)| {
            let port = port.parse().ok().filter(|port| *port > 0)?;
            (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
        });
        endpoint.ok_or_else(|| {
            Error::config(format!("kafka.bootstrap_servers: {text:?} is not host:port"))
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Whatever a connection runs over.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An open stream.
pub(crate) type Stream = BufStream<Box<dyn Io>>;

/// Connects, without TLS: to one address of the host after the other.
pub(crate) async fn connect(endpoint: &Endpoint) -> Result<TcpStream> {
    let resolved = lookup_host((endpoint.host.as_str(), endpoint.port)).await;
    let addresses = resolved.map_err(|error| {
        Error::unavailable(format!(
            "cannot find the address of {endpoint}: {error}; check the host in \
             kafka.bootstrap_servers (or the broker's advertised.listeners) and this machine's DNS"
        ))
        .with_source(error)
    })?;
    let mut last = None;
    for address in addresses {
        let tcp = TcpStream::connect(address).await;
        match tcp.and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp)) {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => {
            Error::unavailable(format!("cannot connect to {endpoint}: {error}")).with_source(error)
        }
        None => Error::unavailable(format!("{endpoint} has no address")),
    })
}

/// Opens a stream to a broker, with TLS if that is given. The bytes that come from the network
/// are counted in `received`.
pub(crate) async fn open(
    endpoint: &Endpoint,
    tls: Option<&Tls>,
    received: &Arc<AtomicU64>,
) -> Result<Stream, Broken> {
    let (inner, outgoing) = connect(endpoint).await?.into_split();
    let counted = join(Counted { inner, received: Arc::clone(received) }, outgoing);
    let Some(tls) = tls else { return Ok(BufStream::new(Box::new(counted))) };
    match tls.connector.connect(server_name(endpoint)?, counted).await {
        Ok(encrypted) => Ok(BufStream::new(Box::new(encrypted))),
        Err(error) => Err(no_tls(endpoint, tls, error)),
    }
}

fn no_tls(endpoint: &Endpoint, tls: &Tls, error: io::Error) -> Broken {
    let why = match tls_error(&error).map(|beneath| translate(endpoint, tls, beneath)) {
        Some(Refused::ForGood(refused)) => return Broken::Known(refused.with_source(error)),
        Some(Refused::Perhaps(why)) => why,
        None => error.to_string(),
    };
    let message =
        format!("{endpoint} closed the connection or sent no TLS in its handshake ({why})");
    Broken::Closed(Error::unavailable(message).with_source(error))
}

/// Counts what comes in, so that a slow answer is told from none.
struct Counted<S> {
    inner: S,
    received: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let read = u64::try_from(buf.filled().len() - before).unwrap_or(0);
        self.received.fetch_add(read, Ordering::Relaxed);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_host_and_port() {
        for (text, host, port) in
            [("a:1", "a", 1), ("[::1]:9092", "::1", 9092), ("b.example:65535", "b.example", 65535)]
        {
            let endpoint = Endpoint::parse(text).expect(text);
            assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port));
            assert_eq!(endpoint.to_string(), text);
        }
        for bad in ["", "a", "a:", ":1", "a:0", "a:65536", "::1", "::1:9092", "[::1]", "[]:1"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }
}

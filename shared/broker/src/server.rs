//! A node: its listener, its connections, and one request after another on each.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::protocol::fetch::FetchRequest;
use crate::protocol::{Api, Fault, api_versions, epochs, fetch, list_offsets, metadata};
use crate::request::{Request, RequestBody};
use crate::script::{Answer, Rewrite};
use crate::state::Shared;

/// The largest request taken, in bytes: one for 100,000 partitions is a tenth of it.
const REQUEST_MAX: usize = 64 << 20;
/// The pause after an accept that failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Accepts connections for as long as it is not dropped, which closes them all.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, node: i32) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let number = shared.lock().next_connection();
                    let peer = Peer { stream, shared: Arc::clone(&shared), node, number };
                    connections.spawn(peer.converse());
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            // Forgets connections that ended.
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection.
struct Peer {
    stream: TcpStream,
    shared: Arc<Shared>,
    node: i32,
    number: u64,
}

impl Peer {
    /// Answers requests in their order, until the peer or a script closes.
    async fn converse(mut self) {
        // A peer that goes away, or speaks another protocol, is no error of the broker.
        let _ = self.answer_all().await;
    }

    async fn answer_all(&mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut is_silent = false;
        loop {
            let frame = self.read_frame().await?;
            let (request, answer) = self.receive(&frame)?;
            is_silent |= matches!(answer, Answer::Silence | Answer::StallAfter(_));
            match answer {
                Answer::StallAfter(bytes) => self.begin(&request, bytes).await?,
                answer if !is_silent => self.answer(&request, answer).await?,
                _ => {}
            }
        }
    }

    async fn read_frame(&mut self) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.stream.read_i32().await?).map_err(io::Error::other)?;
        if length > REQUEST_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame).await?;
        Ok(frame)
    }

    /// Reads and logs a request, and looks up how it is to be answered.
    fn receive(&self, frame: &[u8]) -> io::Result<(Arc<Request>, Answer)> {
        let mut state = self.shared.lock();
        let versions = |api| state.versions(api);
        let request = Request::read(self.node, self.number, frame, versions)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        let request = Arc::new(request);
        state.requests.record(&request);
        let answer = state.script.decide(&request);
        Ok((request, answer))
    }

    async fn answer(&mut self, request: &Request, answer: Answer) -> io::Result<()> {
        let fault = answer.fault();
        let rewrite = match &answer {
            Answer::Records(rewrite) => Some(Arc::clone(rewrite)),
            _ => None,
        };
        let usual = || self.body(request, fault.as_ref(), rewrite.as_ref());
        let body = match answer {
            Answer::Normal
            | Answer::Error(_)
            | Answer::PartitionError { .. }
            | Answer::Records(_) => usual().await?,
            Answer::Bytes(body) => body,
            Answer::Mangle(mangle) => mangle(usual().await?),
            Answer::Delay(time) => {
                sleep(time).await;
                usual().await?
            }
            Answer::CutAfter(bytes) => {
                self.begin(request, bytes).await?;
                self.stream.shutdown().await?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Answer::Drip { bytes, every } => {
                let body = usual().await?;
                return self.drip(request, &body, bytes, every).await;
            }
            Answer::Raw(bytes) => return self.stream.write_all(&bytes).await,
            Answer::Close | Answer::Silence | Answer::StallAfter(_) => {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        };
        // Header and body leave together, without the body being copied behind the header.
        let mut frame = header(request, body.len())?.chain(&body[..]);
        self.stream.write_all_buf(&mut frame).await
    }

    /// Sends the first so many bytes of the usual answer.
    async fn begin(&mut self, request: &Request, bytes: usize) -> io::Result<()> {
        let body = self.body(request, None, None).await?;
        let mut frame = header(request, body.len())?.chain(&body[..]).take(bytes);
        self.stream.write_all_buf(&mut frame).await
    }

    async fn drip(
        &mut self,
        request: &Request,
        body: &[u8],
        bytes: usize,
        every: Duration,
    ) -> io::Result<()> {
        let mut frame = header(request, body.len())?.chain(body);
        loop {
            self.stream.write_all_buf(&mut (&mut frame).take(bytes.max(1))).await?;
            if !frame.has_remaining() {
                return Ok(());
            }
            sleep(every).await;
        }
    }

    /// The usual body; an error if Kafka would close the connection.
    async fn body(
        &self,
        request: &Request,
        fault: Option<&Fault>,
        rewrite: Option<&Rewrite>,
    ) -> io::Result<Vec<u8>> {
        let (node, version) = (self.node, request.version);
        let body = match &request.body {
            RequestBody::ApiVersions => {
                let state = self.shared.lock();
                let (min, max) = state.versions(Api::ApiVersions);
                if (min..=max).contains(&version) {
                    api_versions::answer(&state, version, fault)
                } else {
                    api_versions::unsupported(&state)
                }
            }
            RequestBody::Metadata(asked) => {
                metadata::answer(&self.shared.lock(), asked, version, fault)
            }
            RequestBody::ListOffsets(asked) => {
                list_offsets::answer(&self.shared.lock(), node, asked, version, fault)
            }
            RequestBody::OffsetForLeaderEpoch(asked) => {
                epochs::answer(&self.shared.lock(), node, asked, version, fault)
            }
            RequestBody::Fetch(asked) => self.fetch(asked, version, (fault, rewrite)).await,
            RequestBody::Unsupported(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(body)
    }

    /// Waits, if it may, until there is enough to give.
    async fn fetch(
        &self,
        asked: &FetchRequest,
        version: i16,
        (fault, rewrite): (Option<&Fault>, Option<&Rewrite>),
    ) -> Vec<u8> {
        let wait = Duration::from_millis(u64::try_from(asked.max_wait_ms).unwrap_or(0));
        let deadline = Instant::now() + wait;
        let mut is_late = false;
        loop {
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            // From here on a change counts, also one between the look and the wait.
            changed.as_mut().enable();
            let mut answer = fetch::collect(&self.shared.lock(), self.node, asked, fault);
            if is_late || answer.is_due(asked) {
                if let Some(rewrite) = rewrite {
                    answer.rewrite(asked, rewrite);
                }
                return fetch::write(&answer, asked, version);
            }
            is_late = timeout_at(deadline, changed).await.is_err();
        }
    }
}

/// What stands before an answer's body: length, correlation id and, in flexible versions, tags.
fn header(request: &Request, body: usize) -> io::Result<bytes::Bytes> {
    let has_tags = request.api().is_some_and(|api| api.has_header_tags(request.version));
    let length = 4 + usize::from(has_tags) + body;
    let length = i32::try_from(length).map_err(io::Error::other)?;
    let mut header = Vec::with_capacity(9);
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&request.correlation_id.to_be_bytes());
    if has_tags {
        header.push(0);
    }
    Ok(header.into())
}

#[cfg(test)]
mod tests;

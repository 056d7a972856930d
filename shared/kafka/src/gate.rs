//! Lets answers in as far as the memory for them goes: whatever the brokers send, the answers
//! that are held at a time come to no more than a budget, or there is but one of them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Answers that nobody took: more of them, and the broker answers what was not asked.
const UNTAKEN_MAX: usize = 16;

/// Bytes of answers that may be held at a time, by all connections that share it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    bytes: u32,
    /// Who holds this keeps answers out that are larger than the budget.
    alone: Arc<Semaphore>,
}

impl Budget {
    /// A budget of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = u32::try_from(bytes.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let free = Arc::new(Semaphore::new(usize::try_from(bytes).unwrap_or(usize::MAX)));
        Self { free, bytes, alone: Arc::new(Semaphore::new(1)) }
    }

    /// Keeps answers out that are larger than the budget, as long as rows are held that are as
    /// large as one. None if somebody else does already, or if so many rows are none too many.
    pub(crate) fn keep_large_out(&self, row_bytes: u64) -> Option<OwnedSemaphorePermit> {
        let large = row_bytes > u64::from(self.bytes);
        large.then(|| Arc::clone(&self.alone).try_acquire_owned().ok()).flatten()
    }

    /// The share of an answer of `bytes`: one that is larger than the budget takes all of it.
    fn share(&self, bytes: usize) -> Waiting {
        let of_all = u32::try_from(bytes).ok().filter(|bytes| *bytes <= self.bytes);
        let free = Arc::clone(&self.free).acquire_many_owned(of_all.unwrap_or(self.bytes));
        let alone = of_all.is_none().then(|| Arc::clone(&self.alone));
        Box::pin(async move {
            let share = free.await.ok()?;
            if let Some(alone) = alone {
                drop(alone.acquire().await.ok()?);
            }
            Some(share)
        })
    }
}

/// The budget is never closed, so that this comes to a share.
type Waiting = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// An answer that is larger than any that is taken: the error of the stream that it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge {
    /// Its bytes.
    pub(crate) bytes: usize,
    max: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an answer of {} bytes, where {} are the most that is taken",
            self.bytes, self.max
        )
    }
}

impl std::error::Error for TooLarge {}

/// What a connection knows of its gate.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    answer_bytes_max: AtomicUsize,
    is_waiting: AtomicBool,
    /// Sizes and shares of the answers that were let in, and not taken yet.
    shares: Mutex<Vec<(usize, OwnedSemaphorePermit)>>,
}

impl Admitted {
    /// Takes no larger answers from now on.
    pub(crate) fn set_max(&self, answer_bytes_max: usize) {
        self.answer_bytes_max.store(answer_bytes_max, Ordering::Relaxed);
    }

    /// Whether an answer waits for memory: no fault of the broker.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed)
    }

    /// The bytes of an answer, `frame_bytes` with its header, which give its share of the budget
    /// back when the last of them is dropped.
    pub(crate) fn hold(&self, frame_bytes: usize, body: Bytes) -> Bytes {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        // Answers of one size are as good as each other.
        let at = shares.iter().position(|(bytes, _)| *bytes == frame_bytes);
        let share = at.map(|at| shares.swap_remove(at).1);
        Bytes::from_owner(Held { body, _share: share })
    }

    /// Gives back the shares of answers that nobody will take.
    pub(crate) fn forget(&self) {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn admit(&self, frame_bytes: usize, share: OwnedSemaphorePermit) -> io::Result<()> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.len() >= UNTAKEN_MAX {
            let message = "it answers what nobody asked";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        shares.push((frame_bytes, share));
        Ok(())
    }
}

struct Held {
    body: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// A stream of answers, each with its length before it, of which none passes before there is
/// memory for it.
pub(crate) struct Gate<S> {
    inner: S,
    budget: Budget,
    admitted: Arc<Admitted>,
    at: At,
}

/// Where in an answer the stream is.
enum At {
    /// In its length, of which so many bytes came.
    Length { came: usize, length: [u8; 4] },
    /// Before its first byte, until there is memory for it.
    Waiting { length: [u8; 4], bytes: usize, share: Waiting },
    /// In its length, of which so many bytes were passed on.
    Passing { passed: usize, length: [u8; 4] },
    /// In its body, with so many bytes to come.
    Body { left: usize },
}

/// The beginning of an answer.
const BEGIN: At = At::Length { came: 0, length: [0; 4] };

impl<S> Gate<S> {
    /// A gate before `inner`.
    pub(crate) fn new(inner: S, budget: Budget, admitted: Arc<Admitted>) -> Self {
        Self { inner, budget, admitted, at: BEGIN }
    }

    /// What follows once a length is there.
    fn knock(&self, length: [u8; 4]) -> io::Result<At> {
        // Whoever reads on refuses a negative length.
        let Ok(bytes) = usize::try_from(i32::from_be_bytes(length)) else {
            return Ok(At::Passing { passed: 0, length });
        };
        let max = self.admitted.answer_bytes_max.load(Ordering::Relaxed);
        if bytes > max {
            let error = TooLarge { bytes, max };
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(At::Waiting { length, bytes, share: self.budget.share(bytes) })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.at {
                At::Length { came: 4, length } => {
                    let length = *length;
                    this.at = this.knock(length)?;
                }
                At::Length { came, length } => {
                    let mut room = ReadBuf::new(&mut length[*came..]);
                    ready!(Pin::new(&mut this.inner).poll_read(cx, &mut room))?;
                    match room.filled().len() {
                        // The end of the stream.
                        0 => return Poll::Ready(Ok(())),
                        read => *came += read,
                    }
                }
                At::Waiting { length, bytes, share } => {
                    let polled = share.as_mut().poll(cx);
                    this.admitted.is_waiting.store(polled.is_pending(), Ordering::Relaxed);
                    if let Some(share) = ready!(polled) {
                        this.admitted.admit(*bytes, share)?;
                    }
                    this.at = At::Passing { passed: 0, length: *length };
                }
                At::Passing { passed: 4, length } => {
                    let left = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
                    this.at = At::Body { left };
                }
                At::Passing { passed, length } => {
                    let some = buf.remaining().min(4 - *passed);
                    buf.put_slice(&length[*passed..*passed + some]);
                    *passed += some;
                    return Poll::Ready(Ok(()));
                }
                At::Body { left: 0 } => this.at = BEGIN,
                At::Body { left } => {
                    let some = buf.remaining().min(*left);
                    let mut room = ReadBuf::new(buf.initialize_unfilled_to(some));
                    ready!(Pin::new(&mut this.inner).poll_read(cx, &mut room))?;
                    let read = room.filled().len();
                    buf.advance(read);
                    *left -= read;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;

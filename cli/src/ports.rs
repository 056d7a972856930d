//! The ports that a command works on: on a directory, or (feature `aws`) on AWS, as the spec and
//! `--state` say.

mod log;
mod objects;
mod state;

pub(crate) use self::log::Log;
pub(crate) use self::objects::Objects;
pub(crate) use self::state::State;

/// Calls whatever stands behind the port.
macro_rules! behind {
    ($self:expr, $port:ident => $call:expr) => {
        match $self {
            Self::Local($port) => $call,
            #[cfg(feature = "aws")]
            Self::Aws($port) => $call,
        }
    };
}
use behind;

/// The same for a call that is waited for. The SDK's futures are large.
macro_rules! awaited {
    ($self:expr, $port:ident => $call:expr) => {
        match $self {
            Self::Local($port) => $call.await,
            #[cfg(feature = "aws")]
            Self::Aws($port) => Box::pin($call).await,
        }
    };
}
use awaited;

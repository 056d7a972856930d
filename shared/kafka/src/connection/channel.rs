//! rskafka's messenger on a stream, before it is a connection: versions and login.

use std::collections::HashMap;
use std::io::{self, Cursor};
use std::sync::Arc;

use bytes::Bytes;
use rskafka::messenger::{Messenger, RequestError};
use rskafka::protocol::api_key::ApiKey;
use rskafka::protocol::api_version::{ApiVersion, ApiVersionRange};
use rskafka::protocol::frame::{ReadError, WriteError};
use rskafka::protocol::messages::{
    ReadVersionedError, ReadVersionedType, RequestBody, WriteVersionedError, WriteVersionedType,
};
use rskafka::protocol::primitives::Int16;
use tidegate_core::error::{Error, Result};

use crate::gate::{Admitted, Gate, TooLarge};
use crate::requests::{ApiRange, ApiVersions, Request, UNSUPPORTED_VERSION};
use crate::security::{Refused, Tls, tls_error, translate};
use crate::transport::{Endpoint, Stream};

/// Why a step towards a connection failed.
#[derive(Debug)]
pub(crate) enum Broken {
    /// It is known why.
    Known(Error),
    /// The peer closed, or what it sent is not the protocol: perhaps it speaks another one.
    Closed(Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Known(error)
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Known(error) | Broken::Closed(error) => error,
        }
    }
}

/// A messenger, and whom it speaks to.
pub(crate) struct Channel<'a> {
    messenger: Messenger<Gate<Stream>>,
    admitted: Arc<Admitted>,
    endpoint: &'a Endpoint,
    tls: Option<&'a Tls>,
}

impl<'a> Channel<'a> {
    pub(super) fn new(
        messenger: Messenger<Gate<Stream>>,
        admitted: Arc<Admitted>,
        endpoint: &'a Endpoint,
        tls: Option<&'a Tls>,
    ) -> Self {
        Self { messenger, admitted, endpoint, tls }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.endpoint
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(super) fn into_parts(self) -> (Messenger<Gate<Stream>>, Arc<Admitted>) {
        (self.messenger, self.admitted)
    }

    /// Sends a request and waits for its answer, however long that takes.
    pub(crate) async fn ask<R: Request>(&self, request: &R) -> Result<R::Answer, Broken> {
        let raw = self.messenger.request(Wire(request)).await;
        let raw = raw.map_err(|error| self.broken(R::KEY, &error))?;
        R::parse(raw.version, raw.body).map_err(|malformed| {
            let (endpoint, key, why) = (self.endpoint, R::KEY, malformed.0);
            Broken::Closed(Error::unavailable(format!(
                "{endpoint} answered {key:?} with what is none: {why}"
            )))
        })
    }

    /// Learns what the broker speaks; requests are then sent in versions that it has. rskafka's
    /// own way of doing so keeps what it learns to itself, and sleeps for as long as a broker says.
    pub(super) async fn learn_versions(&mut self) -> Result<Vec<ApiRange>, Broken> {
        let (lowest, highest) = ApiVersions::VERSIONS;
        let mut answer = self.ask_versions(highest).await;
        // Brokers before Kafka 2.4 do not have that version, and some others answer it wrongly.
        let is_older = match &answer {
            Ok(Ok(answer)) => answer.error == UNSUPPORTED_VERSION,
            Ok(Err(_)) => true,
            Err(_) => false,
        };
        if is_older {
            answer = self.ask_versions(lowest).await;
        }
        let answer = answer?.map_err(Broken::Closed)?;
        if answer.error != 0 {
            let what = format!("{} says which versions it has", self.endpoint);
            return Err(Broken::Known(crate::errors::error(answer.error, &what)));
        }
        let fit = answer.ranges.iter().filter(|(_, min, max)| min <= max);
        let ranges = fit.map(|(key, min, max)| (*key, range(*min, *max)));
        self.messenger.override_version_ranges(ranges.collect());
        Ok(answer.ranges)
    }

    /// The answer to one version of ApiVersions, or why it is none.
    async fn ask_versions(
        &mut self,
        version: i16,
    ) -> Result<Result<<ApiVersions as Request>::Answer, Error>, Broken> {
        let known = HashMap::from([(ApiVersions::KEY, range(version, version))]);
        self.messenger.override_version_ranges(known);
        let raw = self.messenger.request(Wire(&ApiVersions)).await;
        let raw = raw.map_err(|error| self.broken(ApiVersions::KEY, &error))?;
        Ok(ApiVersions::parse(raw.version, raw.body).map_err(|malformed| {
            let (endpoint, why) = (self.endpoint, malformed.0);
            Error::unavailable(format!("{endpoint} answered ApiVersions with what is none: {why}"))
        }))
    }

    fn broken(&self, key: ApiKey, error: &RequestError) -> Broken {
        let io = io_beneath(error);
        if let (Some(tls), Some(beneath)) = (self.tls, io.and_then(tls_error))
            && let Refused::ForGood(refused) = translate(self.endpoint, tls, beneath)
        {
            return Broken::Known(refused);
        }
        let endpoint = self.endpoint;
        let why = io.map_or_else(|| error.to_string(), ToString::to_string);
        Broken::Closed(Error::unavailable(format!(
            "{endpoint} closed the connection or answered nonsense when asked {key:?} ({why}); is \
             it a Kafka listener?"
        )))
    }
}

fn range(min: i16, max: i16) -> ApiVersionRange {
    ApiVersionRange::new(ApiVersion(Int16(min)), ApiVersion(Int16(max)))
}

/// The error of the stream in an error of the messenger.
pub(super) fn io_beneath(error: &RequestError) -> Option<&io::Error> {
    match error {
        RequestError::IO(error)
        | RequestError::ReadFramedMessageError(ReadError::IO(error))
        | RequestError::WriteMessageError(WriteError::IO(error)) => Some(error),
        RequestError::Poisoned(beneath) => io_beneath(beneath),
        _ => None,
    }
}

/// The size of an answer that was larger than the largest that is taken.
pub(super) fn too_large(error: &RequestError) -> Option<usize> {
    let beneath = io_beneath(error)?.get_ref()?;
    beneath.downcast_ref::<TooLarge>().map(|answer| answer.bytes)
}

/// A request as rskafka's messenger wants it.
pub(super) struct Wire<'a, R>(pub(super) &'a R);

/// An answer's body as it came, and the version that it is in.
pub(super) struct Raw {
    pub(super) version: i16,
    pub(super) body: Bytes,
    /// Bytes of the body and of the header before it.
    pub(super) frame_bytes: usize,
}

impl<R: Request> RequestBody for Wire<'_, R> {
    type ResponseBody = Raw;
    const API_KEY: ApiKey = R::KEY;
    const API_VERSION_RANGE: ApiVersionRange =
        ApiVersionRange::new(ApiVersion(Int16(R::VERSIONS.0)), ApiVersion(Int16(R::VERSIONS.1)));
    const FIRST_TAGGED_FIELD_IN_REQUEST_VERSION: ApiVersion = ApiVersion(Int16(R::FIRST_FLEXIBLE));
    const FIRST_TAGGED_FIELD_IN_RESPONSE_VERSION: ApiVersion =
        ApiVersion(Int16(R::FIRST_FLEXIBLE_HEADER));
}

impl<R: Request> WriteVersionedType<Vec<u8>> for Wire<'_, R> {
    fn write_versioned(
        &self,
        writer: &mut Vec<u8>,
        version: ApiVersion,
    ) -> Result<(), WriteVersionedError> {
        self.0.encode(version.0.0, writer);
        Ok(())
    }
}

impl ReadVersionedType<Cursor<Vec<u8>>> for Raw {
    /// Takes the frame's buffer instead of a copy. The position goes back to 0 of an empty
    /// buffer, so that the messenger finds nothing left to be read.
    fn read_versioned(
        reader: &mut Cursor<Vec<u8>>,
        version: ApiVersion,
    ) -> Result<Self, ReadVersionedError> {
        let at = usize::try_from(reader.position()).unwrap_or(usize::MAX);
        reader.set_position(0);
        let frame = Bytes::from(std::mem::take(reader.get_mut()));
        let body = frame.slice(at.min(frame.len())..);
        Ok(Self { version: version.0.0, body, frame_bytes: frame.len() })
    }
}

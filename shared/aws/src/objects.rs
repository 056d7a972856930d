//! The destination in S3: an object is one key below the prefix.

mod copy;
mod list;
mod upload;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, Delete, ObjectIdentifier};
use bytes::Bytes;
use tidegate_core::ports::{
    Created, Metadata, ObjectBytes, ObjectPath, ObjectStore, Page, ReadRange, check_path,
};
use tidegate_core::spec::Destination;
use tidegate_core::time::Deadline;
use tidegate_core::{Error, ErrorKind, Result};

use crate::call::within;
use crate::clients::Clients;
use crate::clock::now;

pub use upload::S3Upload;

/// The most keys that one DeleteObjects takes.
const DELETED_AT_ONCE: usize = 1_000;
/// S3 answered that the condition does not hold: an object stands there.
const PRECONDITION_FAILED: u16 = 412;
/// S3 answered that another conditional write of the same key is under way.
const CONFLICT: u16 = 409;
/// The range begins at or past the end of the object.
const RANGE_NOT_SATISFIABLE: u16 = 416;
const NOT_FOUND: u16 = 404;
/// How long to wait for the other conditional write of the same key.
const CONFLICT_WAIT: Duration = Duration::from_millis(200);
/// How often the body of an answer is asked for: the SDK retries no body that breaks off.
const READ_TRIES: u32 = 4;

/// The destination in a bucket, below a prefix.
#[derive(Clone, Debug)]
pub struct S3Objects {
    client: Client,
    bucket: String,
    /// Empty, or with a `/` behind.
    prefix: String,
}

impl S3Objects {
    /// The destination in `bucket`, below `prefix` (without slashes at its ends; it may be
    /// empty). Nothing is asked yet.
    pub fn new(clients: &Clients, bucket: impl Into<String>, prefix: &str) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { client: clients.s3.clone(), bucket: bucket.into(), prefix }
    }

    /// The destination of a spec.
    ///
    /// # Errors
    /// `Config` if it is not in S3.
    pub fn at(clients: &Clients, destination: &Destination) -> Result<Self> {
        match destination {
            Destination::S3 { bucket, prefix } => Ok(Self::new(clients, bucket, prefix)),
            Destination::Directory(_) => Err(Error::config(format!(
                "destination: {destination} is a directory: on AWS it must be s3://bucket/prefix"
            ))),
        }
    }

    fn key(&self, path: &str) -> Result<String> {
        check_path(path)?;
        Ok(format!("{}{path}", self.prefix))
    }

    fn doing(&self, verb: &str, key: &str) -> String {
        format!("{verb} s3://{}/{key}", self.bucket)
    }

    /// The request that puts an object in the place of whatever stands there.
    fn put_request(&self, key: &str, bytes: Bytes, metadata: &Metadata) -> PutObjectFluentBuilder {
        let mut put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .body(ByteStream::from(bytes));
        for (name, value) in metadata {
            put = put.metadata(name, value);
        }
        put
    }

    /// Puts an object, if absent.
    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        metadata: &Metadata,
        by: Deadline,
    ) -> Result<Created> {
        loop {
            let put = self.put_request(key, bytes.clone(), metadata).if_none_match("*");
            let put = put.customize().disable_payload_signing();
            match within(by, &self.doing("put", key), put.send()).await {
                Ok(_) => return Ok(Created::Ours),
                Err(failed) => match failed.status {
                    Some(PRECONDITION_FAILED) => return Ok(Created::Stands),
                    // The other write may fail: only S3 can tell, and only if it is asked again.
                    Some(CONFLICT) => tokio::time::sleep(CONFLICT_WAIT).await,
                    _ => return Err(failed.error),
                },
            }
        }
    }
}

/// What is known of an object without its bytes.
#[derive(Clone, Debug)]
struct Head {
    bytes: u64,
    /// Names this content: a copy is made of it and of no other.
    etag: Option<String>,
}

impl S3Objects {
    /// Size and ETag of an object; none if it is not there.
    async fn head(&self, key: &str, by: Deadline) -> Result<Option<Head>> {
        let head = self.client.head_object().bucket(&self.bucket).key(key);
        match within(by, &self.doing("look for", key), head.send()).await {
            Ok(head) => {
                let bytes = head.content_length().and_then(|bytes| u64::try_from(bytes).ok());
                let etag = head.e_tag;
                Ok(Some(Head { bytes: bytes.unwrap_or(0), etag }))
            }
            Err(failed) if failed.status == Some(NOT_FOUND) => Ok(None),
            Err(failed) => Err(failed.error),
        }
    }

    /// The bytes of an object that an HTTP range names; none if it is not there.
    async fn get(
        &self,
        key: &str,
        range: Option<String>,
        by: Deadline,
    ) -> Result<Option<ObjectBytes>> {
        let mut tries = 1;
        loop {
            let get = self.client.get_object().bucket(&self.bucket).key(key);
            let doing = self.doing("read", key);
            let got = match within(by, &doing, get.set_range(range.clone()).send()).await {
                Ok(got) => got,
                Err(failed) => match failed.status {
                    Some(NOT_FOUND) if failed.error.kind() != ErrorKind::Config => return Ok(None),
                    Some(RANGE_NOT_SATISFIABLE) => return self.nothing_of(key, by).await,
                    _ => return Err(failed.error),
                },
            };
            let whole =
                got.content_range().and_then(|range| range.rsplit('/').next()?.parse().ok());
            let body = tokio::time::timeout(by.remaining(now()), got.body.collect()).await;
            match body {
                Ok(Ok(body)) => {
                    let bytes = body.into_bytes();
                    let object_bytes = whole.unwrap_or(u64::try_from(bytes.len()).unwrap_or(0));
                    return Ok(Some(ObjectBytes { bytes, object_bytes }));
                }
                Ok(Err(_)) if tries < READ_TRIES => tries += 1,
                Ok(Err(error)) => {
                    let broken = Error::unavailable(format!("the answer broke off: {error}"));
                    return Err(broken.while_doing(doing));
                }
                Err(_) => {
                    let late = Error::unavailable("S3 did not answer in time");
                    return Err(late.while_doing(doing));
                }
            }
        }
    }

    /// No bytes, and the size of the whole.
    async fn nothing_of(&self, key: &str, by: Deadline) -> Result<Option<ObjectBytes>> {
        let head = self.head(key, by).await?;
        Ok(head.map(|head| ObjectBytes { bytes: Bytes::new(), object_bytes: head.bytes }))
    }

    /// Deletes at most [`DELETED_AT_ONCE`] keys.
    async fn delete_batch(&self, paths: &[ObjectPath], by: Deadline) -> Result<()> {
        let mut delete = Delete::builder().quiet(true);
        for path in paths {
            let object = ObjectIdentifier::builder().key(self.key(path)?).build();
            delete = delete.objects(object.map_err(|error| Error::corrupt(error.to_string()))?);
        }
        let delete = delete.build().map_err(|error| Error::corrupt(error.to_string()))?;
        let call = self.client.delete_objects().bucket(&self.bucket).delete(delete);
        let doing = self.doing("delete objects of", &self.prefix);
        let deleted = within(by, &doing, call.send()).await?;
        let Some(error) = deleted.errors().first() else { return Ok(()) };
        let (key, code) = (error.key().unwrap_or("?"), error.code().unwrap_or("?"));
        let failed = Error::new(
            if code == "AccessDenied" { ErrorKind::Denied } else { ErrorKind::Unavailable },
            format!("{code}: {}", error.message().unwrap_or("no reason given")),
        );
        Err(failed.while_doing(self.doing("delete", key)))
    }
}

impl ObjectStore for S3Objects {
    type Upload = S3Upload;

    async fn create(
        &self,
        path: &str,
        bytes: Bytes,
        metadata: &Metadata,
        by: Deadline,
    ) -> Result<Created> {
        self.put(&self.key(path)?, bytes, metadata, by).await
    }

    async fn replace(
        &self,
        path: &str,
        bytes: Bytes,
        metadata: &Metadata,
        by: Deadline,
    ) -> Result<()> {
        let key = self.key(path)?;
        let put = self.put_request(&key, bytes, metadata).customize().disable_payload_signing();
        within(by, &self.doing("replace", &key), put.send()).await?;
        Ok(())
    }

    async fn upload(&self, path: &str, metadata: &Metadata, _by: Deadline) -> Result<S3Upload> {
        Ok(S3Upload::new(self.clone(), self.key(path)?, metadata))
    }

    async fn read(
        &self,
        path: &str,
        range: ReadRange,
        by: Deadline,
    ) -> Result<Option<ObjectBytes>> {
        let key = self.key(path)?;
        match range {
            ReadRange::All => self.get(&key, None, by).await,
            // HTTP has no range without bytes.
            ReadRange::Last(0) => self.nothing_of(&key, by).await,
            ReadRange::Bytes(range) if range.is_empty() => self.nothing_of(&key, by).await,
            ReadRange::Last(count) => {
                // What no object can have, servers refuse as a number: it is all of it.
                let range = i64::try_from(count).map(|count| format!("bytes=-{count}"));
                self.get(&key, range.ok(), by).await
            }
            ReadRange::Bytes(range) => {
                let last = i64::try_from(range.end).map(|end| (end - 1).to_string());
                let range = format!("bytes={}-{}", range.start, last.unwrap_or_default());
                self.get(&key, Some(range), by).await
            }
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, by: Deadline) -> Result<Page> {
        list::page(self, prefix, after, by).await
    }

    async fn delete(&self, paths: &[ObjectPath], by: Deadline) -> Result<()> {
        for batch in paths.chunks(DELETED_AT_ONCE) {
            self.delete_batch(batch, by).await?;
        }
        Ok(())
    }
}

//! An object in the making: a multipart upload, or one put if it stays small.

use std::fmt;
use std::ops::Range;

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use tidegate_core::ports::{Copied, Created, Metadata, Upload};
use tidegate_core::time::Deadline;
use tidegate_core::{Error, ErrorKind, Result};
use tokio::task::{JoinError, JoinSet};

use super::copy::{in_header, pieces};
use super::{CONFLICT, Head, NOT_FOUND, PRECONDITION_FAILED, S3Objects};
use crate::call::within;
use crate::clients::{PATIENT, timeouts_of};

/// Bytes of a part: requests cost more than memory up to here.
const PART_BYTES: usize = 8 << 20;
/// What stays behind when a part is sent, so that a part before a copy is never too small.
const KEPT_BYTES: usize = 5 << 20;
/// Parts that are on their way at once.
const PARTS_AT_ONCE: usize = 2;

/// An object in the making. Nothing is sent before a part is full.
pub struct S3Upload {
    objects: S3Objects,
    key: String,
    metadata: Vec<(String, String)>,
    /// Written and not sent.
    buffer: BytesMut,
    /// Names the multipart upload, once there is one.
    id: Option<String>,
    next_part: i32,
    parts: Vec<CompletedPart>,
    sending: JoinSet<Result<CompletedPart>>,
    /// The object copied from last: mostly the next one, too.
    source: Option<(String, Head)>,
}

impl fmt::Debug for S3Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Upload").field("key", &self.key).finish_non_exhaustive()
    }
}

impl S3Upload {
    pub(super) fn new(objects: S3Objects, key: String, metadata: &Metadata) -> Self {
        Self {
            objects,
            key,
            metadata: metadata.to_vec(),
            buffer: BytesMut::new(),
            id: None,
            next_part: 1,
            parts: Vec::new(),
            sending: JoinSet::new(),
            source: None,
        }
    }

    /// The multipart upload, begun if need be, and the number of its next part.
    async fn next_part(&mut self, by: Deadline) -> Result<(String, i32)> {
        let id = match &self.id {
            Some(id) => id.clone(),
            None => self.begin(by).await?,
        };
        let number = self.next_part;
        self.next_part += 1;
        Ok((id, number))
    }

    async fn begin(&mut self, by: Deadline) -> Result<String> {
        let mut begin = self
            .objects
            .client
            .create_multipart_upload()
            .bucket(&self.objects.bucket)
            .key(&self.key)
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
        for (name, value) in &self.metadata {
            begin = begin.metadata(name, value);
        }
        let doing = self.objects.doing("begin", &self.key);
        let begun = within(by, &doing, begin.send()).await?;
        let id = begun
            .upload_id
            .ok_or_else(|| Error::unavailable("S3 gave the upload no id").while_doing(doing))?;
        self.id = Some(id.clone());
        Ok(id)
    }

    /// Sends bytes as the next part, side by side with others.
    async fn send(&mut self, bytes: Bytes, by: Deadline) -> Result<()> {
        while self.sending.len() >= PARTS_AT_ONCE {
            self.take_sent().await?;
        }
        let (id, number) = self.next_part(by).await?;
        let call = self
            .objects
            .client
            .upload_part()
            .bucket(&self.objects.bucket)
            .key(&self.key)
            .upload_id(id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .body(ByteStream::from(bytes))
            .customize()
            .disable_payload_signing();
        let doing = self.objects.doing(&format!("send part {number} of"), &self.key);
        self.sending.spawn(async move {
            let sent = within(by, &doing, call.send()).await?;
            let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
            Ok(part.set_checksum_crc64_nvme(sent.checksum_crc64_nvme).build())
        });
        Ok(())
    }

    /// Waits for one of the parts that are on their way.
    async fn take_sent(&mut self) -> Result<()> {
        match self.sending.join_next().await {
            None => Ok(()),
            Some(sent) => self.take(sent),
        }
    }

    fn take(&mut self, sent: Result<Result<CompletedPart>, JoinError>) -> Result<()> {
        let cut_off = |gone| Error::unavailable(format!("sending a part was cut off: {gone}"));
        self.parts.push(sent.map_err(cut_off)??);
        Ok(())
    }

    /// The source as it was when it was first looked at; none if it is not there.
    async fn source(&mut self, path: &str, by: Deadline) -> Result<Option<(String, Head)>> {
        let key = self.objects.key(path)?;
        if let Some((known, head)) = &self.source
            && *known == key
        {
            return Ok(Some((key, head.clone())));
        }
        let head = self.objects.head(&key, by).await?;
        self.source = head.map(|head| (key, head));
        Ok(self.source.clone())
    }

    async fn copy_part(
        &mut self,
        key: &str,
        head: &Head,
        range: Range<u64>,
        by: Deadline,
    ) -> Result<Copied> {
        let (id, number) = self.next_part(by).await?;
        let from = format!("{}/{key}", self.objects.bucket);
        let copy = self
            .objects
            .client
            .upload_part_copy()
            .bucket(&self.objects.bucket)
            .key(&self.key)
            .upload_id(id)
            .part_number(number)
            .copy_source(in_header(&from))
            .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1))
            .set_copy_source_if_match(head.etag.clone());
        let doing = format!("{} from {key}", self.objects.doing("copy into", &self.key));
        let copy = copy.customize().config_override(patient());
        let copied = match within(by, &doing, copy.send()).await {
            Ok(copied) => copied,
            Err(failed) if failed.status == Some(NOT_FOUND) && !failed.is("NoSuchUpload") => {
                return Ok(Copied::Gone);
            }
            Err(failed) => return Err(failed.error),
        };
        let result = copied.copy_part_result;
        let (etag, checksum) =
            result.map(|result| (result.e_tag, result.checksum_crc64_nvme)).unwrap_or_default();
        let part = CompletedPart::builder().part_number(number).set_e_tag(etag);
        self.parts.push(part.set_checksum_crc64_nvme(checksum).build());
        Ok(Copied::Done)
    }

    /// Makes the object of its parts, if none stands there.
    async fn complete(&mut self, id: &str, by: Deadline) -> Result<Created> {
        self.parts.sort_by_key(CompletedPart::part_number);
        let parts = std::mem::take(&mut self.parts);
        let complete = self
            .objects
            .client
            .complete_multipart_upload()
            .bucket(&self.objects.bucket)
            .key(&self.key)
            .upload_id(id)
            .if_none_match("*")
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build());
        let doing = self.objects.doing("complete", &self.key);
        let complete = complete.customize().config_override(patient());
        let failed = match within(by, &doing, complete.send()).await {
            Ok(_) => return Ok(Created::Ours),
            Err(failed) => failed,
        };
        let is = |status, code| failed.status == Some(status) || failed.is(code);
        // Both may also stand in an answer that begins with 200.
        if is(PRECONDITION_FAILED, "PreconditionFailed") {
            // The upload stays open after that, and its parts cost money. If they cannot be
            // removed now, the bucket's lifecycle does it.
            let _ = self.drop_parts(id, by).await;
            return Ok(Created::Stands);
        }
        let conflict = is(CONFLICT, "ConditionalRequestConflict");
        if !conflict && !failed.is("NoSuchUpload") {
            return Err(failed.error);
        }
        // An upload that is gone was completed by a try whose answer was lost; one that is in
        // conflict may be: what stands, tells. A reader may not look at its own file, which has a
        // name that nobody else has, and is looked at before it counts.
        match self.objects.head(&self.key, by).await {
            Ok(Some(_)) => Ok(Created::Stands),
            Err(denied) if denied.kind() == ErrorKind::Denied && !conflict => Ok(Created::Stands),
            Ok(None) | Err(_) => {
                let _ = self.drop_parts(id, by).await;
                Err(failed.error)
            }
        }
    }

    async fn drop_parts(&self, id: &str, by: Deadline) -> Result<()> {
        let abort = self
            .objects
            .client
            .abort_multipart_upload()
            .bucket(&self.objects.bucket)
            .key(&self.key)
            .upload_id(id);
        match within(by, &self.objects.doing("abandon", &self.key), abort.send()).await {
            Ok(_) => Ok(()),
            Err(failed) if failed.status == Some(NOT_FOUND) => Ok(()),
            Err(failed) => Err(failed.error),
        }
    }
}

impl Upload for S3Upload {
    async fn write(&mut self, bytes: Bytes, by: Deadline) -> Result<()> {
        while let Some(sent) = self.sending.try_join_next() {
            self.take(sent)?;
        }
        self.buffer.extend_from_slice(&bytes);
        while self.buffer.len() >= PART_BYTES + KEPT_BYTES {
            let part = self.buffer.split_to(PART_BYTES).freeze();
            self.send(part, by).await?;
        }
        Ok(())
    }

    async fn copy(&mut self, source: &str, range: Range<u64>, by: Deadline) -> Result<Copied> {
        let Some((key, head)) = self.source(source, by).await? else { return Ok(Copied::Gone) };
        if range.end > head.bytes || range.is_empty() {
            return Err(Error::corrupt(format!(
                "copy bytes {}..{} of {key}: it has {}",
                range.start, range.end, head.bytes
            )));
        }
        if !self.buffer.is_empty() {
            let written = self.buffer.split().freeze();
            self.send(written, by).await?;
        }
        for piece in pieces(range) {
            if self.copy_part(&key, &head, piece, by).await? == Copied::Gone {
                return Ok(Copied::Gone);
            }
        }
        Ok(Copied::Done)
    }

    fn held_bytes(&self) -> usize {
        self.buffer.len() + self.sending.len() * PART_BYTES
    }

    async fn finish(mut self, by: Deadline) -> Result<Created> {
        let rest = self.buffer.split().freeze();
        let Some(id) = self.id.clone() else {
            return self.objects.put(&self.key, rest, &self.metadata, by).await;
        };
        if !rest.is_empty() {
            self.send(rest, by).await?;
        }
        while !self.sending.is_empty() {
            self.take_sent().await?;
        }
        self.complete(&id, by).await
    }

    async fn abandon(mut self, by: Deadline) -> Result<()> {
        // A part that arrives after the abort would stay.
        self.sending.shutdown().await;
        match self.id.take() {
            Some(id) => self.drop_parts(&id, by).await,
            None => Ok(()),
        }
    }
}

/// Waits for what S3 does by itself.
fn patient() -> Builder {
    Builder::new().timeout_config(timeouts_of(PATIENT))
}

use std::ops::Range;

use bytes::Bytes;
use tidegate_core::Result;
use tidegate_core::ports::{
    Copied, Created, Metadata, ObjectBytes, ObjectPath, ObjectStore, Page, ReadRange, Upload,
};
use tidegate_core::time::Deadline;
use tidegate_local::DirectoryObjects;

use super::{awaited, behind};

/// The destination: a directory, or a bucket.
#[derive(Debug)]
pub(crate) enum Objects {
    Local(DirectoryObjects),
    #[cfg(feature = "aws")]
    Aws(tidegate_aws::S3Objects),
}

/// An object in the making, in either.
#[derive(Debug)]
pub(crate) enum ObjectUpload {
    Local(<DirectoryObjects as ObjectStore>::Upload),
    #[cfg(feature = "aws")]
    Aws(tidegate_aws::S3Upload),
}

impl ObjectStore for Objects {
    type Upload = ObjectUpload;

    async fn create(
        &self,
        path: &str,
        bytes: Bytes,
        metadata: &Metadata,
        by: Deadline,
    ) -> Result<Created> {
        awaited!(self, port => port.create(path, bytes, metadata, by))
    }

    async fn replace(
        &self,
        path: &str,
        bytes: Bytes,
        metadata: &Metadata,
        by: Deadline,
    ) -> Result<()> {
        awaited!(self, port => port.replace(path, bytes, metadata, by))
    }

    async fn upload(&self, path: &str, metadata: &Metadata, by: Deadline) -> Result<ObjectUpload> {
        match self {
            Self::Local(port) => port.upload(path, metadata, by).await.map(ObjectUpload::Local),
            #[cfg(feature = "aws")]
            Self::Aws(port) => port.upload(path, metadata, by).await.map(ObjectUpload::Aws),
        }
    }

    async fn read(
        &self,
        path: &str,
        range: ReadRange,
        by: Deadline,
    ) -> Result<Option<ObjectBytes>> {
        awaited!(self, port => port.read(path, range, by))
    }

    async fn list(&self, prefix: &str, after: Option<&str>, by: Deadline) -> Result<Page> {
        awaited!(self, port => port.list(prefix, after, by))
    }

    async fn delete(&self, paths: &[ObjectPath], by: Deadline) -> Result<()> {
        awaited!(self, port => port.delete(paths, by))
    }
}

impl Upload for ObjectUpload {
    async fn write(&mut self, bytes: Bytes, by: Deadline) -> Result<()> {
        awaited!(self, port => port.write(bytes, by))
    }

    async fn copy(&mut self, source: &str, range: Range<u64>, by: Deadline) -> Result<Copied> {
        awaited!(self, port => port.copy(source, range, by))
    }

    fn held_bytes(&self) -> usize {
        behind!(self, port => port.held_bytes())
    }

    async fn finish(self, by: Deadline) -> Result<Created> {
        awaited!(self, port => port.finish(by))
    }

    async fn abandon(self, by: Deadline) -> Result<()> {
        awaited!(self, port => port.abandon(by))
    }
}

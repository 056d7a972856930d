//! s3s-fs with its conditional writes made atomic: it looks, writes and renames, so that several
//! creators of one key win. One lock per key makes it one at a time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use tokio::sync::Mutex as AsyncMutex;

pub(crate) struct Locking {
    root: PathBuf,
    beneath: FileSystem,
    keys: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
}

impl Locking {
    pub(crate) fn new(root: &Path) -> Self {
        let beneath = FileSystem::new(root).expect("a folder that is there");
        Self { root: root.to_owned(), beneath, keys: Mutex::new(HashMap::new()) }
    }

    fn lock_of(&self, key: &str) -> Arc<AsyncMutex<()>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(keys.entry(key.to_owned()).or_default())
    }
}

/// Of an upload that was completed before, S3 says that there is none; s3s-fs denies it.
fn as_s3_says(error: S3Error) -> S3Error {
    match error.code() {
        S3ErrorCode::AccessDenied => S3ErrorCode::NoSuchUpload.into(),
        _ => error,
    }
}

/// Passes calls on: under the key's lock those that make or remove an object.
macro_rules! pass_on {
    ($($call:ident($input:ident) -> $output:ident $(under $key:ident)?;)*) => {
        #[async_trait::async_trait]
        impl S3 for Locking {
            $(async fn $call(&self, req: S3Request<$input>) -> S3Result<S3Response<$output>> {
                $(let lock = self.lock_of(&req.input.$key); let _held = lock.lock().await;)?
                self.beneath.$call(req).await
            })*

            async fn get_object(
                &self,
                req: S3Request<GetObjectInput>,
            ) -> S3Result<S3Response<GetObjectOutput>> {
                // s3s-fs opens folders, and of a range without bytes it subtracts too much.
                let path = self.root.join(&req.input.bucket).join(&req.input.key);
                if path.is_dir() {
                    return Err(S3ErrorCode::NoSuchKey.into());
                }
                let length = path.metadata().map_or(u64::MAX, |object| object.len());
                let begins_behind = match req.input.range {
                    Some(Range::Int { first, .. }) => first >= length,
                    Some(Range::Suffix { .. }) => length == 0,
                    None => false,
                };
                if begins_behind {
                    return Err(S3ErrorCode::InvalidRange.into());
                }
                self.beneath.get_object(req).await
            }

            async fn complete_multipart_upload(
                &self,
                req: S3Request<CompleteMultipartUploadInput>,
            ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
                let lock = self.lock_of(&req.input.key);
                let _held = lock.lock().await;
                self.beneath.complete_multipart_upload(req).await.map_err(as_s3_says)
            }
        }
    };
}

pass_on! {
    create_bucket(CreateBucketInput) -> CreateBucketOutput;
    put_object(PutObjectInput) -> PutObjectOutput under key;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
}

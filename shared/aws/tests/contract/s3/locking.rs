//! s3s-fs with its conditional writes made atomic: it looks, writes and renames, so that several
//! creators of one key win. One lock per key makes it one at a time.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use tokio::sync::Mutex as AsyncMutex;

pub(crate) struct Locking {
    beneath: FileSystem,
    keys: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
}

impl Locking {
    pub(crate) fn new(root: &Path) -> Self {
        let beneath = FileSystem::new(root).expect("a folder that is there");
        Self { beneath, keys: Mutex::new(HashMap::new()) }
    }

    fn lock_of(&self, key: &str) -> Arc<AsyncMutex<()>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(keys.entry(key.to_owned()).or_default())
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
        }
    };
}

pass_on! {
    create_bucket(CreateBucketInput) -> CreateBucketOutput;
    put_object(PutObjectInput) -> PutObjectOutput under key;
    get_object(GetObjectInput) -> GetObjectOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput under key;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
}

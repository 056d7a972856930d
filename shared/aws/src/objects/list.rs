//! Listings.

use tidegate_core::Result;
use tidegate_core::ports::{ObjectInfo, Page};
use tidegate_core::time::Deadline;

use super::S3Objects;
use crate::call::within;

/// One page: S3 lists keys in the order of their bytes.
pub(super) async fn page(
    objects: &S3Objects,
    prefix: &str,
    after: Option<&str>,
    by: Deadline,
) -> Result<Page> {
    let full = format!("{}{prefix}", objects.prefix);
    let list = objects
        .client
        .list_objects_v2()
        .bucket(&objects.bucket)
        .prefix(&full)
        .set_start_after(after.map(|after| format!("{}{after}", objects.prefix)));
    let listed = within(by, &objects.doing("list", &full), list.send()).await?;
    let mut page = Page::default();
    for object in listed.contents() {
        // A key that ends with a slash is how consoles make folders: no object of ours.
        let path = object.key().and_then(|key| key.strip_prefix(&objects.prefix));
        let Some(path) = path.filter(|path| !path.ends_with('/')) else { continue };
        let bytes = object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
        page.objects.push(ObjectInfo { path: path.to_owned(), bytes });
    }
    if listed.is_truncated() == Some(true) {
        let last = listed.contents().last().and_then(|object| object.key());
        page.next = last.and_then(|key| key.strip_prefix(&objects.prefix)).map(str::to_owned);
    }
    Ok(page)
}

use std::ops::Range;

use bytes::Bytes;
use tidegate_core::error::{Error, Result};
use tidegate_core::ports::{
    Copied, Created, Metadata, ObjectBytes, ObjectPath, ObjectStore, Page, ReadRange, Upload,
    check_path,
};
use tidegate_core::time::Deadline;

use crate::actor::{Call, Ports};
use crate::faults::Class::{Read, Write};
use crate::sabotage::Sabotage;
use crate::world::State;

impl State {
    fn create_object(&mut self, path: &str, bytes: &Bytes) -> Created {
        let layout = path.ends_with(".next.json");
        if self.sabotaged(Sabotage::CreateReplaces)
            || (layout && self.sabotaged(Sabotage::LayoutReplaced))
        {
            self.objects.overwrite(path, bytes);
            self.check_object(path, bytes);
            return Created::Ours;
        }
        let created = self.objects.create(path, bytes);
        self.check_object(path, bytes);
        created
    }
}

impl State {
    fn replace_object(&mut self, path: &str, bytes: &Bytes) {
        let data = path.ends_with(".parquet");
        if data && self.objects.get(path).is_none() && self.sabotaged(Sabotage::AbortTakesNoName) {
            return;
        }
        self.objects.overwrite(path, bytes);
        self.check_replaced(path, bytes);
    }
}

impl ObjectStore for Ports {
    type Upload = SimUpload;

    async fn create(
        &self,
        path: &str,
        bytes: Bytes,
        _metadata: &Metadata,
        deadline: Deadline,
    ) -> Result<Created> {
        check_path(path)?;
        let call = Call { class: Write, op: "create", detail: || path.to_owned(), deadline };
        let path = path.to_owned();
        self.call(call, move |state| Ok(state.create_object(&path, &bytes))).await
    }

    async fn replace(
        &self,
        path: &str,
        bytes: Bytes,
        _metadata: &Metadata,
        deadline: Deadline,
    ) -> Result<()> {
        check_path(path)?;
        let call = Call { class: Write, op: "replace", detail: || path.to_owned(), deadline };
        let path = path.to_owned();
        self.call(call, move |state| {
            state.replace_object(&path, &bytes);
            Ok(())
        })
        .await
    }

    async fn upload(
        &self,
        path: &str,
        _metadata: &Metadata,
        deadline: Deadline,
    ) -> Result<SimUpload> {
        check_path(path)?;
        let call = Call { class: Read, op: "upload", detail: || path.to_owned(), deadline };
        self.call(call, |_| Ok(())).await?;
        Ok(SimUpload { ports: self.clone(), path: path.to_owned(), bytes: Vec::new() })
    }

    async fn read(
        &self,
        path: &str,
        range: ReadRange,
        deadline: Deadline,
    ) -> Result<Option<ObjectBytes>> {
        check_path(path)?;
        let detail = || format!("{path} {range:?}");
        let call = Call { class: Read, op: "read", detail, deadline };
        let (path, range) = (path.to_owned(), range.clone());
        self.call(call, move |state| Ok(state.objects.read(&path, &range))).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, deadline: Deadline) -> Result<Page> {
        let call = Call { class: Read, op: "list", detail: || prefix.to_owned(), deadline };
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.call(call, move |state| {
            let page_objects = state.settings.page_objects;
            Ok(state.objects.list(&prefix, after.as_deref(), page_objects))
        })
        .await
    }

    async fn delete(&self, paths: &[ObjectPath], deadline: Deadline) -> Result<()> {
        paths.iter().try_for_each(|path| check_path(path))?;
        let detail = || paths.join(" ");
        let call = Call { class: Write, op: "delete", detail, deadline };
        let paths = paths.to_vec();
        self.call(call, move |state| {
            for path in &paths {
                state.objects.delete(path);
                state.check_deleted(path);
            }
            Ok(())
        })
        .await
    }
}

/// An object in the making.
#[derive(Debug)]
pub struct SimUpload {
    ports: Ports,
    path: String,
    bytes: Vec<u8>,
}

impl Upload for SimUpload {
    async fn write(&mut self, bytes: Bytes, deadline: Deadline) -> Result<()> {
        let detail = || format!("{} {} bytes", self.path, bytes.len());
        let call = Call { class: Read, op: "upload.write", detail, deadline };
        self.ports.call(call, |_| Ok(())).await?;
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn copy(
        &mut self,
        source: &str,
        range: Range<u64>,
        deadline: Deadline,
    ) -> Result<Copied> {
        check_path(source)?;
        let wanted = range.end.saturating_sub(range.start);
        let detail = || format!("{} from {source} {range:?}", self.path);
        let call = Call { class: Read, op: "upload.copy", detail, deadline };
        let (source, range) = (source.to_owned(), ReadRange::Bytes(range.clone()));
        let read = move |state: &mut State| Ok(state.objects.read(&source, &range));
        let Some(found) = self.ports.call(call, read).await? else {
            return Ok(Copied::Gone);
        };
        if u64::try_from(found.bytes.len()).ok() != Some(wanted) {
            let ends = found.object_bytes;
            return Err(Error::corrupt(format!("{}: its source ends at {ends}", self.path)));
        }
        self.bytes.extend_from_slice(&found.bytes);
        Ok(Copied::Done)
    }

    fn held_bytes(&self) -> usize {
        0
    }

    async fn finish(self, deadline: Deadline) -> Result<Created> {
        let Self { ports, path, bytes } = self;
        let detail = || path.clone();
        let call = Call { class: Write, op: "upload.finish", detail, deadline };
        let (path, bytes) = (path.clone(), Bytes::from(bytes));
        ports.call(call, move |state| Ok(state.create_object(&path, &bytes))).await
    }

    async fn abandon(self, deadline: Deadline) -> Result<()> {
        let detail = || self.path.clone();
        let call = Call { class: Read, op: "upload.abandon", detail, deadline };
        self.ports.call(call, |_| Ok(())).await
    }
}

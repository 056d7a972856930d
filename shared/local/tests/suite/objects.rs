use std::ops::Range;

use bytes::Bytes;
use tidegate_core::Result;
use tidegate_core::ports::{
    Copied, Created, Metadata, ObjectBytes, ObjectPath, ObjectStore, Page, ReadRange, Upload,
};
use tidegate_core::time::Deadline;
use tidegate_local::{DirectoryObjects, DirectoryUpload, SystemClock};
use tidegate_sim::contract;

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Overwrites,
    SaysOursOfWhatStands,
    TakesAnyPath,
    ReplacesNothing,
    ReplacesOnlyWhatStands,
    ReadsOneByteMore,
    SaysEmptyOfWhatIsNotThere,
    ShowsUploadsEarly,
    FinishesOverOthers,
    MixesUpPieces,
    CopiesFromTheBeginning,
    CopiesNothingOfWhatIsGone,
    CopiesWhatIsThere,
    FinishesWhatIsAbandoned,
    ListsDirectoriesFirst,
    ListsOnePageOnly,
    ListsFromTheBeginning,
    ListsWholeDirectories,
    DeletesTheFirstOnly,
    WantsAllToBeThere,
}

/// Each with the check that has to notice it first.
const TABLE: [(Wrong, &str); 20] = [
    (Wrong::Overwrites, "create::one_that_stands_never_changes"),
    (Wrong::SaysOursOfWhatStands, "create::one_that_stands_never_changes"),
    (Wrong::TakesAnyPath, "create::a_path_that_is_none_is_refused"),
    (Wrong::ReplacesNothing, "replace::what_stands_makes_way_whole"),
    (Wrong::ReplacesOnlyWhatStands, "replace::a_name_that_is_taken_so_is_taken"),
    (Wrong::ReadsOneByteMore, "read::ranges_are_cut_at_the_end"),
    (Wrong::SaysEmptyOfWhatIsNotThere, "create::one_that_stands_never_changes"),
    (Wrong::ShowsUploadsEarly, "upload::it_is_invisible_until_it_is_finished"),
    (Wrong::FinishesOverOthers, "upload::a_second_finish_changes_nothing"),
    (Wrong::MixesUpPieces, "upload::it_is_invisible_until_it_is_finished"),
    (Wrong::CopiesFromTheBeginning, "upload::parts_are_copied_and_written_in_turn"),
    (Wrong::CopiesNothingOfWhatIsGone, "upload::a_copy_of_what_is_gone_is_said_so"),
    (Wrong::CopiesWhatIsThere, "upload::a_copy_past_the_end_fails"),
    (Wrong::FinishesWhatIsAbandoned, "upload::a_copy_of_what_is_gone_is_said_so"),
    (Wrong::ListsDirectoriesFirst, "list::paths_come_in_the_order_of_their_bytes"),
    (Wrong::ListsOnePageOnly, "list::a_long_list_comes_in_pages"),
    (Wrong::ListsFromTheBeginning, "list::paths_come_in_the_order_of_their_bytes"),
    (Wrong::ListsWholeDirectories, "create::one_that_stands_never_changes"),
    (Wrong::DeletesTheFirstOnly, "list::a_long_list_comes_in_pages"),
    (Wrong::WantsAllToBeThere, "list::what_is_deleted_is_gone"),
];

#[tokio::test(flavor = "multi_thread")]
async fn wrong_objects_are_noticed() {
    let mut otherwise = Vec::new();
    for (wrong, check) in TABLE {
        let dir = crate::in_memory();
        let right = DirectoryObjects::open(dir.path()).expect("a directory");
        let noticed = contract::object_store(&WrongObjects { right, wrong }, &SystemClock).await;
        match noticed {
            Err(violation) if violation.check == check => {}
            Err(violation) => otherwise.push(format!("{wrong:?}: {violation}")),
            Ok(()) => otherwise.push(format!("{wrong:?} went unnoticed")),
        }
    }
    assert!(otherwise.is_empty(), "{otherwise:#?}");
}

#[derive(Clone)]
struct WrongObjects {
    right: DirectoryObjects,
    wrong: Wrong,
}

struct WrongUpload {
    store: WrongObjects,
    right: DirectoryUpload,
    path: String,
    /// Kept back, to come behind the next piece.
    piece: Option<Bytes>,
}

impl WrongObjects {
    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == wrong
    }

    /// Deletes what stands, where that is what is wrong.
    async fn make_room(&self, wrong: Wrong, path: &str, by: Deadline) -> Result<()> {
        if self.is(wrong) {
            self.right.delete(&[path.to_owned()], by).await?;
        }
        Ok(())
    }

    fn path(&self, path: &str) -> String {
        if !self.is(Wrong::TakesAnyPath) {
            return path.to_owned();
        }
        let whole = |component: &&str| !matches!(*component, "" | "." | "..");
        format!("any/{}", path.split('/').filter(whole).collect::<Vec<_>>().join("/"))
            .trim_end_matches('/')
            .to_owned()
    }
}

impl ObjectStore for WrongObjects {
    type Upload = WrongUpload;

    async fn create(
        &self,
        path: &str,
        bytes: Bytes,
        metadata: &Metadata,
        by: Deadline,
    ) -> Result<Created> {
        self.make_room(Wrong::Overwrites, path, by).await?;
        match self.right.create(&self.path(path), bytes, metadata, by).await? {
            Created::Stands if self.is(Wrong::SaysOursOfWhatStands) => Ok(Created::Ours),
            right => Ok(right),
        }
    }

    async fn replace(
        &self,
        path: &str,
        bytes: Bytes,
        metadata: &Metadata,
        by: Deadline,
    ) -> Result<()> {
        let path = self.path(path);
        if self.is(Wrong::ReplacesNothing) {
            return self.right.create(&path, bytes, metadata, by).await.map(drop);
        }
        let absent = self.right.read(&path, ReadRange::Last(0), by).await?.is_none();
        if absent && self.is(Wrong::ReplacesOnlyWhatStands) {
            return Ok(());
        }
        self.right.replace(&path, bytes, metadata, by).await
    }

    async fn upload(&self, path: &str, metadata: &Metadata, by: Deadline) -> Result<WrongUpload> {
        if self.is(Wrong::ShowsUploadsEarly) {
            self.right.create(path, Bytes::new(), metadata, by).await?;
        }
        let right = self.right.upload(&self.path(path), metadata, by).await?;
        Ok(WrongUpload { store: self.clone(), right, path: path.to_owned(), piece: None })
    }

    async fn read(
        &self,
        path: &str,
        range: ReadRange,
        by: Deadline,
    ) -> Result<Option<ObjectBytes>> {
        let range = match range {
            ReadRange::Bytes(range) if self.is(Wrong::ReadsOneByteMore) => {
                ReadRange::Bytes(range.start..range.end.saturating_add(1))
            }
            right => right,
        };
        let read = self.right.read(&self.path(path), range, by).await?;
        let nothing = ObjectBytes { bytes: Bytes::new(), object_bytes: 0 };
        Ok(read.or_else(|| self.is(Wrong::SaysEmptyOfWhatIsNotThere).then_some(nothing)))
    }

    async fn list(&self, prefix: &str, after: Option<&str>, by: Deadline) -> Result<Page> {
        let whole = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
        let prefix = if self.is(Wrong::ListsWholeDirectories) { whole } else { prefix };
        let after = after.filter(|_| !self.is(Wrong::ListsFromTheBeginning));
        let mut page = self.right.list(prefix, after, by).await?;
        match self.wrong {
            Wrong::ListsOnePageOnly => page.next = None,
            Wrong::ListsDirectoriesFirst => page.objects.sort_by_key(|object| {
                object.path.split('/').map(str::to_owned).collect::<Vec<_>>()
            }),
            _ => {}
        }
        Ok(page)
    }

    async fn delete(&self, paths: &[ObjectPath], by: Deadline) -> Result<()> {
        if self.is(Wrong::WantsAllToBeThere) {
            for path in paths {
                let read = self.right.read(path, ReadRange::All, by).await?;
                read.ok_or_else(|| tidegate_core::Error::unavailable("it is not there"))?;
            }
        }
        let paths: Vec<ObjectPath> = paths.iter().map(|path| self.path(path)).collect();
        let last =
            if self.is(Wrong::DeletesTheFirstOnly) { paths.len().min(1) } else { paths.len() };
        self.right.delete(&paths[..last], by).await
    }
}

impl Upload for WrongUpload {
    async fn write(&mut self, bytes: Bytes, by: Deadline) -> Result<()> {
        if self.store.is(Wrong::MixesUpPieces) && self.piece.is_none() {
            self.piece = Some(bytes);
            return Ok(());
        }
        self.right.write(bytes, by).await?;
        match self.piece.take() {
            Some(piece) => self.right.write(piece, by).await,
            None => Ok(()),
        }
    }

    async fn copy(&mut self, source: &str, range: Range<u64>, by: Deadline) -> Result<Copied> {
        let range = match self.store.wrong {
            Wrong::CopiesFromTheBeginning => 0..range.end - range.start,
            Wrong::CopiesWhatIsThere => {
                let read = self.store.right.read(source, ReadRange::Last(0), by).await?;
                range.start..read.map_or(range.end, |read| read.object_bytes.min(range.end))
            }
            _ => range,
        };
        match self.right.copy(source, range, by).await? {
            Copied::Gone if self.store.is(Wrong::CopiesNothingOfWhatIsGone) => Ok(Copied::Done),
            right => Ok(right),
        }
    }

    fn held_bytes(&self) -> usize {
        self.right.held_bytes()
    }

    async fn finish(mut self, by: Deadline) -> Result<Created> {
        if let Some(piece) = self.piece.take() {
            self.right.write(piece, by).await?;
        }
        self.store.make_room(Wrong::ShowsUploadsEarly, &self.path, by).await?;
        self.store.make_room(Wrong::FinishesOverOthers, &self.path, by).await?;
        self.right.finish(by).await
    }

    async fn abandon(self, by: Deadline) -> Result<()> {
        if self.store.is(Wrong::FinishesWhatIsAbandoned) {
            return self.right.finish(by).await.map(drop);
        }
        self.right.abandon(by).await
    }
}

//! Runs 1 and 3, which read [0, 5) and [5, 9) of t-0, a file each.

use crate::documents::{
    Accounting, CheckpointEntry, CountedSlice, DataFile, FORMAT, FileSlice, Head, Layout,
    LayoutRef, Manifest, ManifestSlice, encode, hash,
};
use crate::planning::samples::entry;
use crate::time::Millis;
use crate::verify::{Link, Positions, StandingLayout, check_sums};
use crate::words::{PipelineName, RandomId, RunNumber, TopicPartition};

pub(super) fn pipeline() -> PipelineName {
    PipelineName::try_from("p".to_owned()).expect("a good name")
}

pub(super) fn entry_at(topic: &str, partition: i32, offset: i64) -> CheckpointEntry {
    entry(topic, partition, offset)
}

pub(super) fn file_slice(start: i64, end: i64) -> FileSlice {
    FileSlice { topic: "t".into(), partition: 0, start, end }
}

pub(super) fn slice(start: i64, reached: i64) -> ManifestSlice {
    let rows = reached.abs_diff(start);
    let accounting = Accounting { rows, ..Accounting::default() };
    ManifestSlice { topic: "t".into(), topic_id: None, partition: 0, start, reached, accounting }
}

/// The layout of a run that read [start, end) of t-0 into one file.
pub(super) fn layout(
    run: u64,
    before: Option<&(Layout, String)>,
    start: i64,
    end: i64,
) -> (Layout, String) {
    let slice = slice(start, end);
    let rows = slice.accounting.rows;
    let layout = Layout {
        format: FORMAT,
        pipeline: pipeline(),
        birth_id: RandomId(1),
        run: RunNumber(run),
        plan: RandomId(run.into()),
        previous_layout: before.map(|(_, hash)| hash.clone()),
        previous_manifest: before.map(|(layout, _)| layout.run),
        planned_at: Millis(1),
        laid_out_at: Millis(2),
        spec_hash: "s".to_owned(),
        base: None,
        cluster_id: None,
        slices: vec![CountedSlice {
            partition: TopicPartition::new("t", 0),
            topic_id: None,
            start,
            reached: end,
            accounting: slice.accounting,
            payload_bytes: 1,
        }],
        losses: Vec::new(),
        entries: vec![entry("t", 0, end)],
        files: vec![DataFile {
            path: format!("t/p-{run:010}-1.parquet"),
            number: 1,
            rows,
            staged: Vec::new(),
            slices: vec![file_slice(start, end)],
        }],
        set_aside: Vec::new(),
        reset: None,
        aborted: None,
    };
    let hash = hash(&encode(&layout));
    (layout, hash)
}

pub(super) struct Books {
    pub(super) head: Head,
    pub(super) layouts: Vec<(Layout, String)>,
    pub(super) manifests: Vec<Manifest>,
}

impl Books {
    pub(super) fn new() -> Self {
        let first = layout(1, None, 0, 5);
        let second = layout(3, Some(&first), 5, 9);
        let head = Head {
            format: FORMAT,
            pipeline: pipeline(),
            birth_id: RandomId(1),
            swap: RandomId(9),
            destination: "file:///d".to_owned(),
            checkpoint: None,
            layout: Some(LayoutRef { run: RunNumber(3), hash: second.1.clone() }),
            manifest: Some(RunNumber(3)),
            last_run: RunNumber(4),
            open: None,
            spec: serde_json::json!({}),
            paused: false,
            observer: None,
        };
        let layouts = vec![first, second];
        let manifest = |(layout, hash): &(Layout, String)| Manifest::of(layout, hash, &[100]);
        Self { head, manifests: layouts.iter().map(manifest).collect(), layouts }
    }

    /// A layout as it stands.
    pub(super) fn standing(&self, at: usize) -> StandingLayout {
        let (layout, hash) = self.layouts[at].clone();
        let after = layout.previous_manifest.unwrap_or_default();
        StandingLayout { after, hash, layout: Ok(layout) }
    }

    /// A link as it stands.
    pub(super) fn link(&self, at: usize) -> Link {
        let standing = self.standing(at);
        let manifest = self.manifests[at].clone();
        let value = serde_json::to_value(&manifest).expect("JSON");
        Link {
            run: self.layouts[at].0.run,
            after: standing.after,
            layout: Some(standing),
            manifest: Some(Ok((manifest, value))),
        }
    }

    /// Where the partitions stand after all manifests, and what is wrong with their offsets.
    pub(super) fn positions(&self) -> (Positions, Vec<String>) {
        let mut positions = Positions::default();
        let numbered = ["1", "2"].into_iter().zip(&self.manifests);
        let found: Vec<_> =
            numbered.flat_map(|(path, manifest)| positions.follow(path, manifest)).collect();
        (positions, found.into_iter().map(|f| format!("{}: {}", f.at, f.message)).collect())
    }

    /// What is wrong with the manifests, by "1" and "2".
    pub(super) fn findings(&self) -> Vec<String> {
        let numbered = ["1", "2"].into_iter().zip(&self.manifests);
        let sums = numbered.flat_map(|(path, manifest)| check_sums(path, manifest));
        let sums = sums.map(|finding| format!("{}: {}", finding.at, finding.message));
        self.positions().1.into_iter().chain(sums).collect()
    }
}

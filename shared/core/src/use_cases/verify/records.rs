//! What stands below `_runs`, by name.

use std::collections::BTreeSet;

use super::listing::each;
use super::{VerifyPorts, VerifyScope};
use crate::documents::Head;
use crate::error::Result;
use crate::names;
use crate::ports::{ObjectStore, StateStore};
use crate::time::Deadline;
use crate::use_cases::state::load_head;
use crate::words::RunNumber;

/// The names of what stands below `_runs`.
#[derive(Debug)]
pub(super) struct Records {
    /// Layouts up to that of the last committed run, by the run before it.
    pub(super) layouts: BTreeSet<RunNumber>,
    /// Layouts behind it.
    pub(super) beyond: BTreeSet<RunNumber>,
    /// Manifests, by their run.
    pub(super) manifests: BTreeSet<RunNumber>,
    /// What is neither.
    pub(super) others: Vec<String>,
    /// The head as it is when all were listed.
    pub(super) newest: Head,
}

impl Records {
    /// Lists them, from where `scope` begins.
    pub(super) async fn of<S: StateStore, O: ObjectStore, J, R>(
        ports: &VerifyPorts<'_, S, O, J, R>,
        head: &Head,
        scope: VerifyScope,
        deadline: Deadline,
    ) -> Result<Self> {
        let (mut layouts, mut manifests) = (BTreeSet::new(), BTreeSet::new());
        let mut others = Vec::new();
        each(ports.objects, &names::runs_prefix(&head.pipeline), deadline, |object| {
            if let Some(name) = names::LayoutFile::parse(&object.path) {
                layouts.insert(name.after);
            } else if let Some(name) = names::ManifestFile::parse(&object.path) {
                manifests.insert(name.run);
            } else {
                others.push(object.path);
            }
        })
        .await?;
        let newest = load_head(ports.state, &head.pipeline, deadline).await?;
        let newest = newest.map_or_else(|| head.clone(), |loaded| loaded.head);
        let last = head.layout.as_ref().map_or(RunNumber(0), |layout| layout.run);
        let beyond = layouts.split_off(&last);
        // The layout of the first run that counts is named by the run before it.
        let from = layouts.range(..scope.since).next_back().copied().unwrap_or_default();
        let layouts = layouts.split_off(&from);
        let manifests = manifests.split_off(&scope.since);
        Ok(Self { layouts, beyond, manifests, others, newest })
    }
}

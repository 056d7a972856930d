//! A state table that is put back to an earlier point, as a restored backup is: the chain of
//! layouts must stop it before anything is published twice.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_core::documents::Head;
use tidegate_core::words::{PipelineName, RunNumber};

use super::{Committed, Documents, Told, Watch};
use crate::table::Table;
use crate::world::State;

/// The state table at one moment, and what the watch knew of it.
#[derive(Clone, Debug)]
pub(crate) struct Backup {
    tables: BTreeMap<PipelineName, Table>,
    documents: Documents,
    closed: BTreeSet<RunNumber>,
    committed: Committed,
    told: Told,
    head: Option<Head>,
}

impl State {
    /// Takes a backup of the state table; the destination is in none.
    pub(crate) fn back_up(&mut self) {
        let watch = &self.watch;
        self.backup = Some(Backup {
            tables: self.tables.clone(),
            documents: watch.documents.clone(),
            closed: watch.closed.clone(),
            committed: watch.committed.clone(),
            told: watch.told.clone(),
            head: watch.head.clone(),
        });
    }

    /// Puts the state table back to the backup, if there is one. What is published stays, and so
    /// does what is known of it.
    pub(crate) fn restore(&mut self) {
        let Some(backup) = self.backup.clone() else { return };
        let Backup { tables, documents, closed, committed, told, head } = backup;
        self.tables = tables;
        // A backup is restored into a table of its own: who was at work writes into the old one,
        // which nobody sees. Only events find their way to the new one.
        for actor in &mut self.actors {
            actor.crashed = true;
        }
        self.late.clear();
        let watch = &mut self.watch;
        *watch =
            Watch { documents, closed, committed, told, head, restored: true, ..watch.clone() };
    }
}

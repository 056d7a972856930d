//! The world that all actors share: time, chance, Kafka, the state table, the destination, the
//! events under way, and what must always hold of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_core::words::{Isolation, PipelineName};

use crate::faults::{Class, FaultPlan};
use crate::invariants::{Backup, Watch};
use crate::kafka::Kafka;
use crate::mail::{Event, Mail};
use crate::objects::Objects;
use crate::rng::Rng;
use crate::sabotage::Sabotage;
use crate::table::Table;

/// When every simulated world begins: 2026-01-01T00:00:00Z, in milliseconds since 1970.
pub const BEGIN: i64 = 1_767_225_600_000;

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// All chance follows from it.
    pub seed: u64,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// A rule that is broken on purpose.
    pub sabotage: Option<Sabotage>,
    /// How the pipeline reads: what the invariants take as visible.
    pub isolation: Isolation,
    /// Whether the pipeline starts at the log start, so that nothing that stands is passed over.
    pub from_earliest: bool,
    /// Whether the store knows if a holder lives, as a directory does.
    pub knows_holders: bool,
    /// Whether the store starts the finalizer when the last task is marked, as a stream does.
    pub stream: bool,
    /// Whether port calls past their deadline are refused. If not, late actors go on for ever.
    pub deadlines: bool,
    /// How far the clock of an actor may be ahead or behind, in milliseconds.
    pub skew_max: i64,
    /// Objects per page of a listing.
    pub page_objects: usize,
    /// Whether the invariants are checked: they know nothing but Tidegate's own documents.
    pub watched: bool,
    /// Whether every call is written down.
    pub trace: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            faults: FaultPlan::none(),
            sabotage: None,
            isolation: Isolation::ReadCommitted,
            from_earliest: true,
            knows_holders: false,
            stream: true,
            deadlines: true,
            skew_max: 0,
            page_objects: 5,
            watched: true,
            trace: false,
        }
    }
}

/// An effect that takes place later than its caller believes.
pub(crate) type Effect = Box<dyn Fn(&mut State) + Send>;

/// Who calls.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) name: String,
    /// What started it.
    pub(crate) event: Option<Event>,
    pub(crate) skew: i64,
    pub(crate) ids: Rng,
    /// It does not go on before this time.
    pub(crate) wake_at: i64,
    /// It is to be dropped.
    pub(crate) crashed: bool,
}

/// Everything that is shared.
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) now: i64,
    /// Port calls so far, each with its class.
    pub(crate) calls: Vec<Class>,
    pub(crate) fault_rng: Rng,
    pub(crate) actors: Vec<Actor>,
    pub(crate) kafka: Kafka,
    pub(crate) tables: BTreeMap<PipelineName, Table>,
    pub(crate) objects: Objects,
    pub(crate) mail: Mail,
    pub(crate) late: Vec<(i64, Effect)>,
    pub(crate) watch: Watch,
    /// The last backup of the tables.
    pub(crate) backup: Option<Backup>,
    pub(crate) trace: Vec<String>,
    /// Of all calls, their actors and faults: equal for two equal histories.
    pub(crate) digest: u64,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("now", &self.now).field("calls", &self.calls.len()).finish()
    }
}

impl State {
    /// Notes what happened, for the digest and, if wanted, the trace.
    pub(crate) fn note(&mut self, numbers: [u64; 3], text: impl FnOnce() -> String) {
        for number in numbers {
            // FNV-1a, a word at a time.
            self.digest = (self.digest ^ number).wrapping_mul(0x0100_0000_01b3);
        }
        if self.settings.trace {
            let elapsed = self.now - BEGIN;
            self.trace.push(format!("{:>9}.{:03}s {}", elapsed / 1000, elapsed % 1000, text()));
        }
    }

    /// Whether this rule is broken on purpose.
    pub(crate) fn sabotaged(&self, how: Sabotage) -> bool {
        self.settings.sabotage == Some(how)
    }
}

/// A handle to the world.
#[derive(Clone, Debug)]
pub struct World(Arc<Mutex<State>>);

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(settings: Settings) -> Self {
        let state = State {
            now: BEGIN,
            calls: Vec::new(),
            fault_rng: Rng::stream(settings.seed, 1),
            actors: Vec::new(),
            kafka: Kafka::default(),
            tables: BTreeMap::new(),
            objects: Objects::default(),
            mail: Mail::new(Rng::stream(settings.seed, 2)),
            late: Vec::new(),
            watch: Watch::new(settings.isolation, settings.from_earliest),
            backup: None,
            trace: Vec::new(),
            digest: 0xcbf2_9ce4_8422_2325,
            settings,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Looks at the world, or changes it, outside any actor.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes Kafka, as its producers and operators do.
    pub fn change_kafka<T>(&self, change: impl FnOnce(&mut Kafka) -> T) -> T {
        self.with(|state| change(&mut state.kafka))
    }

    /// Moves time on.
    pub fn pass(&self, millis: i64) {
        self.with(|state| state.now += millis);
    }

    /// What has been found wrong so far.
    pub fn violations(&self) -> Vec<String> {
        self.with(|state| state.watch.violations.clone())
    }
}

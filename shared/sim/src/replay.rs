//! A history by what it depends on, and what it came to.

use std::fmt;

use crate::faults::{Class, FaultPlan};
use crate::sabotage::Sabotage;
use crate::scenario::Scenario;
use crate::simulation::Course;

/// What a history depends on: it is the same whenever these are.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What is simulated.
    pub scenario: Scenario,
    /// All chance follows from it.
    pub seed: u64,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// A rule that is broken on purpose.
    pub sabotage: Option<Sabotage>,
}

/// What a history came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The class of each port call.
    pub calls: Vec<Class>,
    /// Of all calls and their order.
    pub digest: u64,
    /// Records that were published.
    pub rows: usize,
    /// Runs that were closed.
    pub runs: usize,
}

/// What was found, and how to see it again.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was violated.
    pub violation: String,
    /// What it depends on.
    pub replay: Replay,
    /// Everything that happened.
    pub trace: Vec<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "violation: {}", self.violation)?;
        write!(f, "replay: {}", self.replay)
    }
}

/// As it is printed and given back: scenario, seed, faults, sabotage.
impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, seed, faults, sabotage } = self;
        write!(f, "{}|{seed}|{faults}", scenario.name)?;
        sabotage.map_or(Ok(()), |sabotage| write!(f, "|{sabotage:?}"))
    }
}

impl Replay {
    /// A history without faults.
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        Self { scenario: scenario.clone(), seed, faults: FaultPlan::none(), sabotage: None }
    }

    /// Reads what [`fmt::Display`] wrote; none if it did not.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('|');
        let (name, seed) = (parts.next()?, parts.next()?.parse().ok()?);
        let scenario = Scenario::all().into_iter().find(|scenario| scenario.name == name)?;
        let faults = FaultPlan::parse(parts.next()?)?;
        let sabotage = match parts.next() {
            Some(name) => {
                Some(*Sabotage::ALL.iter().find(|sabotage| format!("{sabotage:?}") == name)?)
            }
            None => None,
        };
        Some(Self { scenario, seed, faults, sabotage })
    }

    /// The same with these faults.
    #[must_use]
    pub fn with_faults(mut self, faults: FaultPlan) -> Self {
        self.faults = faults;
        self
    }

    /// The same with this rule broken.
    #[must_use]
    pub fn with_sabotage(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = Some(sabotage);
        self
    }

    /// The same with one fault more: each at each of `calls` at which it makes a difference, behind
    /// the faults that it has already.
    pub fn with_each_fault(&self, calls: &[Class]) -> impl Iterator<Item = Self> {
        let behind = (0..).zip(calls).filter(|(call, _)| *call >= self.faults.calm_from());
        let faults = behind.flat_map(move |(call, class)| {
            class.faults().iter().map(move |fault| self.faults.clone().and(call, *fault))
        });
        faults.map(|faults| self.clone().with_faults(faults))
    }

    /// Lets it happen, and answers all that happened, whatever that was.
    pub fn told(&self) -> String {
        let (result, trace) = self.once(true);
        let told = Finding {
            violation: result.err().unwrap_or_else(|| "none".to_owned()),
            replay: self.clone(),
            trace,
        };
        told.to_string()
    }

    /// Lets it happen.
    ///
    /// # Errors
    /// What was violated, with all that happened: the history is run once more to write it down.
    pub fn run(&self) -> Result<History, Box<Finding>> {
        self.once(false).0.map_err(|_| {
            let (result, trace) = self.once(true);
            let violation = result.err().unwrap_or_else(|| "not found a second time".to_owned());
            Box::new(Finding { violation, replay: self.clone(), trace })
        })
    }

    fn once(&self, trace: bool) -> (Result<History, String>, Vec<String>) {
        let mut course = Course::new(self, trace);
        let outcome = course.run();
        let world = course.world();
        // What is still under way ends before the books are closed.
        drop(course);
        world.with(|state| {
            let history = History {
                calls: std::mem::take(&mut state.calls),
                digest: state.digest,
                rows: state.watch.published.len(),
                runs: state.watch.closed.len(),
            };
            (outcome.map(|()| history), std::mem::take(&mut state.trace))
        })
    }
}

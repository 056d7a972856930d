//! What can go wrong at a port call, and which calls it goes wrong at.

use std::collections::BTreeMap;
use std::fmt;

use crate::rng::Rng;

/// What goes wrong at one port call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The caller sees `Unavailable`; nothing happened.
    ErrorBefore,
    /// The caller sees `Unavailable`; it happened.
    ErrorAfter,
    /// The caller dies; nothing happened.
    CrashBefore,
    /// The caller dies; it happened.
    CrashAfter,
    /// It happens twice, as when an adapter tries again after a lost answer. An event is
    /// delivered twice.
    Twice,
    /// The caller sees `Unavailable`, and it happens minutes to hours later: the request was under way. An
    /// event is accepted, and delivered that late.
    Late,
    /// The caller is stopped for longer than any lease, and goes on as if nothing were: the
    /// call takes place only then.
    Pause,
    /// An event is accepted, and never delivered.
    Lost,
}

/// What kind of call it is: which faults make a difference there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Changes nothing.
    Read,
    /// Changes something.
    Write,
    /// Starts another function.
    Invoke,
}

impl Class {
    /// The faults that make a difference at such a call.
    pub fn faults(self) -> &'static [Fault] {
        use Fault::{CrashAfter, CrashBefore, ErrorAfter, ErrorBefore, Late, Lost, Pause, Twice};
        match self {
            Self::Read => &[ErrorBefore, CrashBefore, Pause],
            Self::Write => &[ErrorBefore, ErrorAfter, CrashBefore, CrashAfter, Twice, Late, Pause],
            Self::Invoke => {
                &[ErrorBefore, ErrorAfter, CrashBefore, CrashAfter, Twice, Late, Lost, Pause]
            }
        }
    }
}

/// Which port calls go wrong. Calls are counted from 0 over the whole world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultPlan {
    /// These, and no others.
    At(BTreeMap<u64, Fault>),
    /// So many of a thousand, drawn from the seed, among the first `calls` calls.
    Random {
        /// How many of a thousand calls go wrong.
        per_mille: u64,
        /// From this call on nothing goes wrong any more, so that everything can be caught up.
        calls: u64,
    },
}

impl FaultPlan {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::At(BTreeMap::new())
    }

    /// The same, and this call goes wrong, too. Random ones stay as they are.
    #[must_use]
    pub fn and(mut self, call: u64, fault: Fault) -> Self {
        if let Self::At(faults) = &mut self {
            faults.insert(call, fault);
        }
        self
    }

    /// The call from which on nothing goes wrong any more.
    pub(crate) fn calm_from(&self) -> u64 {
        match self {
            Self::At(faults) => faults.last_key_value().map_or(0, |(call, _)| call + 1),
            Self::Random { calls, .. } => *calls,
        }
    }

    /// What goes wrong at `call`, if anything.
    pub(crate) fn at(&self, call: u64, class: Class, rng: &mut Rng) -> Option<Fault> {
        match self {
            Self::At(faults) => faults.get(&call).copied(),
            Self::Random { per_mille, calls } => {
                let wrong = call < *calls && rng.per_mille(*per_mille);
                let faults = class.faults();
                wrong.then(|| faults[rng.index(faults.len())])
            }
        }
    }
}

/// As it is printed and given back for a replay: `none`, `Late@3,Pause@9`, `15/1000<400`.
impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(faults) if faults.is_empty() => f.write_str("none"),
            Self::At(faults) => {
                let each: Vec<_> =
                    faults.iter().map(|(call, fault)| format!("{fault:?}@{call}")).collect();
                f.write_str(&each.join(","))
            }
            Self::Random { per_mille, calls } => write!(f, "{per_mille}/1000<{calls}"),
        }
    }
}

impl FaultPlan {
    /// Reads what [`fmt::Display`] wrote; none if it did not.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::none());
        }
        if let Some((per_mille, calls)) = text.split_once("/1000<") {
            let (per_mille, calls) = (per_mille.parse().ok()?, calls.parse().ok()?);
            return Some(Self::Random { per_mille, calls });
        }
        let each = text.split(',').map(|fault| {
            let (name, call) = fault.split_once('@')?;
            let all = Class::Invoke.faults().iter();
            let fault = all.copied().find(|fault| format!("{fault:?}") == name)?;
            Some((call.parse().ok()?, fault))
        });
        Some(Self::At(each.collect::<Option<_>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_strikes_where_it_says_and_nowhere_else() {
        let plan = FaultPlan::none().and(3, Fault::Twice);
        let struck: Vec<_> =
            (0..6).filter_map(|call| plan.at(call, Class::Write, &mut Rng::new(1))).collect();
        assert_eq!(struck, [Fault::Twice]);
    }

    #[test]
    fn a_plan_survives_its_text() {
        let two = BTreeMap::from([(3, Fault::Late), (9, Fault::CrashAfter)]);
        let random = FaultPlan::Random { per_mille: 15, calls: 400 };
        for plan in [FaultPlan::none(), FaultPlan::At(two), random] {
            assert_eq!(FaultPlan::parse(&plan.to_string()), Some(plan));
        }
        assert_eq!(FaultPlan::parse("Never@3"), None);
    }

    #[test]
    fn random_faults_fit_the_call_and_end() {
        let plan = FaultPlan::Random { per_mille: 1000, calls: 50 };
        let mut rng = Rng::new(9);
        for call in 0..50 {
            let fault = plan.at(call, Class::Read, &mut rng).expect("every call");
            assert!(Class::Read.faults().contains(&fault));
        }
        assert_eq!(plan.at(50, Class::Write, &mut rng), None);
    }
}

//! The specs that runs were planned with.

use std::collections::BTreeMap;

use crate::documents::{self, Layout, Plan};
use crate::error::Result;
use crate::ports::{Document, StateStore};
use crate::spec::Spec;
use crate::time::Deadline;

/// Specs by their hash. The state keeps a run's plan, with its spec, for a year.
#[derive(Debug)]
pub(super) struct Specs {
    known: BTreeMap<String, Option<Spec>>,
}

impl Specs {
    /// The newest ones, which most runs were planned with.
    pub(super) fn new(given: &Spec, newest: &serde_json::Value) -> Self {
        let hash = |canonical: &serde_json::Value| documents::hash(&documents::encode(canonical));
        let mut known = BTreeMap::from([(hash(&given.to_json()), Some(given.clone()))]);
        if let Ok(spec) = Spec::from_value(newest) {
            known.insert(hash(&spec.to_json()), Some(spec));
        }
        Self { known }
    }

    /// The spec of a run; none if it is known no more.
    pub(super) async fn of(
        &mut self,
        state: &impl StateStore,
        layout: &Layout,
        deadline: Deadline,
    ) -> Result<Option<&Spec>> {
        if !self.known.contains_key(&layout.spec_hash) {
            let document = Document::Plan(layout.run, layout.plan);
            let loaded = state.load(&layout.pipeline, document, deadline).await?;
            let plan = loaded.and_then(|bytes| documents::decode::<Plan>(&bytes, "the plan").ok());
            let plan = plan.filter(|plan| plan.spec_hash == layout.spec_hash);
            let spec = plan.and_then(|plan| Spec::from_value(&plan.spec).ok());
            self.known.insert(layout.spec_hash.clone(), spec);
        }
        Ok(self.known.get(&layout.spec_hash).and_then(Option::as_ref))
    }
}

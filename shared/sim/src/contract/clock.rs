use std::collections::BTreeSet;

use tidegate_core::ports::Clock;

use super::{Checked, Said, Violation, holds};

/// What every [`Clock`] must do.
pub fn clock<C: Clock>(clock: &C) -> Result<(), Violation> {
    let named =
        |check, checked: Checked| checked.map_err(|Said(message)| Violation { check, message });
    named("no_id_is_given_twice", no_id_is_given_twice(clock))?;
    named("time_begins_in_1970", time_begins_in_1970(clock))
}

fn no_id_is_given_twice(clock: &impl Clock) -> Checked {
    let mut given = BTreeSet::new();
    for _ in 0..10_000 {
        let id = clock.random_id();
        holds(given.insert(id), || format!("{id} was given before"))?;
    }
    Ok(())
}

fn time_begins_in_1970(clock: &impl Clock) -> Checked {
    let now = clock.now().0;
    holds(now >= 0, || format!("it is {now} ms before 1970"))
}

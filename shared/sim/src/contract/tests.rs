//! The simulated ports keep the contract, too.

use crate::{Ports, run_alone};

use super::{clock, object_store, state_store};

#[test]
fn the_simulated_clock_keeps_it() {
    clock(&Ports::alone()).expect("the contract of a Clock");
}

#[test]
fn the_simulated_state_keeps_it() {
    let ports = Ports::alone();
    run_alone(state_store(&ports, &ports)).expect("the contract of a StateStore");
}

#[test]
fn the_simulated_objects_keep_it() {
    let ports = Ports::alone();
    run_alone(object_store(&ports, &ports)).expect("the contract of an ObjectStore");
}

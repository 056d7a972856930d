//! The protocol under faults. A failure prints the scenario, the seed and the faults, and all
//! that happened: put them into `Replay` to see it again.

#![expect(clippy::panic, clippy::print_stdout, reason = "all of this file is tests")]

use std::time::Instant;

use tidegate_sim::{FaultPlan, Replay, Sabotage, Scenario};

#[expect(clippy::disallowed_methods, reason = "what a test does is chosen where it starts")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn scale() -> u64 {
    if environment("SCALE").as_deref() == Some("full") { 20 } else { 1 }
}

/// Runs them all, and says how many a second.
fn run_all(what: &str, replays: impl Iterator<Item = Replay>) {
    let (began, mut histories, mut calls) = (Instant::now(), 0u64, 0);
    for replay in replays {
        match replay.run() {
            Ok(history) => calls += history.calls.len(),
            Err(finding) => panic!("{finding}"),
        }
        histories += 1;
    }
    let secs = began.elapsed().as_secs_f64();
    println!("{what}: {histories} histories, {calls} port calls in {secs:.1} s");
}

#[test]
fn a_history_follows_from_its_seed_and_faults_alone() {
    for scenario in Scenario::all() {
        for seed in 0..5 {
            let faults = FaultPlan::Random { per_mille: 30, calls: 300 };
            let replay = Replay::new(&scenario, seed).with_faults(faults);
            let (once, twice) = (replay.run(), replay.run());
            match (once, twice) {
                (Ok(once), Ok(twice)) => assert_eq!(once, twice, "{}", scenario.name),
                (Err(finding), _) | (_, Err(finding)) => panic!("{finding}"),
            }
        }
    }
}

#[test]
fn without_faults_everything_is_copied_once() {
    let seeds = 40 * scale();
    let replays = Scenario::all().into_iter();
    let replays = replays.flat_map(|s| (0..seeds).map(move |seed| Replay::new(&s, seed)));
    run_all("without faults", replays);
}

/// Each fault at each port call of a scenario, one at a time.
fn every_single_fault(scenario: usize) {
    every_single_fault_of(Scenario::all()[scenario].name);
}

fn named(name: &str) -> Scenario {
    Scenario::all().into_iter().find(|scenario| scenario.name == name).expect("one of them")
}

fn every_single_fault_of(name: &str) {
    let scenario = named(name);
    for seed in 0..scale() {
        let without = Replay::new(&scenario, seed);
        let calls = match without.run() {
            Ok(history) => history.calls,
            Err(finding) => panic!("{finding}"),
        };
        run_all(scenario.name, without.with_each_fault(&calls));
    }
}

#[test]
fn w16_every_single_fault_of_a_plain_pipeline() {
    every_single_fault(0);
}

/// K01: two planners at the same second.
#[test]
fn w16_every_single_fault_with_caps_and_two_planners() {
    every_single_fault(1);
}

/// K02: a process that dies lets go of its leases.
#[test]
fn w16_every_single_fault_on_a_directory() {
    every_single_fault(2);
}

/// K11: clocks that are minutes apart. X02, X03, X07: transactions and holes.
#[test]
fn w16_every_single_fault_with_transactions_and_clocks_apart() {
    every_single_fault(3);
}

/// X10: retention passes the checkpoint, and what is lost is said.
#[test]
fn w16_every_single_fault_while_retention_passes() {
    every_single_fault(4);
}

/// Two faults, one behind the other: every pair at full scale, else some of them.
#[test]
fn w16_pairs_of_faults() {
    let without = Replay::new(&named("smallest"), 0);
    let calls = |replay: &Replay| match replay.run() {
        Ok(history) => history.calls,
        Err(finding) => panic!("{finding}"),
    };
    let (first, second) = if scale() == 1 { (19, 23) } else { (1, 1) };
    let one = without.with_each_fault(&calls(&without)).step_by(first).collect::<Vec<_>>();
    let two = one.iter().flat_map(|one| one.with_each_fault(&calls(one)).collect::<Vec<_>>());
    run_all("pairs of faults", two.step_by(second));
}

/// Resets forward, back, in time, with permission and without; each is rolled forward whoever dies.
#[test]
fn every_single_fault_of_resets() {
    every_single_fault_of("resets");
}

/// Nothing comes of a run that was given up, and an abort that died goes on.
#[test]
fn every_single_fault_of_aborts() {
    every_single_fault_of("aborts");
}

/// An abort that looked at a run, slept while it was closed, and then found a later one's layout.
#[test]
fn an_abort_that_sleeps_does_not_take_a_later_layout_for_a_rival_s() {
    let replay = Replay::parse("aborts|1051|61/1000<400").expect("as it was printed");
    if let Err(finding) = replay.run() {
        panic!("{finding}");
    }
}

/// K03, K06, K08, W14: several planners, actors that wake up hours late, stray events, logs that
/// are cut or made anew (X13, X17), a state table put back from a backup: faults of all kinds.
#[test]
fn w16_random_faults_leave_every_record_once() {
    for scenario in Scenario::all() {
        let replays = (0..150 * scale()).map(|seed| {
            let faults = FaultPlan::Random { per_mille: 10 + seed % 60, calls: 400 };
            Replay::new(&scenario, 1_000 + seed).with_faults(faults)
        });
        run_all(scenario.name, replays);
    }
}

/// Histories that once broke a promise.
#[test]
fn what_was_found_once_stays_mended() {
    let found = [
        "a backup of the state is restored|1659|69/1000<400",
        "everything that goes well|3137|47/1000<400",
        // A run that published nothing was closed beside the layout of its rival.
        "a backup of the state is restored|3540|30/1000<400",
    ];
    let replays = found.iter().map(|text| Replay::parse(text).expect(text));
    run_all("found once", replays);
}

/// Each rule of the protocol that is broken on purpose is noticed.
#[test]
fn broken_rules_are_noticed() {
    for sabotage in Sabotage::ALL {
        let histories = (0..200).flat_map(|seed| {
            Scenario::all().into_iter().rev().map(move |scenario| {
                let faults = FaultPlan::Random { per_mille: 40, calls: 400 };
                Replay::new(&scenario, seed).with_faults(faults).with_sabotage(sabotage)
            })
        });
        let mut tried = 0;
        let found = histories.inspect(|_| tried += 1).find_map(|replay| replay.run().err());
        let finding = found.unwrap_or_else(|| panic!("{sabotage:?} went unnoticed"));
        println!("{sabotage:?}: noticed in history {tried}: {}", finding.violation);
    }
}

/// `REPLAY='plain|7|Late@31' cargo test -p tidegate-sim --test simulation replay -- --nocapture`
/// tells what happened there.
#[test]
fn replay() {
    let text = environment("REPLAY").unwrap_or_else(|| "plain|1|none".to_owned());
    let replay = Replay::parse(&text).unwrap_or_else(|| panic!("{text:?} is no replay"));
    assert_eq!(replay.to_string(), text);
    println!("{}", replay.told());
    assert!(replay.run().is_ok(), "{text}");
}

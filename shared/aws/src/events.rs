//! Events as they arrive: told apart, and the stream's records read.

use serde::Deserialize;
use serde_json::Value;
use tidegate_core::ports::{FinalizerEvent, PlannerEvent, PlannerMode, ReaderEvent};
use tidegate_core::words::{RandomId, RunNumber};
use tidegate_core::{Error, Result};

use crate::observe::ObserveEvent;

/// What a reader is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReaderCall {
    /// To look at Kafka, and answer.
    Observe(Box<ObserveEvent>),
    /// To read a task.
    Task(ReaderEvent),
}

/// The planner's event: with a mode and a chain, or a bare spec (a tick).
///
/// # Errors
/// `Config` for an event that is neither.
pub fn planner_event(event: Value) -> Result<PlannerEvent> {
    if event.get("spec").is_some() {
        return parse("planner", event);
    }
    if event.get("pipeline").is_some() {
        return Ok(PlannerEvent { spec: event, mode: PlannerMode::Tick, chain: 0 });
    }
    Err(odd("planner", r#"{"spec": {…}, "mode": "tick"}, or a spec"#))
}

/// The reader's event: a task, or `{"observe": …}`.
///
/// # Errors
/// `Config` for an event that is neither.
pub fn reader_call(mut event: Value) -> Result<ReaderCall> {
    match event.get_mut("observe") {
        Some(observe) => parse("reader", observe.take()).map(Box::new).map(ReaderCall::Observe),
        None => parse("reader", event).map(ReaderCall::Task),
    }
}

/// The finalizer's events: one that it was started with, or the records of the table's stream.
///
/// # Errors
/// `Config` for an event that is neither.
pub fn finalizer_events(event: Value) -> Result<Vec<FinalizerEvent>> {
    let Some(records) = event.get("Records").and_then(Value::as_array) else {
        return parse("finalizer", event).map(|event| vec![event]);
    };
    records.iter().map(completed).collect()
}

/// The run whose progress a record of the stream says to be complete.
fn completed(record: &Value) -> Result<FinalizerEvent> {
    let text = |attribute: &str| {
        let pointer = format!("/dynamodb/NewImage/{attribute}/S");
        record.pointer(&pointer).and_then(Value::as_str)
    };
    let parsed = text("pipeline").zip(text("item")).and_then(|(pipeline, item)| {
        let mut parts = item.strip_prefix("run/")?.strip_suffix("/progress")?.split('/');
        let (run, plan) = (parts.next()?, parts.next()?);
        Some(FinalizerEvent {
            pipeline: pipeline.to_owned().try_into().ok()?,
            run: RunNumber(run.parse().ok()?),
            plan: RandomId::deserialize(Value::from(plan)).ok()?,
            set_aside: false,
        })
    });
    parsed.ok_or_else(|| odd("finalizer", "a record of the stream of a run's progress"))
}

fn parse<T: for<'de> Deserialize<'de>>(function: &str, event: Value) -> Result<T> {
    serde_json::from_value(event)
        .map_err(|error| Error::config(format!("this is no event of the {function}: {error}")))
}

fn odd(function: &str, expected: &str) -> Error {
    Error::config(format!("this is no event of the {function}: expected {expected}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidegate_core::ErrorKind;
    use tidegate_core::ports::ObserveRequest;
    use tidegate_core::spec::TopicSelection;

    use super::*;

    const PLAN: &str = "0000000000000000000000000000000a";

    #[test]
    fn a_planner_takes_a_spec_with_or_without_a_mode() {
        let spec = json!({"pipeline": "rides"});
        let bare = planner_event(spec.clone()).expect("bare");
        assert_eq!((bare.mode, bare.chain, &bare.spec), (PlannerMode::Tick, 0, &spec));
        let event = json!({"spec": spec, "mode": "roll_forward", "chain": 2});
        let event = planner_event(event).expect("whole");
        assert_eq!((event.mode, event.chain), (PlannerMode::RollForward, 2));
    }

    #[test]
    fn a_reader_observes_or_reads() {
        let task = json!({"pipeline": "rides", "run": 7, "plan": PLAN, "task": 3, "attempt": 1});
        let ReaderCall::Task(event) = reader_call(task).expect("a task") else {
            panic!("a task");
        };
        assert_eq!((event.run, event.task, event.attempt), (RunNumber(7), 3, 1));
        let request = ObserveRequest {
            topics: TopicSelection::Names(vec!["t".into()]),
            offsets: true,
            start_time: None,
            end_time: None,
            epochs: Vec::new(),
        };
        let event = ObserveEvent::new(json!({}), &request).expect("it is packed");
        let observe = json!({ "observe": event });
        assert!(matches!(reader_call(observe), Ok(ReaderCall::Observe(_))));
    }

    #[test]
    fn a_finalizer_takes_an_event_or_the_stream() {
        let plain = json!({"pipeline": "rides", "run": 7, "plan": PLAN});
        let plain = finalizer_events(plain).expect("plain");
        let item = format!("run/7/{PLAN}/progress");
        let image = json!({"pipeline": {"S": "rides"}, "item": {"S": item}});
        let record = json!({"eventName": "MODIFY", "dynamodb": {"NewImage": image}});
        let streamed = finalizer_events(json!({"Records": [record]})).expect("streamed");
        assert_eq!(streamed, plain);
        assert_eq!(plain[0].run, RunNumber(7));
    }

    #[test]
    fn other_events_are_refused() {
        let odd =
            [json!({}), json!([]), json!("x"), json!({"pipeline": 3, "spec": 1, "mode": "x"})];
        for event in odd {
            let errors = [
                planner_event(event.clone()).expect_err("planner"),
                reader_call(event.clone()).expect_err("reader"),
                finalizer_events(event).expect_err("finalizer"),
            ];
            assert!(errors.iter().all(|error| error.kind() == ErrorKind::Config));
        }
        let item = json!({"Records": [{"dynamodb": {"NewImage": {"item": {"S": "head"}}}}]});
        assert!(finalizer_events(item).is_err());
    }
}

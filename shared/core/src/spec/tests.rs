use serde_json::{Value, json};

use super::*;
use crate::ErrorKind;

/// Specs that are refused, each for one reason. The end-to-end tests give them to the binary.
const BAD_SPECS: &str = include_str!("../../../../tests/data/bad_specs.json");
/// The canonical form of [`minimal`]: the bytes that are hashed into manifests.
const MINIMAL_CANONICAL: &str = include_str!("golden/minimal.json");
/// The canonical form of [`FULL`].
const FULL_CANONICAL: &str = include_str!("golden/full.json");

/// Every field, with another value than its default.
const FULL: &str = r#"{
    "pipeline": "rides-eu",
    "kafka": {
        "bootstrap_servers": ["kafka-1:9093", "[2001:db8::1]:9093", "10.0.0.1:9093"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "credentials": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:kafka-AbCdEf",
        "ca_certificate": "file:/etc/kafka/ca.pem",
        "client_certificate": "env:KAFKA_CLIENT_PEM",
        "isolation_level": "read_uncommitted"
    },
    "topics": {"pattern": "eu\\.rides.*", "exclude": ".*-dlq"},
    "destination": "s3://lake/raw/kafka/",
    "table": "raw/{topic}",
    "directories": "dt=%Y-%m-%d",
    "directories_by": "run",
    "start": {"eu.rides-v2": {"10": 7, "2": 0}, "eu.rides": {"0": 9223372036854775807}},
    "end": "2026-11-25T19:00:00.5+01:00",
    "limits": {
        "records_per_partition": 1000000,
        "records_per_run": 9223372036854775807,
        "bytes_per_partition": "2GB",
        "bytes_per_run": 10737418240,
        "readers": 1000,
        "bytes_per_task": "512MiB"
    },
    "batching": {"min_bytes": "64MiB", "max_wait": "1h30m"},
    "files": {"target_bytes": "256MiB", "compression": "lz4"},
    "on_data_loss": "skip",
    "catch_up": false,
    "metrics": {"by_topic": true}
}"#;

fn minimal() -> Value {
    json!({
        "pipeline": "rides",
        "kafka": {"bootstrap_servers": ["localhost:9092"]},
        "topics": ["rides"],
        "destination": "file:///data/lake",
    })
}

/// The minimal spec with `fields` on top.
fn with(fields: &Value) -> Result<Spec, crate::Error> {
    let mut spec = minimal();
    for (name, value) in fields.as_object().expect("an object") {
        spec[name] = value.clone();
    }
    let parsed = Spec::from_value(&spec);
    let from_text = Spec::from_json(&spec.to_string());
    assert_eq!(parsed.as_ref().ok(), from_text.as_ref().ok(), "text and value differ: {spec}");
    parsed
}

fn golden(spec: &Spec) -> String {
    serde_json::to_string(&spec.to_json()).expect("JSON")
}

/// P15: without a start, a pipeline begins at the earliest record.
#[test]
fn p15_four_fields_already_make_a_good_pipeline() {
    let spec = Spec::from_value(&minimal()).expect("the smallest spec");
    assert_eq!(spec.start, Start::Earliest);
    assert_eq!(spec.limits.readers, 16);
    assert_eq!(spec.table_of("rides").expect("a good name"), "rides");
    assert_eq!(spec.needs_aws(), None);
    assert_eq!(golden(&spec), MINIMAL_CANONICAL.trim_end());
}

#[test]
fn every_field_is_read_and_has_one_canonical_form() {
    let spec = Spec::from_json(FULL).expect("every field");
    assert_eq!(golden(&spec), FULL_CANONICAL.trim_end());
    assert_eq!(spec.batching.max_wait, Duration::from_secs(5_400));
    assert_eq!(spec.limits.bytes_per_partition.map(NonZeroU64::get), Some(2_000_000_000));
    assert_eq!(
        spec.start,
        Start::Offsets(vec![
            ("eu.rides".into(), 0, i64::MAX),
            ("eu.rides-v2".into(), 2, 0),
            ("eu.rides-v2".into(), 10, 7),
        ])
    );
}

#[test]
fn the_canonical_form_is_read_as_the_same_spec() {
    let mut specs = vec![Spec::from_json(FULL).expect("every field")];
    for fields in [
        json!({}),
        json!({"start": "latest", "end": "9999-12-31T23:59:59.999Z"}),
        json!({"start": "0001-01-01T00:00:00Z", "directories": ""}),
        json!({"start": "2026-11-25T18:46:13.9991Z", "files": {"compression": "zstd(22)"}}),
        json!({"topics": {"pattern": ".*"}, "destination": "s3://lake"}),
        json!({"topics": ["a", "b.c", "d_e-f"], "destination": "file:///data/100%25"}),
        json!({"batching": {"min_bytes": 1, "max_wait": "0s"}, "table": "events"}),
        json!({"limits": null, "start": null, "end": null, "metrics": {}}),
    ] {
        specs.push(with(&fields).expect("a good spec"));
    }
    for spec in specs {
        let text = golden(&spec);
        let again = Spec::from_json(&text).expect("the canonical form");
        assert_eq!(again, spec, "{text}");
        assert_eq!(golden(&again), text);
        let through_serde: Spec = serde_json::from_str(&text).expect("the canonical form");
        assert_eq!(through_serde, spec);
    }
}

/// C10, P12, R10, R11, T07: each bad spec names its field, and what is allowed.
#[test]
fn each_bad_spec_names_its_field_and_what_is_allowed() {
    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        spec: Value,
        field: String,
        contains: String,
    }
    let cases: Vec<Case> = serde_json::from_str(BAD_SPECS).expect("the table of bad specs");
    assert!(cases.len() >= 20);
    for Case { name, spec, field, contains } in cases {
        for parsed in [Spec::from_value(&spec), Spec::from_json(&spec.to_string())] {
            let error = parsed.expect_err(&name);
            assert_eq!(error.kind(), ErrorKind::Config, "{name}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("{field}: ")), "{name}: {text}");
            assert!(text.contains(&contains), "{name}: {text}");
            let repeats = |secret| format!("{error:?}").contains(secret);
            assert!(!repeats("hunter2") && !repeats("20251125"), "{name} repeats a secret: {text}");
        }
    }
}

#[test]
fn an_error_in_a_file_says_where_it_stands() {
    let text = "{\n  \"pipeline\": \"rides\",\n  \"limits\": {\"readers\": 0}\n}";
    let error = Spec::from_json(text).expect_err("no reader");
    assert_eq!(
        error.to_string(),
        "limits.readers: invalid value: integer `0`, expected a whole number from 1 to 1000 \
         (line 3, column 25)"
    );
    for (text, message) in [
        ("", "the spec is not valid JSON: EOF while parsing a value at line 1 column 0"),
        ("{\"pipeline\": }", "the spec is not valid JSON: expected value at line 1 column 14"),
        ("{\"limits\": {\"readers\"", "the spec is not valid JSON: EOF"),
        ("[]", "the spec: invalid type: sequence, expected an object"),
        ("null", "the spec: invalid type: null, expected an object"),
        ("{\"table\": \"a\", \"table\": \"b\"}", "the spec: duplicate field `table`"),
        ("{\"start\": {\"a\": {\"0\": 1, \"0\": 2}}}", "start.a: \"0\" stands there twice"),
        ("{\"start\": {\"a\": {\"0\": 1e30}}}", "start.a.0: invalid type: floating point"),
    ] {
        let error = Spec::from_json(text).expect_err(text);
        assert!(error.to_string().starts_with(message), "{text}: {error}");
    }
    let trailing = format!("{} x", minimal());
    let error = Spec::from_json(&trailing).expect_err("something behind the spec");
    assert!(error.to_string().contains("trailing characters"), "{error}");
}

/// C06, C10, T05: the edges of what is allowed.
#[test]
fn c06_caps_reach_to_the_largest_offset_and_no_further() {
    let good = [
        json!({"limits": {"records_per_run": i64::MAX, "bytes_per_run": i64::MAX}}),
        json!({"limits": {"records_per_partition": 1, "bytes_per_task": "1B", "readers": 1}}),
        json!({"kafka": {"bootstrap_servers": ["[::1]:1", "a_b.c-d:65535"]}}),
        json!({"topics": ["x".repeat(249), "_.-"], "table": "t{topic}"}),
        json!({"topics": {"pattern": "_.*"}}),
        json!({"start": {"rides": {"2147483647": 0}}}),
    ];
    for fields in good {
        assert!(with(&fields).is_ok(), "{fields}: {:?}", with(&fields));
    }
    let bad = [
        (json!({"limits": {"records_per_run": i64::MAX.unsigned_abs() + 1}}), "records_per_run"),
        (json!({"limits": {"bytes_per_run": u64::MAX}}), "limits.bytes_per_run"),
        (json!({"limits": {"bytes_per_run": "8388608TiB"}}), "limits.bytes_per_run"),
        (json!({"limits": {"bytes_per_partition": 1.5}}), "limits.bytes_per_partition"),
        (json!({"limits": {"bytes_per_task": null, "readers": true}}), "limits.readers"),
        (json!({"batching": {"min_bytes": -1}}), "batching.min_bytes"),
        (json!({"batching": {"max_wait": "1d"}}), "batching.max_wait"),
        (json!({"files": {"compression": "zstd"}}), "files.compression"),
        (json!({"files": {"compression": "zstd(0)"}}), "files.compression"),
        (json!({"directories_by": {"run": null}}), "directories_by"),
        (json!({"topics": ["x".repeat(250)]}), "topics[0]"),
        (json!({"topics": [".."]}), "topics[0]"),
        (json!({"topics": [5]}), "topics[0]"),
        (json!({"topics": {"pattern": ""}}), "topics.pattern"),
        (json!({"topics": {"exclude": "a"}}), "topics.pattern"),
        (json!({"topics": {"pattern": "a", "exclude": "("}}), "topics.exclude"),
        (json!({"topics": ["_private"]}), "table"),
        (json!({"topics": ["x".repeat(249)], "table": "a-long-{topic}"}), "table"),
        (json!({"table": ""}), "table"),
        (json!({"start": {}}), "start"),
        (json!({"start": {"rides": {}}}), "start.rides"),
        (json!({"start": {"rides": 5}}), "start.rides"),
        (json!({"start": {"rides": {"00": 5}}}), "start.rides"),
        (json!({"start": {"rides": {"-1": 5}}}), "start.rides"),
        (json!({"start": {"rides": {"2147483648": 5}}}), "start.rides"),
        (json!({"start": {"rides": {"0": -2}}}), "start.rides.0"),
        (json!({"start": {"rides": {"0": i64::MAX.unsigned_abs() + 1}}}), "start.rides.0"),
        (json!({"start": {"rides": {"0": "5"}}}), "start.rides.0"),
        (json!({"start": "2026-11-25T00:00:00Z", "end": "2026-11-25T00:00:00Z"}), "end"),
        (json!({"metrics": {"by_topic": 1}}), "metrics.by_topic"),
    ];
    for (fields, field) in bad {
        let error = with(&fields).expect_err(field);
        assert!(error.to_string().contains(field), "{fields}: {error}");
    }
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    let kafka = |more: &Value| {
        let mut kafka = json!({"bootstrap_servers": ["localhost:9092"]});
        for (name, value) in more.as_object().expect("an object") {
            kafka[name] = value.clone();
        }
        with(&json!({ "kafka": kafka }))
    };
    let good = [
        json!({"security_protocol": "SSL"}),
        json!({"security_protocol": "SSL", "ca_certificate": "file:ca.pem"}),
        json!({"security_protocol": "SSL", "client_certificate": "env:PEM"}),
        json!({"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512",
               "credentials": "file:login.json", "client_certificate": "env:PEM"}),
        json!({"security_protocol": "SASL_SSL", "sasl_mechanism": "AWS_MSK_IAM"}),
        json!({"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN",
               "credentials": "env:LOGIN"}),
    ];
    for fields in good {
        let spec = kafka(&fields).expect("a good combination");
        let iam = fields["sasl_mechanism"] == "AWS_MSK_IAM";
        assert_eq!(spec.needs_aws().map(|(path, _)| path), iam.then_some("kafka.sasl_mechanism"));
    }
    let bad = [
        (json!({"credentials": "env:LOGIN"}), "kafka.credentials"),
        (json!({"ca_certificate": "file:ca.pem"}), "kafka.ca_certificate"),
        (json!({"client_certificate": "env:PEM"}), "kafka.client_certificate"),
        (json!({"security_protocol": "SSL", "sasl_mechanism": "PLAIN"}), "kafka.sasl_mechanism"),
        (json!({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}), "kafka.credentials"),
        (json!({"security_protocol": "SASL_PLAINTEXT"}), "kafka.sasl_mechanism"),
        (json!({"security_protocol": "SSL", "credentials": "env:LOGIN"}), "kafka.credentials"),
        (
            json!({"security_protocol": "SASL_SSL", "sasl_mechanism": "AWS_MSK_IAM",
                "credentials": "env:LOGIN"}),
            "kafka.credentials",
        ),
        (
            json!({"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "AWS_MSK_IAM"}),
            "kafka.sasl_mechanism",
        ),
        (
            json!({"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN",
                "credentials": "env:LOGIN", "ca_certificate": "file:ca.pem"}),
            "kafka.ca_certificate",
        ),
    ];
    for (fields, field) in bad {
        let error = kafka(&fields).expect_err(field);
        assert!(error.to_string().starts_with(&format!("{field}: ")), "{fields}: {error}");
    }
}

#[test]
fn what_needs_aws_is_told() {
    let spec = with(&json!({"destination": "s3://lake/raw"})).expect("a good spec");
    assert_eq!(spec.needs_aws(), Some(("destination", "it is in S3")));
    let spec = Spec::from_json(FULL).expect("every field");
    assert_eq!(spec.needs_aws().map(|(path, _)| path), Some("kafka.credentials"));
}

#[test]
fn a_topic_whose_name_makes_no_folder_is_left_out_with_its_cause() {
    let spec = with(&json!({"topics": {"pattern": ".*"}})).expect("a good spec");
    assert_eq!(spec.table_of("rides").expect("a good name"), "rides");
    let error = spec.table_of("_private").expect_err("it starts with an underscore");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("\"_private\""), "{error}");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_panic(text in "[\\[\\]{}\":,0-9a-z ]{0,40}") {
        let _ = Spec::from_json(&text);
    }
}

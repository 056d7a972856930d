use super::*;

fn sample() -> Columns {
    let mut columns = Columns::default();
    let row = Row { offset: 5, timestamp: -1, append_time: false, key: None, value: Some(b"v") };
    columns.push(row);
    columns.next_headers().push_header(b"k", None);
    columns.next_headers().push_header(b"k", Some(b"xy"));
    columns.push(Row { offset: 7, key: Some(b""), value: None, ..row });
    columns
}

#[test]
fn nulls_empties_and_headers_are_told_apart() {
    let columns = sample();
    assert_eq!(columns.keys().get(0), None);
    assert_eq!(columns.keys().get(1), Some(&b""[..]));
    assert_eq!(columns.values().get(1), None);
    assert_eq!(columns.headers().range(0), 0..0);
    assert_eq!(columns.headers().range(1), 0..2);
    assert_eq!(columns.headers().values().get(0), None);
    assert_eq!(columns.headers().values().get(1), Some(&b"xy"[..]));
}

#[test]
fn payload_counts_keys_values_and_headers() {
    let columns = sample();
    assert_eq!(columns.payload_bytes(0..1), 1);
    assert_eq!(columns.payload_bytes(1..2), 4);
    assert_eq!(columns.payload_bytes(0..2), 5);
    assert_eq!(columns.payload_bytes(1..1), 0);
}

#[test]
fn large_buffers_are_not_kept() {
    let mut columns = sample();
    let large = vec![0; DATA_KEPT_MAX + 1];
    let (timestamp, append_time, key) = (-1, false, None);
    columns.push(Row { offset: 9, timestamp, append_time, key, value: Some(&large) });
    assert!(columns.capacity_bytes() > DATA_KEPT_MAX);
    columns.clear();
    assert!(columns.capacity_bytes() < 1 << 20 && columns.is_empty());
}

#[test]
fn truncation_is_as_if_the_rows_had_never_come() {
    let mut columns = sample();
    let one = {
        let mut c = Columns::default();
        c.push(Row { offset: 5, timestamp: -1, append_time: false, key: None, value: Some(b"v") });
        c
    };
    columns.next_headers().push_header(b"unfinished", None);
    columns.truncate(1);
    assert_eq!(columns, one);
}

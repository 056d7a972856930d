//! Rides and payments, as a city's applications would send them.

use serde::Serialize;
use tidegate_broker::{BatchSpec, Broker, BrokerError, Codec, Record, TopicConfig};
use tidegate_core::time::Millis;

/// The topic of rides.
pub(super) const RIDES: &str = "rides";
/// The topic of payments, which come in transactions.
pub(super) const PAYMENTS: &str = "payments";

const RIDE_PARTITIONS: i32 = 3;
/// The events are spread over two hours, the last of them now.
const SPAN_MILLIS: u64 = 2 * 3_600 * 1_000;
const DAY_MILLIS: i64 = 86_400 * 1_000;
/// Records of a batch, and events of a transaction.
const BATCH: u64 = 100;

/// What was produced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Produced {
    /// Rides.
    pub(super) rides: u64,
    /// Of them, those without a value.
    pub(super) tombstones: u64,
    /// Of them, those that are a day late.
    pub(super) late: u64,
    /// Payments.
    pub(super) payments: u64,
    /// Of them, those whose transaction was aborted.
    pub(super) aborted: u64,
    /// Transaction markers: offsets that hold no record.
    pub(super) markers: u64,
}

impl Produced {
    /// Offsets: events, and the markers between them.
    pub(super) fn offsets(&self) -> u64 {
        self.rides + self.payments + self.markers
    }

    /// The events that a reader of committed transactions sees.
    pub(super) fn visible(&self) -> u64 {
        self.rides + self.payments - self.aborted
    }
}

/// Produces `events` events: nine rides to one payment.
pub(super) fn produce(broker: &Broker, events: u64, now: Millis) -> Result<Produced, BrokerError> {
    let mut produced = Produced::default();
    let payments = events / 10;
    rides(broker, events - payments, now, &mut produced)?;
    self::payments(broker, payments, now, &mut produced)?;
    Ok(produced)
}

fn rides(
    broker: &Broker,
    rides: u64,
    now: Millis,
    produced: &mut Produced,
) -> Result<(), BrokerError> {
    broker.create_topic(
        RIDES,
        TopicConfig { partitions: RIDE_PARTITIONS, ..TopicConfig::default() },
    )?;
    let mut batches = [(); 3].map(|()| BatchSpec::new().codec(Codec::Lz4));
    let mut partitions = (0..RIDE_PARTITIONS).zip(&mut batches).collect::<Vec<_>>();
    for ride in 0..rides {
        let at = usize::try_from(ride % 3).unwrap_or(0);
        let (partition, batch) = &mut partitions[at];
        push_ride(batch, ride, time_of(ride, rides, now), produced);
        if batch.offsets().unsigned_abs() == BATCH {
            let full = std::mem::replace(*batch, BatchSpec::new().codec(Codec::Lz4));
            broker.append(RIDES, *partition, &full)?;
        }
    }
    for (partition, batch) in partitions {
        if batch.offsets() > 0 {
            broker.append(RIDES, partition, batch)?;
        }
    }
    Ok(())
}

/// One ride in a hundred is a tombstone, another one comes a day late.
fn push_ride(batch: &mut BatchSpec, ride: u64, time: i64, produced: &mut Produced) {
    let key = format!("rider-{}", ride * 7 % 500);
    let value = format!(
        "{{\"ride\":{ride},\"from\":\"zone-{}\",\"to\":\"zone-{}\",\"km\":{}.{},\"fare_cents\":{}}}",
        ride * 13 % 40,
        ride * 29 % 40,
        ride % 17 + 1,
        ride % 10,
        350 + ride * 31 % 2_400
    );
    let trace = format!("{:08x}", ride.wrapping_mul(2_654_435_761) & 0xffff_ffff);
    let headers = [
        (&b"source"[..], Some(if ride.is_multiple_of(2) { &b"app"[..] } else { &b"web"[..] })),
        (&b"trace"[..], Some(trace.as_bytes())),
    ];
    let (tombstone, late) = (ride % 100 == 7, ride % 100 == 50);
    batch.push(Record {
        timestamp: if late { time - DAY_MILLIS } else { time },
        key: Some(key.as_bytes()),
        value: (!tombstone).then_some(value.as_bytes()),
        headers: if ride.is_multiple_of(3) { &headers } else { &[] },
    });
    produced.rides += 1;
    produced.tombstones += u64::from(tombstone);
    produced.late += u64::from(late);
}

/// Payments in transactions; the second one is aborted.
fn payments(
    broker: &Broker,
    payments: u64,
    now: Millis,
    produced: &mut Produced,
) -> Result<(), BrokerError> {
    broker.create_topic(PAYMENTS, TopicConfig::default())?;
    let size = BATCH.min(payments.div_ceil(4)).max(1);
    let mut first = 0;
    while first < payments {
        let transaction = first / size;
        let producer = i64::try_from(transaction).unwrap_or(i64::MAX);
        let mut batch = BatchSpec::new().codec(Codec::Zstd).transactional(producer);
        for payment in first..payments.min(first + size) {
            let key = format!("payment-{payment}");
            let value =
                format!("{{\"payment\":{payment},\"cents\":{}}}", 500 + payment * 37 % 5_000);
            let record = Record::new(key.as_bytes(), value.as_bytes());
            batch.push(record.at(time_of(payment, payments, now)));
            produced.payments += 1;
            produced.aborted += u64::from(transaction == 1);
        }
        broker.append(PAYMENTS, 0, &batch)?;
        if transaction == 1 {
            broker.abort(producer)?
        } else {
            broker.commit(producer)?
        };
        produced.markers += 1;
        first += size;
    }
    Ok(())
}

/// When event `number` of `all` happened.
fn time_of(number: u64, all: u64, now: Millis) -> i64 {
    let before = u128::from(SPAN_MILLIS) * u128::from(all - number) / u128::from(all.max(1));
    now.0.saturating_sub(i64::try_from(before).unwrap_or(0))
}

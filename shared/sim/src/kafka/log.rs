use tidegate_core::columns::Columns;
use tidegate_core::words::Isolation;

/// What stands at one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// A record outside any transaction.
    Record,
    /// A record of this producer's transaction, which is open.
    Open(u64),
    /// A record of a committed transaction.
    Committed,
    /// A record of an aborted transaction.
    Aborted,
    /// The end of a transaction.
    Marker,
    /// Nothing any more: compaction took it.
    Compacted,
}

/// One offset of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What stands there.
    pub kind: SlotKind,
    /// The record's timestamp, milliseconds since 1970.
    pub time: i64,
    /// Which record it is, of all that were ever produced.
    pub seq: u64,
    /// The leader epoch it was written in.
    pub epoch: i32,
}

impl Slot {
    /// Whether a consumer sees a record here. An undecided one is seen by nobody who reads
    /// committed records.
    pub fn visible(&self, isolation: Isolation) -> bool {
        match self.kind {
            SlotKind::Record | SlotKind::Committed => true,
            SlotKind::Open(_) | SlotKind::Aborted => isolation == Isolation::ReadUncommitted,
            SlotKind::Marker | SlotKind::Compacted => false,
        }
    }
}

/// The log of a partition, from offset 0: what retention removed stays known to the model.
#[derive(Clone, Debug, Default)]
pub struct Log {
    slots: Vec<Slot>,
    log_start: i64,
    epoch: i32,
    /// Where each later leader epoch began.
    epochs: Vec<(i32, i64)>,
    /// What was cut off by an unclean election.
    cut: Vec<(i64, Slot)>,
    /// Whether it has no leader for the moment.
    pub leaderless: bool,
}

impl Log {
    /// The first offset there is.
    pub fn log_start(&self) -> i64 {
        self.log_start
    }

    /// The offset after the last.
    pub fn high_watermark(&self) -> i64 {
        i64::try_from(self.slots.len()).unwrap_or(i64::MAX)
    }

    /// The offset after the last that is decided.
    pub fn last_stable(&self) -> i64 {
        let open = self.slots.iter().position(|slot| matches!(slot.kind, SlotKind::Open(_)));
        open.and_then(|index| i64::try_from(index).ok()).unwrap_or(self.high_watermark())
    }

    /// The leader's epoch.
    pub fn leader_epoch(&self) -> i32 {
        self.epoch
    }

    /// What stands at `offset`, though retention removed it.
    pub fn slot(&self, offset: i64) -> Option<&Slot> {
        self.slots.get(usize::try_from(offset).ok()?)
    }

    /// Whether `seq` ever stood at `offset`, and was a record that a consumer may see.
    pub fn ever_visible(&self, offset: i64, seq: u64, isolation: Isolation) -> bool {
        let cut = self.cut.iter().filter(|(at, _)| *at == offset).map(|(_, slot)| slot);
        // A record that compaction took was visible before.
        let seen = |slot: &Slot| slot.visible(isolation) || slot.kind == SlotKind::Compacted;
        self.slot(offset).into_iter().chain(cut).any(|slot| slot.seq == seq && seen(slot))
    }

    /// Whether an unclean election ever took an offset before `offset`.
    pub fn was_cut_before(&self, offset: i64) -> bool {
        self.cut.iter().any(|(at, _)| *at < offset)
    }

    /// The offset of the first record at or after `time`.
    pub fn first_at(&self, time: i64) -> Option<i64> {
        self.offsets().find(|offset| self.slot(*offset).is_some_and(|slot| slot.time >= time))
    }

    /// The time of the first record there is.
    pub fn start_time(&self) -> Option<i64> {
        self.offsets().next().and_then(|offset| self.slot(offset)).map(|slot| slot.time)
    }

    /// The offsets at which something stands.
    fn offsets(&self) -> impl Iterator<Item = i64> {
        (self.log_start..self.high_watermark()).filter(|offset| {
            self.slot(*offset).is_some_and(|slot| slot.kind != SlotKind::Compacted)
        })
    }

    /// OffsetForLeaderEpoch: the largest epoch known that is not larger, and its end. −1 twice
    /// where none is known.
    pub fn epoch_end(&self, asked: i32) -> (i32, i64) {
        if asked < 0 {
            return (-1, -1);
        }
        let began = self.epochs.iter().rev().find(|(epoch, _)| *epoch <= asked);
        let known = began.map_or(0, |(epoch, _)| *epoch);
        let next = self.epochs.iter().find(|(epoch, _)| *epoch > asked);
        (known, next.map_or(self.high_watermark(), |(_, start)| *start))
    }

    /// The leader epoch of the batch that holds or follows `offset`; −1 where there is none.
    pub fn epoch_at(&self, offset: i64) -> i32 {
        let holds = (offset..self.high_watermark())
            .filter_map(|offset| self.slot(offset))
            .find(|slot| slot.kind != SlotKind::Compacted);
        holds.map_or(-1, |slot| slot.epoch)
    }

    pub(super) fn append(&mut self, seq: u64, time: i64, transaction: Option<u64>) {
        let kind = transaction.map_or(SlotKind::Record, SlotKind::Open);
        self.slots.push(Slot { kind, time, seq, epoch: self.epoch });
    }

    /// Ends the open transaction of `producer`, if it has one here.
    pub fn end_transaction(&mut self, producer: u64, commit: bool, time: i64) {
        let decided = if commit { SlotKind::Committed } else { SlotKind::Aborted };
        let mut ended = false;
        for slot in &mut self.slots {
            if slot.kind == SlotKind::Open(producer) {
                slot.kind = decided;
                ended = true;
            }
        }
        if ended {
            self.slots.push(Slot { kind: SlotKind::Marker, time, seq: 0, epoch: self.epoch });
        }
    }

    /// Retention, or DeleteRecords: what lies before `start` is gone.
    pub fn delete_before(&mut self, start: i64) {
        self.log_start = start.clamp(self.log_start, self.high_watermark());
    }

    /// Compaction takes the record at `offset`, if it may: never past the last stable offset,
    /// and never the last decided record.
    pub fn compact(&mut self, offset: i64) {
        let may = offset + 1 < self.last_stable();
        let slot = usize::try_from(offset).ok().and_then(|index| self.slots.get_mut(index));
        let plain = |slot: &&mut Slot| matches!(slot.kind, SlotKind::Record | SlotKind::Committed);
        if let Some(slot) = slot.filter(plain).filter(|_| may) {
            slot.kind = SlotKind::Compacted;
        }
    }

    /// Another leader, which has everything.
    pub fn elect(&mut self) {
        self.epoch += 1;
        self.epochs.push((self.epoch, self.high_watermark()));
    }

    /// An unclean election: the new leader has nothing from `end` on.
    pub fn cut(&mut self, end: i64) {
        let end = end.clamp(self.log_start, self.high_watermark());
        let kept = usize::try_from(end).unwrap_or(0);
        let lost = self.slots.split_off(kept);
        self.cut.extend((end..).zip(lost));
        self.epochs.retain(|(_, start)| *start < end);
        self.epoch += 1;
        self.epochs.push((self.epoch, end));
    }

    /// Reads one batch of up to `slots_max` offsets from `next`, below `end`.
    pub(crate) fn read(&self, read: &BatchRead, rows: &mut Columns) -> Batch {
        let stop = read.end.min(super::Kafka::end_of(self, read.isolation));
        let mut batch = Batch { next: read.next, ..Batch::default() };
        while batch.next < stop && batch.next - read.next < read.slots_max {
            let Some(slot) = self.slot(batch.next) else { break };
            match slot.kind {
                SlotKind::Marker => batch.markers += 1,
                SlotKind::Compacted => batch.compacted += 1,
                SlotKind::Record | SlotKind::Committed | SlotKind::Open(_) | SlotKind::Aborted => {
                    if slot.visible(read.isolation) {
                        let id = super::Identity {
                            topic_id: read.topic_id,
                            partition: read.partition,
                            offset: batch.next,
                            seq: slot.seq,
                        };
                        id.push(slot.time, rows);
                    } else {
                        batch.aborted += 1;
                    }
                }
            }
            batch.next += 1;
        }
        batch.leader_epoch = self.epoch_at((batch.next - 1).max(0));
        batch
    }
}

/// What [`Log::read`] is to read.
#[derive(Debug)]
pub(crate) struct BatchRead {
    pub(crate) topic_id: tidegate_core::words::TopicId,
    pub(crate) partition: i32,
    pub(crate) next: i64,
    pub(crate) end: i64,
    pub(crate) slots_max: i64,
    pub(crate) isolation: Isolation,
}

/// Offsets that were crossed.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) next: i64,
    pub(crate) markers: u64,
    pub(crate) aborted: u64,
    pub(crate) compacted: u64,
    pub(crate) leader_epoch: i32,
}

#[cfg(test)]
mod tests;

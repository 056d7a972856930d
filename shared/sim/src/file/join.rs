use std::collections::VecDeque;

use bytes::Bytes;
use tidegate_core::error::{Error, Result};
use tidegate_core::ports::{FileFooter, FooterRead, Join, JoinInput, JoinStats, JoinStep, Joiner};

use super::{FINGERPRINT, Footer, MAGIC, no_file};

/// The joiner. `copy_bytes_min` replaces the caller's, whose 5 MiB no simulated file has.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimJoiner {
    /// Regions of so many bytes and more are copied; none: as the caller says.
    pub copy_bytes_min: Option<u64>,
    /// Something that the file says of who made it: breaks the promise, on purpose.
    pub salt: Option<u128>,
}

impl Joiner for SimJoiner {
    type Join = SimJoin;

    fn footer(&self, tail: &Bytes, file_bytes: u64) -> Result<FooterRead> {
        let len = Footer::len_of(tail)?;
        if len > tail.len() {
            let needed = u64::try_from(len).unwrap_or(u64::MAX);
            if needed > file_bytes {
                return Err(no_file("its footer is longer than the file"));
            }
            return Ok(FooterRead::NeedsTail(needed));
        }
        let footer = Footer::read(tail, len)?;
        Ok(FooterRead::Footer(FileFooter {
            rows: footer.rows,
            metadata: footer.metadata,
            fingerprint: FINGERPRINT.to_owned(),
            tail: tail.clone(),
            file_bytes,
        }))
    }

    fn join(
        &self,
        inputs: Vec<JoinInput>,
        metadata: &[(String, String)],
        copy_bytes_min: u64,
        _row_group_bytes: u64,
    ) -> Result<SimJoin> {
        let copy_bytes_min = self.copy_bytes_min.unwrap_or(copy_bytes_min);
        let mut footer = Footer { metadata: metadata.to_vec(), ..Footer::default() };
        let salt = self.salt.map(|salt| ("salt".to_owned(), salt.to_string()));
        footer.metadata.extend(salt);
        let mut steps = VecDeque::from([JoinStep::Write(Bytes::from_static(MAGIC))]);
        let mut at = u64::try_from(MAGIC.len()).unwrap_or(u64::MAX);
        let mut stats = JoinStats::default();
        for (input, join_input) in inputs.iter().enumerate() {
            let tail = &join_input.footer.tail;
            let theirs = Footer::read(tail, Footer::len_of(tail)?)?;
            footer.rows += theirs.rows;
            for (start, end) in theirs.regions {
                footer.regions.push((at, at + (end - start)));
                at += end - start;
                if end - start >= copy_bytes_min {
                    stats.row_groups_copied += 1;
                    steps.push_back(JoinStep::Copy { input, range: start..end });
                } else {
                    stats.pages_copied += 1;
                    steps.push_back(JoinStep::Fetch(vec![(input, start..end)]));
                }
            }
        }
        steps.push_back(JoinStep::Write(footer.to_bytes()?));
        steps.push_back(JoinStep::Done);
        Ok(SimJoin { steps, awaiting: false, stats })
    }
}

/// A join in the making.
#[derive(Debug)]
pub struct SimJoin {
    steps: VecDeque<JoinStep>,
    /// Whether the last step asked for bytes.
    awaiting: bool,
    stats: JoinStats,
}

impl Join for SimJoin {
    fn next(&mut self, fetched: Vec<Bytes>) -> Result<JoinStep> {
        if fetched.is_empty() == self.awaiting {
            return Err(Error::corrupt("the join was not given what it asked for"));
        }
        if std::mem::take(&mut self.awaiting) {
            return Ok(JoinStep::Write(fetched.concat().into()));
        }
        let step = self.steps.pop_front().unwrap_or(JoinStep::Done);
        self.awaiting = matches!(step, JoinStep::Fetch(_));
        Ok(step)
    }

    fn stats(&self) -> JoinStats {
        self.stats
    }
}

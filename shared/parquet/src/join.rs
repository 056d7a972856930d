//! Parquet files joined without decoding: regions under a new footer, small ones spliced page by
//! page. The page index and footer of the joined file follow from those of the inputs alone, so
//! they are made before the first byte is moved.

mod input;
mod moves;
mod place;
mod plan;
mod statistics;

use std::collections::VecDeque;

use bytes::Bytes;
use parquet::file::metadata::KeyValue;
use tidegate_core::ports::{FooterRead, Join, JoinInput, JoinStats, JoinStep, Joiner};
use tidegate_core::{Error, Result};

use self::input::{Input, chunk_start};
pub(crate) use self::input::{Read, read as read_input};
use self::moves::{Move, Moves, Passage, Piece};
use self::place::place;
use self::plan::{Part, Source, plan};
use crate::footer::{FileHead, StoredRowGroup, file_end};
use crate::{CREATED_BY, MAGIC};

/// The format numbers row groups with 16 bits.
const ROW_GROUPS_MAX: usize = 32_767;
/// What an Arrow writer keeps of its schema, beside the pairs that are replaced.
const ARROW_SCHEMA: &str = "ARROW:schema";
/// How `created_by` begins in every file of ours.
const OURS: &str = "tidegate version ";

/// Joins Parquet files of one schema, without decoding a value.
///
/// A file is refused (`Corrupt`) if its footer is encrypted or impossible, or if schema or writer
/// differ from the first one's. Row groups with dictionaries or without an offset index are never
/// spliced, only moved as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParquetJoiner;

impl Joiner for ParquetJoiner {
    type Join = ParquetJoin;

    fn footer(&self, tail: &Bytes, file_bytes: u64) -> Result<FooterRead> {
        Ok(match input::read(tail, file_bytes)? {
            Read::Input(input) => FooterRead::Footer(input.footer(tail, file_bytes)),
            Read::NeedsTail(bytes) => FooterRead::NeedsTail(bytes),
        })
    }

    fn join(
        &self,
        inputs: Vec<JoinInput>,
        metadata: &[(String, String)],
        copy_bytes_min: u64,
        row_group_bytes: u64,
    ) -> Result<ParquetJoin> {
        let inputs = inputs
            .iter()
            .enumerate()
            .map(|(index, input)| {
                open(input).map_err(|error| error.while_doing(format!("join file {index}")))
            })
            .collect::<Result<Vec<_>>>()?;
        check_alike(&inputs)?;
        let mut joined = Joined::new(&inputs, copy_bytes_min);
        for part in plan(&inputs, copy_bytes_min, row_group_bytes) {
            match part {
                Part::Region(input) => joined.region(input)?,
                Part::Spliced(sources) => joined.spliced(&sources)?,
            }
        }
        joined.finish(metadata)
    }
}

/// Reads the footer of a file to be joined again: core only carries it.
fn open(input: &JoinInput) -> Result<Input> {
    match input::read(&input.footer.tail, input.footer.file_bytes)? {
        Read::Input(input) => Ok(*input),
        Read::NeedsTail(_) => Err(Error::corrupt("its footer is not all there")),
    }
}

/// One schema, and one writer: readers work around a writer's known mistakes by its name, and
/// the joined file can carry one only. (All versions of ours count as one.)
fn check_alike(inputs: &[Input]) -> Result<()> {
    let Some((first, rest)) = inputs.split_first() else {
        return Err(Error::corrupt("a join needs at least one file"));
    };
    let schema = first.fingerprint();
    let writer = |input: &Input| match input.file.created_by() {
        Some(name) if name.starts_with(OURS) => OURS.to_owned(),
        name => name.unwrap_or_default().to_owned(),
    };
    for (index, input) in rest.iter().enumerate() {
        let number = index + 1;
        let other = input.fingerprint();
        if other != schema {
            return Err(Error::corrupt(format!(
                "file {number} has the schema {other}, file 0 has {schema}: files of different \
                 schemas cannot be joined"
            )));
        }
        if writer(input) != writer(first) {
            return Err(Error::corrupt(format!(
                "file {number} was written by {:?}, file 0 by {:?}: files of different writers \
                 cannot be joined",
                writer(input),
                writer(first)
            )));
        }
    }
    Ok(())
}

/// The joined file as it is planned.
struct Joined<'a> {
    inputs: &'a [Input],
    moves: Moves,
    row_groups: Vec<StoredRowGroup>,
    stats: JoinStats,
}

impl<'a> Joined<'a> {
    fn new(inputs: &'a [Input], copy_bytes_min: u64) -> Self {
        Self {
            inputs,
            moves: Moves::new(copy_bytes_min),
            row_groups: Vec::new(),
            stats: JoinStats::default(),
        }
    }

    /// Appends all row groups of an input as they are. At the file's beginning the input's magic
    /// comes along, as long as nothing stands before its first page.
    fn region(&mut self, input: usize) -> Result<()> {
        let Input { region, row_groups, .. } = &self.inputs[input];
        let magic_bytes = MAGIC.len() as u64;
        let keeps_magic = self.moves.position() == 0 && region.start == magic_bytes;
        if self.moves.position() == 0 && !keeps_magic {
            self.moves.write(Bytes::from_static(MAGIC));
        }
        let range = if keeps_magic { 0..region.end } else { region.clone() };
        let shift = signed(self.moves.position())? - signed(range.start)?;
        self.moves.copy(Piece { input, range });
        for stored in row_groups {
            let starts: Vec<_> =
                stored.metadata.columns().iter().map(|c| chunk_start(c) + shift).collect();
            self.place(&[stored], &starts)?;
        }
        self.stats.row_groups_copied += row_groups.len() as u64;
        Ok(())
    }

    /// Appends a row group whose columns are made of the pages of `sources`.
    fn spliced(&mut self, sources: &[Source]) -> Result<()> {
        if self.moves.position() == 0 {
            self.moves.write(Bytes::from_static(MAGIC));
        }
        let inputs = self.inputs;
        let stored: Vec<_> = sources
            .iter()
            .map(|source| &inputs[source.input].row_groups[source.row_group])
            .collect();
        let columns = stored.first().map_or(0, |first| first.metadata.num_columns());
        let mut starts = Vec::with_capacity(columns);
        for column in 0..columns {
            starts.push(signed(self.moves.position())?);
            for (source, stored) in sources.iter().zip(&stored) {
                // Checked when the footer was read: start and length are a range of the file.
                let (start, bytes) = stored.metadata.column(column).byte_range();
                self.moves.pass(Piece { input: source.input, range: start..start + bytes });
            }
        }
        match &stored[..] {
            [_] => self.stats.row_groups_copied += 1,
            stored => {
                let indexes =
                    stored.iter().flat_map(|stored| stored.offset_indexes.iter().flatten());
                let pages: usize = indexes.map(|index| index.page_locations.len()).sum();
                self.stats.pages_copied += pages as u64;
            }
        }
        self.place(&stored, &starts)
    }

    fn place(&mut self, sources: &[&StoredRowGroup], starts: &[i64]) -> Result<()> {
        if self.row_groups.len() == ROW_GROUPS_MAX {
            return Err(Error::corrupt(format!(
                "the joined file would have more than {ROW_GROUPS_MAX} row groups"
            )));
        }
        let schema = self.inputs[0].file.schema_descr_ptr();
        self.row_groups.push(place(sources, starts, self.row_groups.len(), schema)?);
        Ok(())
    }

    fn finish(mut self, metadata: &[(String, String)]) -> Result<ParquetJoin> {
        if self.moves.position() == 0 {
            self.moves.write(Bytes::from_static(MAGIC));
        }
        let file = &self.inputs[0].file;
        let head = FileHead {
            schema: file.schema_descr_ptr(),
            created_by: file.created_by().unwrap_or(CREATED_BY),
            key_values: key_values(self.inputs, metadata),
        };
        let end = file_end(self.moves.position(), head, self.row_groups)?;
        self.moves.write(end);
        Ok(ParquetJoin {
            moves: self.moves.into_queue(),
            ready: VecDeque::new(),
            awaited: None,
            stats: self.stats,
        })
    }
}

/// The pairs given, and the Arrow schema if all inputs have the same.
fn key_values(inputs: &[Input], metadata: &[(String, String)]) -> Vec<KeyValue> {
    let arrow_schema = |input: &Input| {
        let pairs = input.file.key_value_metadata().into_iter().flatten();
        pairs.clone().find(|pair| pair.key == ARROW_SCHEMA).cloned()
    };
    let kept = inputs.first().and_then(arrow_schema);
    let kept = kept.filter(|kept| inputs.iter().all(|i| arrow_schema(i).as_ref() == Some(kept)));
    let given = metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    given.chain(kept).collect()
}

fn signed(position: u64) -> Result<i64> {
    i64::try_from(position).map_err(|_| Error::corrupt("the joined file would be too large"))
}

/// A join in the making.
#[derive(Debug)]
pub struct ParquetJoin {
    moves: VecDeque<Move>,
    /// Fetched bytes that are to be written.
    ready: VecDeque<Bytes>,
    /// What was asked for last.
    awaited: Option<Passage>,
    stats: JoinStats,
}

impl ParquetJoin {
    /// Cuts what was fetched into what is written.
    fn accept(&mut self, fetched: &[Bytes]) -> Result<()> {
        let Passage { fetches, writes } = self.awaited.take().unwrap_or_default();
        let lengths = |range: &Piece| range.range.end - range.range.start;
        if !fetches.iter().map(lengths).eq(fetched.iter().map(|bytes| bytes.len() as u64)) {
            let got: Vec<_> = fetched.iter().map(Bytes::len).collect();
            return Err(Error::corrupt(format!(
                "asked for {fetches:?} to join files, got pieces of {got:?} bytes: a staged file \
                 is shorter than its footer says"
            )));
        }
        self.ready.extend(writes.into_iter().map(|(fetch, range)| fetched[fetch].slice(range)));
        Ok(())
    }
}

impl Join for ParquetJoin {
    fn next(&mut self, fetched: Vec<Bytes>) -> Result<JoinStep> {
        self.accept(&fetched)?;
        if let Some(bytes) = self.ready.pop_front() {
            return Ok(JoinStep::Write(bytes));
        }
        Ok(match self.moves.pop_front() {
            Some(Move::Write(bytes)) => JoinStep::Write(bytes),
            Some(Move::Copy(Piece { input, range })) => JoinStep::Copy { input, range },
            Some(Move::Pass(passage)) => {
                let asked = passage.fetches.iter().map(|piece| (piece.input, piece.range.clone()));
                let step = JoinStep::Fetch(asked.collect());
                self.awaited = Some(passage);
                step
            }
            None => JoinStep::Done,
        })
    }

    fn stats(&self) -> JoinStats {
        self.stats
    }
}

#[cfg(test)]
mod tests;

use std::fmt;

use crate::words::{PipelineName, RandomId, RunNumber};

/// The folder of manifests and layouts.
const RUNS: &str = "_runs";
/// The folder of staged files.
const STAGING: &str = "_staging";
const DATA_SUFFIX: &str = ".parquet";
const STAGED_SUFFIX: &str = ".staged";
const LAYOUT_SUFFIX: &str = ".next.json";
const MANIFEST_SUFFIX: &str = ".json";

/// A data file: `<table>/<directories>/<pipeline>-<run, 10 digits>-<n>.parquet`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataFile {
    /// Table and directories: see [`data_folder`].
    pub folder: String,
    /// Whose it is.
    pub pipeline: PipelineName,
    /// The run that published it.
    pub run: RunNumber,
    /// Its number among the run's files, counted over all tables.
    pub number: u32,
}

/// A reader's file, until a layout uses it:
/// `_staging/<pipeline>/<run, 10 digits>/<task>-<attempt>-<random id>-<n>.staged`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StagedFile {
    /// Whose it is.
    pub pipeline: PipelineName,
    /// The run.
    pub run: RunNumber,
    /// The task, from 0.
    pub task: u32,
    /// The attempt, from 1.
    pub attempt: u32,
    /// 128 random bits of the process that wrote it: two readers of one task and attempt never
    /// touch each other's files.
    pub reader: RandomId,
    /// Its number among this process's files.
    pub number: u32,
}

/// A run's manifest: `_runs/<pipeline>/<run, 10 digits>.json`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestFile {
    /// Whose it is.
    pub pipeline: PipelineName,
    /// The run.
    pub run: RunNumber,
}

/// A layout, named as the successor of the one before it:
/// `_runs/<pipeline>/<run of the layout before, 10 digits>.next.json`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayoutFile {
    /// Whose it is.
    pub pipeline: PipelineName,
    /// The run of the layout before it; 0 if it is the first.
    pub after: RunNumber,
}

/// The folder of the data files of a table (see [`super::TableTemplate::folder_of`]) and a
/// directory (see [`super::DirectoryTemplate::name`], perhaps empty).
pub fn data_folder(table: &str, directories: &str) -> String {
    if directories.is_empty() { table.to_owned() } else { format!("{table}/{directories}") }
}

/// What the paths of all manifests and layouts of a pipeline begin with.
pub fn runs_prefix(pipeline: &PipelineName) -> String {
    format!("{RUNS}/{pipeline}/")
}

/// What the paths of all staged files of a pipeline begin with. In a listing they stand in the
/// order of their runs.
pub fn staging_prefix(pipeline: &PipelineName) -> String {
    format!("{STAGING}/{pipeline}/")
}

/// What the paths of all staged files of a run begin with.
pub fn staging_prefix_of_run(pipeline: &PipelineName, run: RunNumber) -> String {
    format!("{STAGING}/{pipeline}/{:010}/", run.0)
}

impl fmt::Display for DataFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, pipeline, run, number } = self;
        write!(f, "{folder}/{pipeline}-{:010}-{number}{DATA_SUFFIX}", run.0)
    }
}

impl DataFile {
    /// The name that `path` is; none if it is no data file's.
    pub fn parse(path: &str) -> Option<Self> {
        let (folder, file) = path.rsplit_once('/')?;
        // A table's folder never begins so: what does is not published.
        if folder.starts_with(['_', '.', '/']) {
            return None;
        }
        let (rest, number) = file.strip_suffix(DATA_SUFFIX)?.rsplit_once('-')?;
        let (pipeline, run) = rest.rsplit_once('-')?;
        let name = Self {
            folder: folder.to_owned(),
            pipeline: pipeline_name(pipeline)?,
            run: run_number(run)?,
            number: number.parse().ok()?,
        };
        exactly(name, path)
    }
}

impl fmt::Display for StagedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pipeline, run, task, attempt, reader, number } = self;
        f.write_str(&staging_prefix_of_run(pipeline, *run))?;
        write!(f, "{task}-{attempt}-{reader}-{number}{STAGED_SUFFIX}")
    }
}

impl StagedFile {
    /// The name that `path` is; none if it is no staged file's.
    pub fn parse(path: &str) -> Option<Self> {
        let mut folders = path.strip_prefix(STAGING)?.strip_prefix('/')?.split('/');
        let (pipeline, run, file) = (folders.next()?, folders.next()?, folders.next()?);
        let mut parts = file.strip_suffix(STAGED_SUFFIX)?.split('-');
        let name = Self {
            pipeline: pipeline_name(pipeline)?,
            run: run_number(run)?,
            task: parts.next()?.parse().ok()?,
            attempt: parts.next()?.parse().ok()?,
            reader: RandomId::try_from(parts.next()?.to_owned()).ok()?,
            number: parts.next()?.parse().ok()?,
        };
        exactly(name, path)
    }
}

impl fmt::Display for ManifestFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{RUNS}/{}/{:010}{MANIFEST_SUFFIX}", self.pipeline, self.run.0)
    }
}

impl ManifestFile {
    /// The name that `path` is; none if it is no manifest's.
    pub fn parse(path: &str) -> Option<Self> {
        let (pipeline, run) = in_runs(path, MANIFEST_SUFFIX)?;
        exactly(Self { pipeline, run }, path)
    }
}

impl fmt::Display for LayoutFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{RUNS}/{}/{:010}{LAYOUT_SUFFIX}", self.pipeline, self.after.0)
    }
}

impl LayoutFile {
    /// The name that `path` is; none if it is no layout's.
    pub fn parse(path: &str) -> Option<Self> {
        let (pipeline, after) = in_runs(path, LAYOUT_SUFFIX)?;
        exactly(Self { pipeline, after }, path)
    }
}

/// `_runs/<pipeline>/<run><suffix>`.
fn in_runs(path: &str, suffix: &str) -> Option<(PipelineName, RunNumber)> {
    let (pipeline, file) = path.strip_prefix(RUNS)?.strip_prefix('/')?.split_once('/')?;
    Some((pipeline_name(pipeline)?, run_number(file.strip_suffix(suffix)?)?))
}

fn pipeline_name(text: &str) -> Option<PipelineName> {
    PipelineName::try_from(text.to_owned()).ok()
}

fn run_number(text: &str) -> Option<RunNumber> {
    text.parse().ok().map(RunNumber)
}

/// `name`, if `path` is what it is written as: a name has one spelling.
fn exactly<T: fmt::Display>(name: T, path: &str) -> Option<T> {
    (name.to_string() == path).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pipeline(name: &str) -> PipelineName {
        PipelineName::try_from(name.to_owned()).expect("a good name")
    }

    /// P18: topic names that look like something else.
    #[test]
    fn p18_paths_are_those_of_the_design() {
        let (pipeline, run) = (pipeline("rides-7-2"), RunNumber(42));
        let folder = data_folder("eu.rides-v2.parquet", "dt=2026-11-25/hr=18");
        let data = DataFile { folder, pipeline: pipeline.clone(), run, number: 3 };
        assert_eq!(
            data.to_string(),
            "eu.rides-v2.parquet/dt=2026-11-25/hr=18/rides-7-2-0000000042-3.parquet"
        );
        assert_eq!(data_folder("rides", ""), "rides");
        let reader = RandomId(0xab);
        let staged =
            StagedFile { pipeline: pipeline.clone(), run, task: 7, attempt: 2, reader, number: 0 };
        assert_eq!(
            staged.to_string(),
            "_staging/rides-7-2/0000000042/7-2-000000000000000000000000000000ab-0.staged"
        );
        assert!(staged.to_string().starts_with(&staging_prefix_of_run(&pipeline, run)));
        assert!(staged.to_string().starts_with(&staging_prefix(&pipeline)));
        let manifest = ManifestFile { pipeline: pipeline.clone(), run };
        assert_eq!(manifest.to_string(), "_runs/rides-7-2/0000000042.json");
        let layout = LayoutFile { pipeline: pipeline.clone(), after: RunNumber(0) };
        assert_eq!(layout.to_string(), "_runs/rides-7-2/0000000000.next.json");
        assert!(layout.to_string().starts_with(&runs_prefix(&pipeline)));
    }

    #[test]
    fn what_others_left_there_is_no_name() {
        let data = [
            "rides/a-0000000001-0.parquet.crc",
            "rides/a-1-0.parquet",
            "rides/a-0000000001-00.parquet",
            "rides/a-0000000001-+1.parquet",
            "rides/A-0000000001-0.parquet",
            "rides/-0000000001-0.parquet/x",
            "a-0000000001-0.parquet",
            "_staging/a-0000000001-0.parquet",
            "/rides/a-0000000001-0.parquet",
        ];
        for path in data {
            assert_eq!(DataFile::parse(path), None, "{path}");
        }
        for path in [
            "_staging/a/0000000001/0-1-000000000000000000000000000000AB-0.staged",
            "_staging/a/0000000001/0-1-000000000000000000000000000000ab-0.staged.tmp",
            "_staging/a/0000000001/0-1-000000000000000000000000000000ab-0-0.staged",
            "_staging/a/1/0-1-000000000000000000000000000000ab-0.staged",
        ] {
            assert_eq!(StagedFile::parse(path), None, "{path}");
        }
        let layout = "_runs/a/0000000001.next.json";
        assert_eq!(ManifestFile::parse(layout), None);
        assert!(LayoutFile::parse(layout).is_some());
        assert_eq!(LayoutFile::parse("_runs/a/0000000001.json"), None);
        assert_eq!(ManifestFile::parse("_runs/a/b/0000000001.json"), None);
    }

    proptest! {
        #[test]
        fn names_survive_their_text(
            pipeline in "[a-z0-9-]{1,48}",
            folder in "[a-z0-9=][a-z0-9.=_-]{0,9}(/[a-z0-9=][a-z0-9=-]{0,9}){0,3}",
            run: u64, after: u64, task: u32, attempt: u32, reader: u128, number: u32,
        ) {
            let pipeline = PipelineName::try_from(pipeline).expect("a good name");
            let run = RunNumber(run);
            let data = DataFile { folder, pipeline: pipeline.clone(), run, number };
            prop_assert_eq!(DataFile::parse(&data.to_string()), Some(data));
            let reader = RandomId(reader);
            let staged =
                StagedFile { pipeline: pipeline.clone(), run, task, attempt, reader, number };
            prop_assert_eq!(StagedFile::parse(&staged.to_string()), Some(staged));
            let manifest = ManifestFile { pipeline: pipeline.clone(), run };
            prop_assert_eq!(ManifestFile::parse(&manifest.to_string()), Some(manifest));
            let layout = LayoutFile { pipeline, after: RunNumber(after) };
            prop_assert_eq!(LayoutFile::parse(&layout.to_string()), Some(layout));
        }

        #[test]
        fn no_path_makes_a_panic(path in "(_runs|_staging|t)?/?[a-z0-9./=-]{0,60}") {
            let _ = (DataFile::parse(&path), StagedFile::parse(&path));
            let _ = (ManifestFile::parse(&path), LayoutFile::parse(&path));
        }
    }
}

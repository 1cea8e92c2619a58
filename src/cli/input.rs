//! From what was typed to what a run is: its source, its mapping, its guards.

use super::args::InputArgs;
use super::problem::{Exit, Problem};
use crate::guard::Guards;
use crate::mapping::Mapping;
use crate::patch::Mode;
use crate::settings::Jobs;
use crate::source::{self, Source};
use crate::spec::{Duplicates, Empty, Format, MappingSpec, Spec};

/// What a run is, from FILE or from a job.
pub(super) fn spec(args: &InputArgs, jobs: Option<&Jobs>) -> Result<Spec, Problem> {
    let mut spec = match (&args.job, &args.file, jobs) {
        (Some(_), Some(_), _) => {
            return Err(Problem::usage("FILE and --job were both given; a job names its own source"));
        }
        (Some(name), None, Some(jobs)) => {
            jobs.job(name).and_then(|job| job.spec()).map_err(|e| Problem::of(Exit::Usage, "config", &e))?
        }
        (None, Some(file), _) => plain(args, file)?,
        (None, None, _) | (Some(_), None, None) => {
            return Err(Problem::usage("there is nothing to read")
                .hint("name a FILE such as roles.csv, or a job of jobs.yaml with --job NAME"));
        }
    };
    override_with(args, &mut spec)?;
    Ok(spec)
}

fn plain(args: &InputArgs, file: &str) -> Result<Spec, Problem> {
    let source = source::detect(file, args.input_format.map(Format::from))?;
    let mapping = match source.format {
        Format::Ndjson => MappingSpec::Body,
        Format::Csv | Format::Tsv => {
            MappingSpec::Header { empty: Empty::default(), ignore_columns: args.ignore_column.clone() }
        }
    };
    Ok(Spec {
        job: None,
        source,
        mapping,
        mode: Mode::default(),
        duplicates: Duplicates::default(),
        allow_unverified: false,
        guards: Guards::default(),
    })
}

/// What is typed wins over what the job says.
fn override_with(args: &InputArgs, spec: &mut Spec) -> Result<(), Problem> {
    if let Some(mode) = args.mode {
        spec.mode = mode.into();
    }
    if let Some(duplicates) = args.duplicates {
        spec.duplicates = duplicates.into();
    }
    spec.allow_unverified |= args.allow_unverified;
    spec.guards.max_changes = args.max_changes.or(spec.guards.max_changes);
    let given = args.empty.map(Into::into);
    match &mut spec.mapping {
        MappingSpec::Header { empty, .. } | MappingSpec::Template { empty, .. } => *empty = given.unwrap_or(*empty),
        MappingSpec::Body if given.is_some() => {
            return Err(Problem::usage("--empty is about CSV cells; in NDJSON, null removes a key"));
        }
        MappingSpec::Body => {}
    }
    if !args.ignore_column.is_empty() && !matches!(spec.mapping, MappingSpec::Header { .. }) {
        return Err(Problem::usage("--ignore-column is about CSV headers"));
    }
    Ok(())
}

/// Opens the source and makes the mapping; what is wrong with the header as a whole is an error here.
pub(super) fn open(spec: &Spec) -> Result<(Source, Mapping), Problem> {
    let source = source::open(&spec.source)?;
    let mapping = Mapping::new(&spec.mapping, source.header()).map_err(|e| {
        let problem = Problem::of(Exit::Usage, "header", &e);
        Problem { message: format!("{}: {}", source.name(), problem.message), ..problem }
    })?;
    if spec.mode == Mode::Replace && !mapping.path_columns().is_empty() {
        let columns = mapping.path_columns().join(", ");
        return Err(Problem::usage(format!("--mode replace sets whole fields, but the header has paths: {columns}"))
            .hint("give whole fields, such as a column `public_metadata` of JSON objects, or use --mode merge"));
    }
    Ok((source, mapping))
}

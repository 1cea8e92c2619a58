//! Stage: reads the source as a stream, maps each record to an identity and a patch, and puts all of them down.
//!
//! A bad record is data. It is put down with the reason for which it is rejected, and the reading goes on.

use crate::event::{Event, Phase, Progress};
use crate::mapping::Mapping;
use crate::outcome::Outcome;
use crate::phase::{Abort, Finish};
use crate::row::{Raw, Record};
use crate::run_file::{KeptRaw, RunFile, StagedRow};
use crate::source::Source;
use crate::stop::{Stop, Urgency};

/// How many rows are made durable at once.
const GROUP: u64 = 10_000;

/// How many rows lie between two reports of progress.
const STEP: u64 = 1_000;

/// Puts down all rows of a source, in place of what an earlier attempt put down.
pub fn stage(
    run: &mut RunFile,
    source: &mut Source,
    mapping: &Mapping,
    observer: &mut dyn crate::event::Observer,
    stop: &Stop,
) -> Result<Finish, Abort> {
    observer.observe(&Event::Started(Phase::Stage, None));
    run.begin_rows()?;
    let mut progress = Progress::default();
    while let Some(record) = next(run, source)? {
        let rejected = put_down(run, mapping, record)?;
        progress.done += 1;
        progress.tally.add(Outcome::Rejected, u64::from(rejected));
        if progress.done % GROUP == 0 {
            run.commit()?;
        }
        if progress.done % STEP == 0 {
            observer.observe(&Event::Progress(progress.clone()));
            if stop.urgency() > Urgency::None {
                run.commit()?;
                return Ok(Finish::Interrupted);
            }
        }
    }
    run.end_rows(progress.done)?;
    observer.observe(&Event::Progress(progress));
    observer.observe(&Event::Ended(Phase::Stage));
    Ok(Finish::Done)
}

/// The next record. Where the source breaks, what it gave until then is kept, to be told.
fn next(run: &mut RunFile, source: &mut Source) -> Result<Option<Record>, Abort> {
    match source.next_record() {
        Ok(record) => Ok(record),
        Err(broken) => {
            run.commit()?;
            Err(broken.into())
        }
    }
}

/// Puts down one record; says whether it was rejected.
fn put_down(run: &mut RunFile, mapping: &Mapping, record: Record) -> Result<bool, Abort> {
    let mapped = record.fields.and_then(|fields| mapping.row(&fields));
    let raw = mapping.keep(record.raw);
    let raw = match &raw {
        Raw::Cells(cells) => KeptRaw::Cells(serde_json::to_string(cells).expect("cells can always be written as JSON")),
        Raw::Object(text) => KeptRaw::Object(text),
        Raw::Unreadable(bytes) => KeptRaw::Unreadable(bytes),
        Raw::Withheld => KeptRaw::Withheld,
    };
    run.add_row(&StagedRow { origin: record.origin, content: mapped.as_ref(), raw })?;
    Ok(mapped.is_err())
}

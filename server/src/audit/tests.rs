use std::{
    fs::{self, File},
    sync::Arc,
};

use serde_json::Value;
use sessiond_proto::SessionName;
use tempfile::TempDir;

use super::{Audit, Event, Record, verify};
use crate::{
    caller::Caller,
    engine::{Error, Outcome},
};

/// A record in a directory of its own.
struct Kept {
    directory: TempDir,
    audit: Audit,
}

impl Kept {
    fn begin() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let audit = Audit::open(directory.path()).expect("opened");
        audit.note(&Record::of(Event::Started));
        Self { directory, audit }
    }

    /// Takes the disk away from under it. Answers what has to be given back.
    fn fill_the_disk(&self) -> Arc<File> {
        let full = File::options().write(true).open("/dev/full").expect("there");
        self.audit.lock().expect("a record").appender.divert(full.into())
    }

    fn free_the_disk(&self, file: Arc<File>) {
        self.audit.lock().expect("a record").appender.divert(file);
    }

    fn records(&self) -> Vec<Value> {
        verify(self.directory.path(), None).expect("readable").expect("whole");
        let text = fs::read_to_string(self.directory.path().join("audit.jsonl")).expect("there");
        text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
    }

    /// What is recorded after its beginning.
    fn events(&self) -> Vec<String> {
        self.records()
            .iter()
            .skip(1)
            .map(|record| record["event"].as_str().expect("a text").to_owned())
            .collect()
    }
}

fn saved() -> Record {
    Record::by(&caller(), Event::Saved).session(&name())
}

fn caller() -> Caller {
    Caller::remote(Some("worker".into()), "192.0.2.1:1".parse().expect("an address"))
}

fn name() -> SessionName {
    "alice".parse().expect("a name")
}

fn outcome(revision: i64) -> Outcome {
    Outcome { revision, applied: 0, refused: None }
}

#[test]
fn what_is_done_is_recorded_with_its_revision_and_who_did_it() {
    let kept = Kept::begin();
    let pending = kept.audit.begin(saved()).expect("there is room");
    pending.end(Ok(outcome(7))).expect("recorded");
    let record = &kept.records()[1];
    assert_eq!((&record["event"], &record["revision"]), (&"saved".into(), &7.into()));
    assert_eq!(record["caller"], serde_json::json!({"certificate": "worker", "address": "192.0.2.1:1"}));
}

#[test]
fn what_is_not_done_is_not_recorded_but_for_a_want_of_rights_and_an_unknown_outcome() {
    let kept = Kept::begin();
    let failed = |error| kept.audit.begin(saved()).expect("there is room").end(Err(error));
    for error in [Error::StorageFull, Error::Closed, Error::RevisionMismatch { current: 1 }] {
        failed(error).expect_err("it is given back");
    }
    kept.audit.begin(saved()).expect("there is room").nothing();
    assert!(kept.events().is_empty());
    failed(Error::StorageFailed).expect_err("it is given back");
    failed(Error::Fenced).expect_err("it is given back");
    let records = kept.records();
    assert_eq!((&records[1]["event"], &records[1]["outcome"]), (&"saved".into(), &"unknown".into()));
    assert_eq!((&records[2]["event"], &records[2]["reason"]), (&"refused".into(), &"FENCED".into()));
    assert_eq!(kept.audit.lock().expect("a record").promised, 0);
}

#[test]
fn who_does_not_wait_for_the_end_is_recorded_all_the_same() {
    let kept = Kept::begin();
    drop(kept.audit.begin(saved()).expect("there is room"));
    assert_eq!(kept.records()[1]["outcome"], "unknown");
}

#[test]
fn what_was_done_and_cannot_be_recorded_has_an_unknown_outcome_and_nothing_more_is_done() {
    let kept = Kept::begin();
    let pending = kept.audit.begin(saved()).expect("there is room");
    let file = kept.fill_the_disk();
    assert!(matches!(pending.end(Ok(outcome(7))), Err(Error::StorageFailed)));
    kept.audit.begin(saved()).expect_err("it could not be recorded");
    // Letting go is not refused, and is missed.
    kept.audit.note(&Record::of(Event::HoldReleased));
    assert!(kept.audit.begin(saved()).is_err());

    kept.free_the_disk(file);
    let pending = kept.audit.begin(saved()).expect("there is room again");
    pending.end(Ok(outcome(8))).expect("recorded");
    assert_eq!(kept.events(), ["missed", "saved"]);
    assert_eq!(kept.records()[1]["count"], 2);
}

#[test]
fn keys_do_not_leave_where_that_cannot_be_recorded() {
    let kept = Kept::begin();
    let file = kept.fill_the_disk();
    let record = Record::of(Event::KeysHandedOut);
    assert!(matches!(kept.audit.record(&record), Err(Error::StorageFull)));
    kept.free_the_disk(file);
    kept.audit.record(&record).expect("recorded");
    assert_eq!(kept.events(), ["keys_handed_out"], "nothing was missed, since nothing was done");
}

#[test]
fn a_disk_that_does_not_keep_what_it_is_given_is_relied_on_no_more() {
    let kept = Kept::begin();
    kept.audit.record(&saved()).expect("recorded");
    // What cannot be synced.
    let (_reader, writer) = std::io::pipe().expect("a pipe");
    let file = kept
        .audit
        .lock()
        .expect("a record")
        .appender
        .divert(Arc::new(File::from(std::os::fd::OwnedFd::from(writer))));
    kept.audit.sync();
    assert!(matches!(kept.audit.begin(saved()), Err(Error::StorageFailed)));
    kept.free_the_disk(file);
    kept.audit.sync();
    kept.audit.begin(saved()).expect("it does again").nothing();
}

#[test]
fn room_is_kept_for_all_that_is_under_way() {
    let kept = Kept::begin();
    let pending: Vec<_> = (0..500).map(|_| kept.audit.begin(saved()).expect("there is room")).collect();
    assert_eq!(kept.audit.lock().expect("a record").promised, 500);
    for (revision, pending) in (1..).zip(pending) {
        pending.end(Ok(outcome(revision))).expect("recorded");
    }
    assert_eq!(kept.events().len(), 500);
}

#[test]
fn without_a_record_everything_goes_on() {
    let audit = Audit::none();
    audit.begin(saved()).expect("nothing is recorded").end(Ok(outcome(1))).expect("nothing is recorded");
    audit.record(&saved()).expect("nothing is recorded");
    audit.refused("Save", &caller(), &name(), &Error::Fenced);
}

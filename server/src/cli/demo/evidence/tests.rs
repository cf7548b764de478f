use super::{Evidence, Fact, FileFound};

/// Two holders, one after the other; the first wrote three changes, and was told of two.
const STORY: [(i32, Fact); 11] = [
    (9, Fact::Snapshot { revision: 2, pts: 1000 }),
    (9, Fact::Held { revision: 3, previous: 2, pid: 1 }),
    (1, Fact::Granted { fence: 3, pts: 1000 }),
    (9, Fact::Changed { revision: 4, previous: 2, pts: 1001 }),
    (9, Fact::Changed { revision: 5, previous: 4, pts: 1002 }),
    (1, Fact::Acknowledged { pts: 1002, revision: 5 }),
    (9, Fact::Changed { revision: 6, previous: 5, pts: 1003 }),
    (9, Fact::Free { revision: 7, previous: 6 }),
    (9, Fact::Held { revision: 8, previous: 6, pid: 2 }),
    (2, Fact::Granted { fence: 8, pts: 1003 }),
    (9, Fact::Free { revision: 9, previous: 6 }),
];

/// Which of the four promises were kept, where one fact of the story was changed, or taken out.
fn kept(at: usize, fact: Option<Fact>) -> [bool; 4] {
    let mut story = STORY.to_vec();
    match fact {
        Some(fact) => story[at].1 = fact,
        None => drop(story.remove(at)),
    }
    kept_in(story, 1003)
}

fn kept_in(story: Vec<(i32, Fact)>, pts: i32) -> [bool; 4] {
    let mut evidence = Evidence::default();
    story.into_iter().for_each(|(pid, fact)| evidence.take(pid, fact));
    let file = FileFound { integrity: "ok".to_owned(), pts };
    evidence.checks(&file).map(|check| check.finding.is_ok())
}

#[test]
fn what_went_well_passes() {
    assert_eq!(kept_in(STORY.to_vec(), 1003), [true; 4]);
    let mut evidence = Evidence::default();
    STORY.into_iter().for_each(|(pid, fact)| evidence.take(pid, fact));
    assert_eq!((evidence.acknowledged(), evidence.acknowledged_pts()), (2, 1002));
    assert_eq!((evidence.events(), evidence.seen_pts()), (7, 1003));
}

#[test]
fn an_acknowledged_change_that_is_lost_is_found() {
    // Nobody saw it.
    assert!(!kept(5, Some(Fact::Acknowledged { pts: 1004, revision: 7 }))[0]);
    // The next holder does not know of it.
    assert!(!kept(9, Some(Fact::Granted { fence: 8, pts: 1001 }))[0]);
    // It is not in the file.
    assert_eq!(kept_in(STORY.to_vec(), 1001), [false, true, true, false]);
}

#[test]
fn an_event_that_is_missing_repeated_or_out_of_order_is_found() {
    assert!(!kept(4, None)[1], "missing");
    assert!(!kept(4, Some(Fact::Changed { revision: 4, previous: 2, pts: 1001 }))[1], "repeated");
    assert!(
        !kept(6, Some(Fact::Changed { revision: 6, previous: 4, pts: 1003 }))[1],
        "not after the one before"
    );
    assert!(!kept(6, Some(Fact::Changed { revision: 6, previous: 5, pts: 1004 }))[1], "two in one");
    assert!(!kept(7, Some(Fact::Free { revision: 7, previous: 5 }))[1], "a hold's end too");
    assert!(!kept(6, Some(Fact::Unexpected { event: "deleted".to_owned() }))[1], "what nobody did");
}

#[test]
fn two_holders_are_found() {
    // Granted while another has it.
    assert!(!kept(7, None)[2]);
    // Granted by a lower fence than the watcher saw, or to another than it saw.
    assert!(!kept(9, Some(Fact::Granted { fence: 3, pts: 1003 }))[2]);
    assert!(!kept(8, Some(Fact::Held { revision: 8, previous: 6, pid: 1 }))[2]);
    // Written by one whose hold was over.
    let mut story = STORY.to_vec();
    story[9] = (2, Fact::Granted { fence: 8, pts: 1003 });
    story.push((9, Fact::Changed { revision: 10, previous: 6, pts: 1004 }));
    story.push((1, Fact::Acknowledged { pts: 1004, revision: 10 }));
    assert!(!kept_in(story, 1004)[2]);
}

#[test]
fn a_file_that_is_damaged_is_found() {
    let mut evidence = Evidence::default();
    STORY.into_iter().for_each(|(pid, fact)| evidence.take(pid, fact));
    let file = FileFound { integrity: "row 3 missing from index".to_owned(), pts: 1003 };
    let finding = evidence.checks(&file)[3].finding.clone();
    assert_eq!(finding, Err("integrity_check: row 3 missing from index".to_owned()));
}

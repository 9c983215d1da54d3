//! The machine by tables of inputs.

use uuid::Uuid;

use crate::checkpoint::{
    ChainError, Entry, GapEntry, Header, LogState, Manifest, Outdated, PartitionEntry, ReplayEntry, SealEntry,
    TopicEntry,
};
use crate::commit::{Action, Claim, Input, Machine, Outcome, SlotView};
use crate::model::{Accounting, BatchId, Offset, Slot, TopicPartition};

const JOB: Uuid = Uuid::from_u128(1);

fn range(p: i32, start: i64, end: i64) -> PartitionEntry {
    let (start, end) = (Offset(start), Offset(end));
    PartitionEntry { topic: "t".to_owned(), p, start, end, incarnation: 0, records: 0, tail: None }
}

fn manifest(id: u128, p: PartitionEntry) -> Manifest {
    Manifest {
        v: 1,
        kind: Manifest::KIND.to_owned(),
        job: String::new(),
        job_id: JOB,
        batch: BatchId(Uuid::from_u128(id)),
        instance: String::new(),
        created_ms: 0,
        partitions: vec![p],
        replay: Vec::new(),
        counts: Accounting::default(),
        files: Vec::new(),
        publish_order: Vec::new(),
        locations: Default::default(),
        schema: Default::default(),
        more: Default::default(),
    }
}

fn claim(id: u128, p: PartitionEntry, only_for: Option<u64>) -> Claim {
    Claim { entry: Entry::Batch(Box::new(manifest(id, p))), only_for: only_for.map(Slot) }
}

fn header(kind: &str, id: u128) -> Header {
    Header::new(kind, "", JOB, BatchId(Uuid::from_u128(id)), "", 0)
}

fn seal(id: u128, base_slot: u64) -> SealEntry {
    let (header, next) = (header(SealEntry::KIND, id), "e000002-x".to_owned());
    SealEntry { header, epoch: 2, next, base_slot: Slot(base_slot), more: Default::default() }
}

fn around(staging: bool) -> Input {
    Input::Around { staging, newer_epoch: false }
}

fn publish(slot: u64, c: &Claim) -> Action {
    Action::Publish { slot: Slot(slot), manifest: Box::new(c.entry.batch().unwrap().clone()) }
}

/// A machine that has staged `claim` and tried its first rename.
fn renamed(claim: &Claim) -> Machine {
    let snapshot = LogState::first_snapshot(JOB, &[]);
    let mut m = Machine::new(LogState::from_snapshot(&snapshot, "e000001-x"));
    assert_eq!(m.on(Input::Start), Action::Stage { slot: Slot(0) });
    assert_eq!(m.on(Input::Staged(claim.clone())), Action::Rename { slot: Slot(0) });
    assert_eq!(m.on(Input::Renamed), Action::ReadSlot { slot: Slot(0) });
    m
}

fn entry(c: &Claim) -> Input {
    Input::Slot(SlotView::Entry(c.entry.clone()))
}

#[test]
fn a_slot_with_our_batch_is_won_whatever_the_rename_replied() {
    let ours = claim(7, range(0, 0, 5), None);
    let mut m = renamed(&ours);
    assert_eq!(m.on(entry(&ours)), publish(0, &ours));
    let Action::Finish(Outcome::Committed { slot, lost_slots: 0, .. }) = m.on(Input::Published) else { panic!() };
    assert_eq!((slot, m.state().next()), (Slot(0), Slot(1)));
}

#[test]
fn a_lost_slot_is_published_for_the_winner_before_the_next_is_tried() {
    let (ours, other) = (claim(7, range(0, 0, 5), None), claim(8, range(1, 0, 9), None));
    let mut m = renamed(&ours);
    assert!(matches!(m.on(entry(&other)), Action::Publish { slot: Slot(0), .. }));
    assert_eq!(m.on(Input::Published), Action::Rename { slot: Slot(1) });
}

#[test]
fn a_batch_whose_messages_another_one_landed_is_given_up() {
    let (ours, other) = (claim(7, range(0, 0, 5), None), claim(8, range(0, 0, 3), None));
    let mut m = renamed(&ours);
    m.on(entry(&other));
    assert_eq!(m.on(Input::Published), Action::Finish(Outcome::Superseded));
    assert_eq!(m.state().next(), Slot(1), "the winner's slot is known");
}

#[test]
fn rows_that_carry_a_number_are_staged_again_for_another_slot() {
    let (ours, other) = (claim(7, range(0, 0, 5), Some(0)), claim(8, range(1, 0, 9), None));
    let mut m = renamed(&ours);
    m.on(entry(&other));
    assert_eq!(m.on(Input::Published), Action::Stage { slot: Slot(1) });
}

#[test]
fn a_void_slot_is_skipped_and_an_absent_one_tried_again() {
    let ours = claim(7, range(0, 0, 5), None);
    let mut m = renamed(&ours);
    assert_eq!(m.on(Input::Slot(SlotView::Absent)), Action::LookAround);
    assert_eq!(m.on(around(true)), Action::Rename { slot: Slot(0) });
    m.on(Input::Renamed);
    assert_eq!(m.on(Input::Slot(SlotView::Void)), Action::LookAround);
    assert_eq!(m.on(around(true)), Action::Rename { slot: Slot(1) });
}

#[test]
fn a_staging_directory_that_is_gone_is_made_anew_only_after_a_last_look_at_the_slot() {
    let ours = claim(7, range(0, 0, 5), None);
    let mut m = renamed(&ours);
    m.on(Input::Slot(SlotView::Absent));
    // The rename may have happened between the two looks.
    assert_eq!(m.on(around(false)), Action::ReadSlot { slot: Slot(0) });
    let mut late = renamed(&ours);
    late.on(Input::Slot(SlotView::Absent));
    late.on(around(false));
    assert!(matches!(late.on(entry(&ours)), Action::Publish { .. }));
    assert_eq!(m.on(Input::Slot(SlotView::Absent)), Action::Stage { slot: Slot(0) });
    // A void slot where our directory should be: staged again for the next one.
    let mut void = renamed(&ours);
    void.on(Input::Slot(SlotView::Void));
    assert_eq!(void.on(around(false)), Action::Stage { slot: Slot(1) });
}

#[test]
fn a_slot_that_does_not_continue_the_log_stops_everything() {
    let ours = claim(7, range(0, 0, 5), None);
    let mut m = renamed(&ours);
    m.on(entry(&claim(8, range(1, 0, 9), None)));
    m.on(Input::Published);
    m.on(Input::Renamed);
    // Before any of its files reaches a table.
    let found = m.on(entry(&claim(9, range(1, 4, 12), None)));
    assert!(matches!(found, Action::Finish(Outcome::Broken(ChainError::Broken { .. }))));
}

#[test]
fn a_seal_is_registered_and_the_batch_goes_for_the_first_slot_of_the_next_epoch() {
    let ours = claim(7, range(0, 0, 5), None);
    let mut m = renamed(&ours);
    let found = seal(8, 1);
    let seen = Input::Slot(SlotView::Entry(Entry::Seal(Box::new(found.clone()))));
    assert_eq!(m.on(seen), Action::Register { seal: Box::new(found) });
    assert_eq!(m.on(Input::Registered), Action::Rename { slot: Slot(1) });
    assert_eq!((m.state().epoch(), m.state().dir(), m.state().base()), (2, "e000002-x", Slot(1)));
}

#[test]
fn a_seal_that_lost_its_slot_is_made_anew_for_the_next_and_given_up_when_another_sealed() {
    let ours = Claim { entry: Entry::Seal(Box::new(seal(7, 1))), only_for: Some(Slot(0)) };
    let mut m = renamed(&ours);
    m.on(entry(&claim(8, range(0, 0, 5), None)));
    assert_eq!(m.on(Input::Published), Action::Stage { slot: Slot(1) });
    let again = Claim { entry: Entry::Seal(Box::new(seal(9, 2))), only_for: Some(Slot(1)) };
    assert_eq!(m.on(Input::Staged(again)), Action::Rename { slot: Slot(1) });
    m.on(Input::Renamed);
    m.on(Input::Slot(SlotView::Entry(Entry::Seal(Box::new(seal(10, 2))))));
    assert_eq!(m.on(Input::Registered), Action::Finish(Outcome::Superseded));
    assert_eq!((m.state().epoch(), m.state().next()), (2, Slot(2)));
}

#[test]
fn a_daemon_whose_epoch_is_gone_opens_the_log_anew() {
    let ours = claim(7, range(0, 0, 5), None);
    let elsewhere = |end: i64| {
        let mut state = LogState::from_snapshot(&LogState::first_snapshot(JOB, &[]), "e000001-x");
        state.fold(&claim(8, range(0, 0, end), None).entry).unwrap();
        state.fold(&Entry::Seal(Box::new(seal(9, 2)))).unwrap();
        Input::Reopened(Box::new(state))
    };
    for (end, then) in [(0, Action::Rename { slot: Slot(2) }), (5, Action::Finish(Outcome::Superseded))] {
        let mut m = renamed(&ours);
        m.on(Input::Slot(SlotView::Absent));
        assert_eq!(m.on(Input::Around { staging: true, newer_epoch: true }), Action::Reopen);
        assert_eq!(m.on(elsewhere(end)), then);
    }
}

#[test]
fn gaps_and_new_topics_move_the_log_under_a_batch_of_the_same_partition() {
    let gap = |p| {
        let (header, topic) = (header(GapEntry::KIND, 8), "t".to_owned());
        let (reason, operator) = (String::new(), String::new());
        let (from, to) = (Offset(0), Offset(9));
        Entry::Gap(Box::new(GapEntry { header, topic, p, from, to, reason, operator, more: Default::default() }))
    };
    let topic = |name: &str| {
        let (header, topic) = (header(TopicEntry::KIND, 8), name.to_owned());
        let (reason, operator) = (String::new(), String::new());
        let (starts, more) = (Default::default(), Default::default());
        Entry::Topic(Box::new(TopicEntry { header, topic, incarnation: 1, starts, reason, operator, more }))
    };
    let again = Action::Rename { slot: Slot(1) };
    let over = Action::Finish(Outcome::Superseded);
    for (found, then) in [(gap(0), &over), (gap(1), &again), (topic("t"), &over), (topic("u"), &again)] {
        let mut m = renamed(&claim(7, range(0, 0, 5), None));
        assert_eq!(&m.on(Input::Slot(SlotView::Entry(found.clone()))), then, "{found:?}");
    }
}

fn replay(id: u128, incarnation: u32, offsets: &[(i64, i64)]) -> Claim {
    let offsets = offsets.iter().map(|&(start, end)| (Offset(start), Offset(end))).collect();
    let letters = ReplayEntry { topic: "t".to_owned(), p: 0, incarnation, offsets };
    let manifest = Manifest {
        kind: Manifest::REPLAY.to_owned(),
        partitions: Vec::new(),
        replay: vec![letters],
        ..manifest(id, range(0, 0, 0))
    };
    Claim { entry: Entry::Batch(Box::new(manifest)), only_for: None }
}

#[test]
fn a_replay_gives_way_only_to_one_of_the_same_dead_letters() {
    for (other, next) in [
        (replay(8, 0, &[(6, 8)]), None),
        (replay(8, 0, &[(0, 2), (5, 6), (9, 12)]), None),
        (replay(8, 0, &[(0, 5), (8, 9)]), Some(1)),
        (replay(8, 1, &[(5, 8)]), Some(1)),
        (claim(8, range(0, 0, 50), None), Some(1)),
    ] {
        let ours = replay(7, 0, &[(5, 8)]);
        let mut m = renamed(&ours);
        assert_eq!(m.on(entry(&other)), publish(0, &other));
        let expected = match next {
            Some(slot) => Action::Rename { slot: Slot(slot) },
            None => Action::Finish(Outcome::Superseded),
        };
        assert_eq!(m.on(Input::Published), expected, "{other:?}");
    }
}

#[test]
fn the_state_keeps_which_dead_letters_were_replayed_through_snapshots() {
    let mut state = LogState::from_snapshot(&LogState::first_snapshot(JOB, &[]), "e000001-x");
    state.fold(&claim(1, range(0, 0, 50), None).entry).unwrap();
    state.fold(&replay(2, 0, &[(5, 8), (10, 11)]).entry).unwrap();
    state.fold(&replay(3, 0, &[(8, 10)]).entry).unwrap();
    assert_eq!((state.end(&TopicPartition::new("t", 0)), state.next()), (Some(Offset(50)), Slot(3)));
    let kept = state.replayed().entries();
    assert_eq!((kept.len(), kept[0].offsets.clone()), (1, vec![(Offset(5), Offset(11))]), "neighbours are one range");
    // A batch that names an offset twice is no better than two batches.
    for twice in [vec![(10, 12)], vec![(20, 25), (24, 30)]] {
        let e = state.clone().fold(&replay(4, 0, &twice).entry).unwrap_err();
        assert!(matches!(&e, ChainError::Broken { source: Outdated::Replayed { .. }, .. }), "{e}");
        assert!(e.to_string().contains("dead letter that was landed already"), "{e}");
    }
    state.fold(&Entry::Seal(Box::new(seal(5, 4)))).unwrap();
    let snapshot = state.next_snapshot();
    assert_eq!(LogState::from_snapshot(&snapshot, "e000003-x").replayed(), state.replayed());
    // A topic that begins anew has other messages at the same offsets.
    state.fold(&replay(6, 1, &[(5, 8)]).entry).unwrap();
    assert!(state.accepts(&replay(7, 0, &[(7, 8)]).entry).is_err());
    assert_eq!(state.replayed().messages(), 9);
}

//! Course assessments like the seeds', whose full set is not to be had: as many records, with the known answers.

mod exams;
mod record;

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use exams::{EXAMS, Exam, exam};
use record::{Attempt, Lacks, record};

/// Records of a full set.
pub const ASSESSMENTS: usize = 3280;
/// Different `keen_id`s among them: the other records repeat one of these, byte for byte.
const DISTINCT: usize = 3242;
/// Records whose `sequences.counts.all_correct` is true.
const ALL_CORRECT: usize = 841;
/// Mean share of correct answers in percent, see [`Assessments`].
const MEAN_SHARE: f64 = 62.6;

/// How many distinct records leave something out.
const LACKING: [(Lacks, usize); 5] =
    [(Lacks::Sequences, 24), (Lacks::Counts, 12), (Lacks::Correct, 10), (Lacks::Questions, 8), (Lacks::Options, 15)];

/// Assessments without end: set after set of [`ASSESSMENTS`], each in another order. One seed always gives the same
/// sequence. Of each set, whatever the seed:
///
/// - 103 exams, `Learning Git` the most frequent with 394 records, `Introduction to Apache Spark` with 9;
/// - 3,242 distinct `keen_id`s;
/// - 841 records with `all_correct` true;
/// - the mean over records of the share of correct answers is 62.6 %, rounded to one decimal. Records that lack
///   `sequences`, `counts` or `correct` have no share and do not count:
///   `select round(avg(1e2 * sequences_counts_correct / sequences_counts_total), 1) from assessments`.
#[derive(Debug)]
pub struct Assessments {
    seed: u64,
    sets: u64,
    exams: Vec<Exam>,
    /// What is left of the set, last first.
    attempts: Vec<Attempt>,
}

impl Assessments {
    /// The assessments of this seed.
    pub fn new(seed: u64) -> Assessments {
        let exams = (0..EXAMS.len()).map(exam).collect();
        Assessments { seed, sets: 0, exams, attempts: Vec::new() }
    }

    pub(super) fn next_record(&mut self) -> Vec<u8> {
        if self.attempts.is_empty() {
            self.attempts = self.set();
            self.sets += 1;
        }
        let attempt = self.attempts.pop().expect("a set has records");
        record(&attempt, &self.exams[attempt.exam])
    }

    fn set(&self) -> Vec<Attempt> {
        // Every set has a sequence of its own.
        let mut rng = StdRng::seed_from_u64(self.seed ^ self.sets.rotate_left(32));
        let mut taken = take_exams(&mut rng, self.sets * DISTINCT as u64);
        choose_all_correct(&mut taken, &self.exams);
        leave_out(&mut taken);
        answer(&mut taken, &self.exams, &mut rng);
        let mut attempts: Vec<_> =
            taken.iter().flat_map(|taken| std::iter::repeat_n(taken.attempt, taken.records)).collect();
        attempts.shuffle(&mut rng);
        attempts
    }
}

impl Iterator for Assessments {
    type Item = Vec<u8>;

    /// The next record; there always is one.
    fn next(&mut self) -> Option<Vec<u8>> {
        Some(self.next_record())
    }
}

/// A distinct attempt, while its set is made.
struct Taken {
    attempt: Attempt,
    /// How many records it has: one, or two if it is repeated.
    records: usize,
    all_correct: bool,
}

/// Distinct attempts in random order, as many records of each exam as there must be, nothing answered yet.
fn take_exams(rng: &mut StdRng, first_number: u64) -> Vec<Taken> {
    let mut of_records: Vec<usize> =
        EXAMS.iter().enumerate().flat_map(|(exam, (_, records))| std::iter::repeat_n(exam, *records)).collect();
    // The last ones repeat attempts at their own exams, each another one.
    let mut repeats = loop {
        of_records.shuffle(rng);
        let (distinct, repeats) = of_records.split_at(DISTINCT);
        let (distinct, repeats) = (count(distinct), count(repeats));
        if repeats.iter().all(|(exam, count)| distinct.get(exam) >= Some(count)) {
            break repeats;
        }
    };
    of_records.truncate(DISTINCT);
    let taken = of_records.into_iter().zip(first_number..).map(|(exam, number)| {
        let repeated = repeats.get_mut(&exam).filter(|left| **left > 0).map(|left| *left -= 1).is_some();
        let attempt = Attempt { exam, correct: 0, lacks: Lacks::Nothing, number, seed: rng.random() };
        Taken { attempt, records: 1 + usize::from(repeated), all_correct: false }
    });
    let mut taken: Vec<_> = taken.collect();
    taken.shuffle(rng);
    taken
}

fn count(exams: &[usize]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    exams.iter().for_each(|exam| *counts.entry(*exam).or_default() += 1);
    counts
}

fn choose_all_correct(taken: &mut [Taken], exams: &[Exam]) {
    let mut left = ALL_CORRECT;
    for taken in taken {
        if taken.records <= left {
            left -= taken.records;
            taken.all_correct = true;
            taken.attempt.correct = exams[taken.attempt.exam].questions.len();
        }
    }
}

fn leave_out(taken: &mut [Taken]) {
    let what = LACKING.into_iter().flat_map(|(lacks, records)| std::iter::repeat_n(lacks, records));
    for (taken, lacks) in taken.iter_mut().filter(|taken| !taken.all_correct).zip(what) {
        taken.attempt.lacks = lacks;
    }
}

/// Answers what is not all correct: at random, and then one answer more or less here and there until the mean is right.
fn answer(taken: &mut [Taken], exams: &[Exam], rng: &mut StdRng) {
    let share = |taken: &Taken| {
        let total = exams[taken.attempt.exam].questions.len();
        taken.records as f64 * 100.0 * taken.attempt.correct as f64 / total as f64
    };
    for taken in taken.iter_mut().filter(|taken| !taken.all_correct) {
        let total = exams[taken.attempt.exam].questions.len();
        taken.attempt.correct = (0..total - 1).filter(|_| rng.random_bool(0.65)).count();
    }
    let has_share = |taken: &&Taken| !matches!(taken.attempt.lacks, Lacks::Sequences | Lacks::Counts | Lacks::Correct);
    let counting: usize = taken.iter().filter(has_share).map(|taken| taken.records).sum();
    let sum: f64 = taken.iter().filter(has_share).map(share).sum();
    let mut missing = MEAN_SHARE * counting as f64 - sum;
    // So near that no rounding, not even of single precision, can make another decimal of it.
    while missing.abs() > 0.01 * counting as f64 {
        let at = rng.random_range(0..taken.len());
        let one = &mut taken[at];
        if one.all_correct || !has_share(&&*one) {
            continue;
        }
        let total = exams[one.attempt.exam].questions.len();
        let before = share(one);
        match missing > 0.0 {
            true if one.attempt.correct + 1 < total => one.attempt.correct += 1,
            false if one.attempt.correct > 0 => one.attempt.correct -= 1,
            _ => continue,
        }
        missing -= share(&taken[at]) - before;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Three of the seeds' records.
    const SAMPLES: &str = include_str!("../../../tests/data/assessments.jsonl");

    fn read(records: impl Iterator<Item = Vec<u8>>) -> Vec<Value> {
        records.map(|record| serde_json::from_slice(&record).unwrap()).collect()
    }

    fn counts<'a>(records: &'a [Value], name: &str) -> BTreeMap<&'a str, usize> {
        let mut counts = BTreeMap::new();
        records.iter().for_each(|record| *counts.entry(record[name].as_str().unwrap()).or_default() += 1);
        counts
    }

    #[test]
    fn a_full_set_gives_the_known_answers_whatever_the_seed() {
        for (seed, sets) in [(1, 2), (77, 1)] {
            let mut assessments = Assessments::new(seed);
            for set in 0..sets {
                let records = read(assessments.by_ref().take(3280));
                let exams = counts(&records, "exam_name");
                assert_eq!(exams.len(), 103);
                let most = exams.iter().max_by_key(|(_, count)| **count).unwrap();
                assert_eq!(most, (&"Learning Git", &394));
                assert_eq!(exams.values().filter(|count| **count == 394).count(), 1);
                assert_eq!(exams["Introduction to Apache Spark"], 9);
                assert_eq!(counts(&records, "keen_id").len(), 3242);
                let all_correct = |r: &&Value| r["sequences"]["counts"]["all_correct"] == Value::Bool(true);
                assert_eq!(records.iter().filter(all_correct).count(), 841);
                let shares = records.iter().filter_map(|record| {
                    let counts = &record["sequences"]["counts"];
                    Some(100.0 * counts["correct"].as_f64()? / counts["total"].as_f64()?)
                });
                let shares: Vec<f64> = shares.collect();
                let mean = shares.iter().sum::<f64>() / shares.len() as f64;
                assert_eq!(format!("{mean:.1}"), "62.6", "seed {seed}, set {set}: {mean} of {}", shares.len());
                assert!(shares.len() < 3280 && shares.len() > 3200);
            }
        }
    }

    #[test]
    fn records_of_one_keen_id_are_the_same_and_other_sets_have_others() {
        let both: Vec<Vec<u8>> = Assessments::new(5).take(3280 + 300).collect();
        let (first, second) = both.split_at(3280);
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 3242, "repeated whole");
        let (first, second) = (read(first.iter().cloned()), read(second.iter().cloned()));
        let (first, second) = (counts(&first, "keen_id"), counts(&second, "keen_id"));
        assert!(first.values().all(|count| *count <= 2));
        assert!(first.keys().all(|id| !second.contains_key(id)));
    }

    #[test]
    fn a_seed_gives_the_same_sequence_and_another_seed_another() {
        let first = |seed| Assessments::new(seed).take(300).collect::<Vec<_>>();
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }

    /// The paths of a value's fields, with the kind of each.
    fn shape(path: &str, value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| shape(&format!("{path}.{name}"), value, into))
            }
            Value::Array(elements) => elements.iter().for_each(|value| shape(&format!("{path}[]"), value, into)),
            Value::String(_) => _ = into.insert(format!("{path} text")),
            Value::Bool(_) => _ = into.insert(format!("{path} bool")),
            Value::Number(n) if n.is_u64() => _ = into.insert(format!("{path} whole")),
            other => _ = into.insert(format!("{path} {other}")),
        }
    }

    #[test]
    fn records_have_the_shape_of_the_samples_and_some_lack_parts() {
        let samples: Vec<Value> = SAMPLES.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let records = read(Assessments::new(1).take(3280));
        let (mut wanted, mut found) = (BTreeSet::new(), BTreeSet::new());
        samples.iter().for_each(|value| shape("", value, &mut wanted));
        records.iter().for_each(|value| shape("", value, &mut found));
        assert_eq!(found, wanted);
        // The options come in every form of the samples: which fields, whether checked.
        let forms = |records: &[Value]| -> BTreeSet<String> {
            let questions = records.iter().filter_map(|r| r["sequences"]["questions"].as_array()).flatten();
            let options = questions.filter_map(|q| q["options"].as_array()).flatten();
            options
                .map(|o| format!("{} {:?}", o["checked"], o.as_object().unwrap().keys().collect::<BTreeSet<_>>()))
                .collect()
        };
        assert!(forms(&records).is_superset(&forms(&samples)), "{:?}", forms(&records));
        let lacking = |path: &[&str]| {
            let at = |r: &Value| path.iter().try_fold(r.clone(), |value, name| value.get(*name).cloned()).is_none();
            records.iter().filter(|r| at(r)).count()
        };
        assert!(lacking(&["sequences"]) >= 24);
        assert!(lacking(&["sequences", "counts"]) > lacking(&["sequences"]));
        assert!(lacking(&["sequences", "counts", "correct"]) > lacking(&["sequences", "counts"]));
        assert!(lacking(&["sequences", "questions"]) > lacking(&["sequences"]));
    }

    #[test]
    fn what_is_counted_is_what_was_answered() {
        for record in read(Assessments::new(3).take(1000)) {
            let (counts, Some(questions)) =
                (&record["sequences"]["counts"], record["sequences"]["questions"].as_array())
            else {
                continue;
            };
            let count = |field: &str, value: Value| questions.iter().filter(|q| q[field] == value).count();
            if counts.is_object() {
                assert_eq!(counts["total"], questions.len());
                assert_eq!(counts["submitted"], count("user_submitted", true.into()));
                assert_eq!(counts["incomplete"], count("user_incomplete", true.into()));
                assert_eq!(counts["incorrect"], count("user_result", "incorrect".into()));
                assert_eq!(counts["unanswered"], count("user_result", "unanswered".into()));
                let correct = count("user_correct", true.into());
                assert!(counts["correct"].is_null() || counts["correct"] == correct);
                assert_eq!(counts["all_correct"], correct == questions.len());
            }
            for (question, options) in questions.iter().filter_map(|q| Some((q, q["options"].as_array()?))) {
                let right = options.iter().all(|o| o["checked"] == Value::Bool(o["correct"] == Value::Bool(true)));
                assert_eq!(question["user_correct"], right, "{question}");
            }
        }
    }
}

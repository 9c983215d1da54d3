//! One assessment: what a student answered, as JSON in the shape of the seeds' records.

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use super::exams::{Asked, Exam};

/// What an assessment leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lacks {
    Nothing,
    /// `sequences`
    Sequences,
    /// `sequences.counts`
    Counts,
    /// `sequences.counts.correct`
    Correct,
    /// `sequences.questions`
    Questions,
    /// `options` of the first question
    Options,
}

/// All that a record is made from: the same attempt always gives the same bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    /// Index of the exam.
    pub exam: usize,
    /// Questions answered right.
    pub correct: usize,
    pub lacks: Lacks,
    /// Tells it from every other.
    pub number: u64,
    /// For everything else in it.
    pub seed: u64,
}

#[derive(Serialize)]
struct Record<'a> {
    keen_timestamp: &'a str,
    max_attempts: &'a str,
    started_at: String,
    base_exam_id: &'a str,
    user_exam_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequences: Option<Sequences<'a>>,
    keen_created_at: &'a str,
    certification: &'a str,
    keen_id: String,
    exam_name: &'a str,
}

#[derive(Serialize)]
struct Sequences<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    questions: Option<Vec<Question<'a>>>,
    attempt: u32,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
}

#[derive(Serialize)]
struct Question<'a> {
    user_incomplete: bool,
    user_correct: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Vec<Choice<'a>>>,
    user_submitted: bool,
    id: &'a str,
    user_result: &'static str,
}

/// An option. One that was never touched has no `at`, one that is not checked no `submitted`, a wrong one no `correct`.
#[derive(Serialize)]
struct Choice<'a> {
    checked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correct: Option<bool>,
}

#[derive(Serialize)]
struct Counts {
    incomplete: usize,
    submitted: usize,
    incorrect: usize,
    all_correct: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    correct: Option<usize>,
    total: usize,
    unanswered: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Correct,
    Incorrect,
    /// Nothing wrong is checked, and not all that is right.
    MissedSome,
    Unanswered,
}

/// The record of an attempt at `exam`, as `jq -c` writes it.
pub(super) fn record(attempt: &Attempt, exam: &Exam) -> Vec<u8> {
    let mut rng = StdRng::seed_from_u64(attempt.seed);
    // Between November 2017 and January 2018.
    let started_ms = rng.random_range(1_511_000_000_000..1_516_740_000_000);
    let mut now_ms = started_ms;
    let answers = answers(attempt.correct, exam, &mut rng);
    let mut questions: Vec<_> = exam
        .questions
        .iter()
        .zip(&answers)
        .map(|(asked, answer)| question(asked, *answer, &mut now_ms, &mut rng))
        .collect();
    let count = |wanted: Answer| answers.iter().filter(|answer| **answer == wanted).count();
    let unanswered = count(Answer::Unanswered);
    let counts = Counts {
        incomplete: count(Answer::MissedSome),
        submitted: answers.len() - unanswered,
        incorrect: count(Answer::Incorrect),
        all_correct: attempt.correct == answers.len(),
        correct: (attempt.lacks != Lacks::Correct).then_some(attempt.correct),
        total: answers.len(),
        unanswered,
    };
    if attempt.lacks == Lacks::Options {
        questions[0].options = None;
    }
    let sequences = Sequences {
        questions: (attempt.lacks != Lacks::Questions).then_some(questions),
        attempt: 1,
        id: uuid(&mut rng),
        counts: (attempt.lacks != Lacks::Counts).then_some(counts),
    };
    let keen = format!("{}.{:03}{:03}", now_ms / 1000, now_ms % 1000, rng.random_range(0..1000));
    let record = Record {
        keen_timestamp: &keen,
        max_attempts: "1.0",
        started_at: time(started_ms),
        base_exam_id: &exam.id,
        user_exam_id: uuid(&mut rng),
        sequences: (attempt.lacks != Lacks::Sequences).then_some(sequences),
        keen_created_at: &keen,
        certification: "false",
        // Seconds, random bits, a counter: as MongoDB makes its ids.
        keen_id: format!("{:08x}{:010x}{:06x}", now_ms / 1000, rng.random::<u64>() >> 24, attempt.number & 0xff_ffff),
        exam_name: exam.name,
    };
    serde_json::to_vec(&record).expect("structs of text, numbers and lists have a JSON form")
}

/// An answer for each question, `correct` of them right.
fn answers(correct: usize, exam: &Exam, rng: &mut StdRng) -> Vec<Answer> {
    let mut left = correct;
    let questions = exam.questions.iter().enumerate();
    let answer = |(at, asked): (usize, &Asked)| {
        let more = exam.questions.len() - at;
        if rng.random_range(0..more) < left {
            left -= 1;
            return Answer::Correct;
        }
        let several = asked.options.iter().filter(|(_, right)| *right).count() > 1;
        match rng.random_range(0..10) {
            0 => Answer::Unanswered,
            1..4 if several => Answer::MissedSome,
            _ => Answer::Incorrect,
        }
    };
    questions.map(answer).collect()
}

fn question<'a>(asked: &'a Asked, answer: Answer, now_ms: &mut i64, rng: &mut StdRng) -> Question<'a> {
    let find = |wanted: bool| asked.options.iter().position(|(_, right)| *right == wanted);
    // One option that makes the answer what it is.
    let decisive = match answer {
        Answer::Incorrect => find(false),
        Answer::MissedSome => find(true),
        Answer::Correct | Answer::Unanswered => None,
    };
    let mut choose = |(at, (id, right)): (usize, &'a (String, bool))| {
        let checked = match answer {
            Answer::Unanswered => false,
            Answer::Correct => *right,
            Answer::MissedSome => *right && Some(at) != decisive,
            Answer::Incorrect => Some(at) == decisive || rng.random_bool(if *right { 0.6 } else { 0.1 }),
        };
        // Some are checked and unchecked again.
        let touched = checked || (answer != Answer::Unanswered && rng.random_bool(0.05));
        *now_ms += if touched { rng.random_range(400..12_000) } else { 0 };
        Choice {
            checked,
            at: touched.then(|| time(*now_ms)),
            id,
            submitted: checked.then_some(1),
            correct: right.then_some(true),
        }
    };
    let options = asked.options.iter().enumerate().map(&mut choose).collect();
    Question {
        user_incomplete: answer == Answer::MissedSome,
        user_correct: answer == Answer::Correct,
        options: Some(options),
        user_submitted: answer != Answer::Unanswered,
        id: &asked.id,
        user_result: match answer {
            Answer::Correct => "correct",
            Answer::Incorrect => "incorrect",
            Answer::MissedSome => "missed_some",
            Answer::Unanswered => "unanswered",
        },
    }
}

fn time(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).expect("some years after 1970 are times");
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A random one, of version 4.
pub(super) fn uuid(rng: &mut StdRng) -> String {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string()
}

-- The whole record.
create external table if not exists assessments (
    keen_timestamp string,
    max_attempts string,
    started_at string,
    base_exam_id string,
    user_exam_id string,
    sequences struct<
        questions: array<struct<
            user_incomplete: boolean,
            user_correct: boolean,
            options: array<struct<checked: boolean, at: string, id: string, submitted: bigint, correct: boolean>>,
            user_submitted: boolean,
            id: string,
            user_result: string
        >>,
        attempt: bigint,
        id: string,
        counts: struct<
            incomplete: bigint,
            submitted: bigint,
            incorrect: bigint,
            all_correct: boolean,
            correct: bigint,
            total: bigint,
            unanswered: bigint
        >
    >,
    keen_created_at string,
    certification string,
    keen_id string,
    exam_name string
)
stored as parquet
location '/tmp/assessments_narrow/assessments'
tblproperties ("parquet.compress"="SNAPPY");

-- One row an assessment. What a record lacks is null.
create external table if not exists assessments (
    keen_timestamp string,
    max_attempts string,
    started_at string,
    base_exam_id string,
    user_exam_id string,
    keen_created_at string,
    keen_id string,
    exam_name string,
    certification string,
    sequences_id string,
    sequences_attempt bigint,
    sequences_counts_incomplete bigint,
    sequences_counts_submitted bigint,
    sequences_counts_incorrect bigint,
    sequences_counts_all_correct boolean,
    sequences_counts_correct bigint,
    sequences_counts_total bigint,
    sequences_counts_unanswered bigint,
    questions array<struct<
        user_incomplete: boolean,
        user_correct: boolean,
        options: array<struct<checked: boolean, at: string, id: string, submitted: bigint, correct: boolean>>,
        user_submitted: boolean,
        id: string,
        user_result: string
    >>
)
stored as parquet
location '/tmp/assessments_flat/assessments'
tblproperties ("parquet.compress"="SNAPPY");

-- How well. Null where a record does not say.
create external table if not exists scores (
    keen_id string,
    exam_name string,
    correct bigint,
    total bigint,
    all_correct boolean
)
stored as parquet
location '/tmp/assessments_narrow/scores'
tblproperties ("parquet.compress"="SNAPPY");

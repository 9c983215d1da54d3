-- Which exam was taken.
create external table if not exists exams (
    keen_id string,
    exam_name string
)
stored as parquet
location '/tmp/assessments_narrow/exams'
tblproperties ("parquet.compress"="SNAPPY");

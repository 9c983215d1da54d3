-- Messages that could not become rows, and why.
create external table if not exists dead_letters (
    reason string,
    detail string,
    raw_event string,
    raw_bytes binary,
    kafka_topic string,
    kafka_partition int,
    kafka_offset bigint,
    kafka_timestamp timestamp,
    batch_id bigint
)
stored as parquet
location '/tmp/assessments_raw/dead_letters'
tblproperties ("parquet.compress"="SNAPPY");

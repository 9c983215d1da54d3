-- Every message, with where it stood in Kafka.
create external table if not exists assessments (
    raw_event string,
    timestamp string,
    `_kafka_partition` int,
    `_kafka_offset` bigint
)
stored as parquet
location '/tmp/assessments_raw/assessments'
tblproperties ("parquet.compress"="SNAPPY");

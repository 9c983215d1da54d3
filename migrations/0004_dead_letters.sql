-- Messages that could not become rows, and why. raw_event is null where the bytes are not UTF-8; raw_bytes is the
-- whole message, or its first bytes where it was too large, with its length in detail.
create external table if not exists default.dead_letters (
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
location '/tmp/dead_letters'
tblproperties ("parquet.compress"="SNAPPY");

-- Purchases of any kind.
create external table if not exists default.purchases (
    raw_event string,
    timestamp string,
    Accept string,
    Host string,
    `User-Agent` string,
    event_type string,
    type string,
    cost long
)
stored as parquet
location '/tmp/purchases'
tblproperties ("parquet.compress"="SNAPPY");

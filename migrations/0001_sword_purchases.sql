-- Purchases of swords only; each stands in purchases as well.
create external table if not exists default.sword_purchases (
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
location '/tmp/sword_purchases'
tblproperties ("parquet.compress"="SNAPPY");

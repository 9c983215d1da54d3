-- Purchases of any item.
create external table if not exists purchases (
    timestamp string,
    Accept string,
    Host string,
    `User-Agent` string,
    event_type string
)
stored as parquet
location '/tmp/game_events_batch/purchases'
tblproperties ("parquet.compress"="SNAPPY");

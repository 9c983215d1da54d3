-- Joining the guild.
create external table if not exists join_guild (
    timestamp string,
    Accept string,
    Host string,
    `User-Agent` string,
    event_type string
)
stored as parquet
location '/tmp/game_events_batch/join_guild'
tblproperties ("parquet.compress"="SNAPPY");

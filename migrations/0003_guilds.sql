-- Joining and leaving guilds. guild_member_cnt is null where the guild did not exist.
create external table if not exists default.guilds (
    raw_event string,
    timestamp string,
    Accept string,
    Host string,
    `User-Agent` string,
    event_type string,
    guild_member_cnt bigint,
    guild_name string,
    tot_guild_member_cnt bigint
)
stored as parquet
location '/tmp/guilds'
tblproperties ("parquet.compress"="SNAPPY");

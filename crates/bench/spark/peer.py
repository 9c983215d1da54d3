"""The Spark Structured Streaming job that landfall replaces, to be measured beside it.

Three queries over one Kafka topic, each with a filter of its own, write three tables of Parquet. The job is that of the
seeds: the same filters (Python UDFs), columns, sink and trigger. FILTER=native has get_json_object in place of the UDFs,
which is what one who knows Spark well would write.

  KAFKA    bootstrap servers
  TOPIC    topic, read from its beginning
  OUT      folder of the tables and the checkpoints
  TRIGGER  availableNow, or an interval such as "10 seconds"
  FILTER   udf | native
  QUIET    1: log errors only; else Spark's own level
"""
import json
import os

from pyspark.sql import SparkSession
from pyspark.sql.functions import from_json, get_json_object, udf
from pyspark.sql.types import BooleanType

KAFKA, TOPIC, OUT, TRIGGER, FILTER = (os.environ[name] for name in ("KAFKA", "TOPIC", "OUT", "TRIGGER", "FILTER"))

HEAD = "Accept string, Host string, `User-Agent` string, event_type string, "
PURCHASE = HEAD + "type string, cost bigint"
GUILD = HEAD + "guild_member_cnt bigint, guild_name string, tot_guild_member_cnt bigint"

if FILTER == "udf":

    @udf(BooleanType())
    def is_sword_purchase(event_as_json):
        event = json.loads(event_as_json)
        if event["event_type"] == "purchase_sword":
            return True
        return False

    @udf(BooleanType())
    def is_purchase(event_as_json):
        event = json.loads(event_as_json)
        if "purchase" in event["event_type"]:
            return True
        return False

    @udf(BooleanType())
    def is_guild(event_as_json):
        event = json.loads(event_as_json)
        if "guild" in event["event_type"]:
            return True
        return False

else:

    def is_sword_purchase(event):
        return get_json_object(event, "$.event_type") == "purchase_sword"

    def is_purchase(event):
        return get_json_object(event, "$.event_type").contains("purchase")

    def is_guild(event):
        return get_json_object(event, "$.event_type").contains("guild")


def main():
    spark = SparkSession.builder.appName("ExtractEventsJob").getOrCreate()
    if os.environ.get("QUIET"):
        spark.sparkContext.setLogLevel("ERROR")
    raw_events = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", KAFKA)
        .option("subscribe", TOPIC)
        .option("startingOffsets", "earliest")
        .load()
    )

    def start(table, predicate, schema):
        value = raw_events.value.cast("string")
        rows = (
            raw_events.filter(predicate(value))
            .select(
                value.alias("raw_event"),
                raw_events.timestamp.cast("string"),
                from_json(value, schema).alias("json"),
            )
            .select("raw_event", "timestamp", "json.*")
        )
        sink = rows.writeStream.format("parquet").option("path", f"{OUT}/{table}")
        sink = sink.option("checkpointLocation", f"{OUT}/checkpoints_for_{table}")
        if TRIGGER == "availableNow":
            return sink.trigger(availableNow=True).start()
        return sink.trigger(processingTime=TRIGGER).start()

    queries = [
        start("sword_purchases", is_sword_purchase, PURCHASE),
        start("purchases", is_purchase, PURCHASE),
        start("guilds", is_guild, GUILD),
    ]
    print("PEER started", flush=True)
    if TRIGGER == "availableNow":
        for query in queries:
            query.awaitTermination()
        spark.stop()
    else:
        spark.streams.awaitAnyTermination()


if __name__ == "__main__":
    main()

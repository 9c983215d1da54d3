# The door to everything a person does here. `make help` explains.
.PHONY: help demo quick test stack real chaos outages soak image fetch instructions bench bench-chain bench-build bench-drain bench-scale bench-steady bench-flat bench-idle bench-spark bench-spark-drain bench-spark-slope bench-spark-steady
.DEFAULT_GOAL := help

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## The main job with nothing installed: 20,000 events into local Parquet tables
	cargo run -- demo --events 20000

quick: ## The quick inner loop: format, lints, tests without Java
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test --workspace --locked

test: ## All tests, also on real Kafka, HDFS, Hive metastore and Presto (needs a JDK 17 and Maven)
	scripts/test

real: ## Only the tests that need the real servers
	cargo build --locked --tests -p landfall -p landfall-stack
	cargo run -q --locked -p landfall-stack -- run -- scripts/real-tests
	scripts/datanode-tests
	scripts/metastore-tests

chaos: ## An hour of kills, pauses, rebalances, server and network faults; CHAOS_SECONDS says another length
	cargo build --locked --tests -p landfall -p landfall-stack
	cargo run -q --locked -p landfall-stack -- run -- scripts/chaos

outages: bench-build ## Every service dead, frozen and slow, for seconds and for a minute: how long until it goes on; 35 minutes
	cargo build --locked --tests -p landfall -p landfall-stack
	cargo run -q --locked -p landfall-stack -- run -- scripts/outages

soak: bench-build ## The release at 5,000 messages/s for 65 minutes, a service away every few: what stays flat
	cargo build --locked --tests -p landfall -p landfall-stack
	cargo run -q --locked -p landfall-stack -- run -- scripts/soak

stack: ## Real Kafka, HDFS, Hive metastore and Presto to play with, until Ctrl-C
	cargo run -q --locked -p landfall-stack -- up

fetch: ## Only fetch the servers' jars (once; about 0.5 GB)
	cargo run -q --locked -p landfall-stack -- fetch

# The benches measure the release binary on real servers, alone on the machine; ARGS="--events 200000 --turns 1" and the
# like make them smaller, --help tells what there is. Tables go to target/bench. LIMITS_BENCH names the limit bench.
BENCH = cargo run -q --release --locked -p landfall-bench --

bench: bench-chain bench-drain bench-scale bench-steady bench-idle bench-spark ## All of the following but bench-flat; about 40 minutes

bench-build:
	cargo build --release --locked -p landfall

bench-drain: bench-build ## Drain 2,000,000 events to local files and HDFS, on one core and on two
	$(BENCH) drain $(ARGS)

bench-scale: bench-build ## The cost per event by partitions, tables and size of batches
	$(BENCH) scale $(ARGS)

bench-steady: bench-build ## 1,000, 20,000 and 100,000 events/s on HDFS: CPU, memory, lag until visible
	$(BENCH) steady $(ARGS)

bench-flat: bench-build ## 20,000 events/s for 30 minutes: whether memory is flat
	$(BENCH) steady --name flat --rate 20000 --seconds 1800 $(ARGS)

bench-idle: bench-build ## Nothing to read
	$(BENCH) idle $(ARGS)

bench-spark: bench-spark-drain bench-spark-slope bench-spark-steady ## Beside Spark 3.5.7; PySpark is installed below target (320 MB)

bench-spark-drain: bench-build ## Spark's job as its user runs it drains 2,000,000 events
	$(BENCH) spark drain $(ARGS)

bench-spark-slope: bench-build ## Spark at its best, from 2,000,000 to 6,000,000 events
	$(BENCH) spark slope $(ARGS)

bench-spark-steady: bench-build ## Spark at 1,000 events/s
	$(BENCH) spark steady $(ARGS)

bench-chain: ## The chain in process on one thread, with its ratio to a naive one; LIMITS_BENCH names the limit bench
	cargo bench --locked --bench chain

instructions: ## Instructions per event of the chain, compared with benches/instructions.txt (needs valgrind)
	scripts/instructions

image: ## Build the container image and try it against the real servers
	cargo run -q --locked -p landfall-stack -- run -- scripts/image-check

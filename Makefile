# The door to everything a person does here. `make help` explains.
.PHONY: help demo quick test stack real chaos image measure fetch bench instructions
.DEFAULT_GOAL := help

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

chaos: ## An hour of kills, pauses, rebalances, server and network faults; CHAOS_SECONDS says another length
	cargo build --locked --tests -p landfall -p landfall-stack
	cargo run -q --locked -p landfall-stack -- run -- scripts/chaos

stack: ## Real Kafka, HDFS, Hive metastore and Presto to play with, until Ctrl-C
	cargo run -q --locked -p landfall-stack -- up

fetch: ## Only fetch the servers' jars (once; about 0.5 GB)
	cargo run -q --locked -p landfall-stack -- fetch

measure: ## What the release binary costs: idle, at 1,000 events/s, draining (alone on the machine)
	cargo run -q --locked -p landfall-stack -- run -- scripts/measure

bench: ## The chain in process on one thread, with its ratio to a naive one; LIMITS_BENCH names the limit bench
	cargo bench --locked --bench chain

instructions: ## Instructions per event of the chain, compared with benches/instructions.txt (needs valgrind)
	scripts/instructions

image: ## Build the container image and try it against the real servers
	cargo run -q --locked -p landfall-stack -- run -- scripts/image-check

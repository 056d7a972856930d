# What a developer calls. `make test` is what CI runs; both set up what they need.
#   TIDEGATE_CACHE (default ~/.cache/tidegate)   Kafka's jars and the Python packages of the tests
#   KAFKA_LIBS                                   a folder that has Kafka's jars already
#   KAFKA_VERSION                                another Kafka than the newest, with `make e2e`
#   TESTS="-k kill"                              arguments for pytest, with `make e2e`
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help test soak lint unit e2e build demo local bench fmt clean
# The steps of a target run in their order, whatever -j says.
.NOTPARALLEL:

WORKSPACE := --workspace --all-features --locked
# The oldest Kafka that is tested, and with what: all that depends on a broker's answers.
OLD_KAFKA := 3.9.2
OLD_TESTS := $(addprefix test_,$(addsuffix .py,content transactions caps topics times loss login))

help:  ## what there is
	@grep -E '^[a-z0-9-]+: *.*## ' $(MAKEFILE_LIST) | sed -E 's/: .*## /\t/; s/:  ## /\t/' \
		| awk -F '\t' '{ printf "  make %-8s %s\n", $$1, $$2 }'

test: lint unit e2e  ## every test, at a size for every change (half an hour warm on 2 cores)

soak: export SCALE = full
soak: lint unit e2e  ## the same tests at full size, before a release (hours)
	cd tests && KAFKA_VERSION=$(OLD_KAFKA) "$$(./setup.sh)" -m pytest $(OLD_TESTS)

lint:  ## formats, lints, licences, templates: all without a broker
	cargo fmt --all --check
	cargo clippy $(WORKSPACE) --all-targets -- -D warnings
	python3 tests/checks/licences.py
	tests/checks/templates.sh
	python="$$(tests/setup.sh)"; "$$python" -m ruff check .; "$$python" -m ruff format --check .

unit:  ## Rust tests: unit, property and golden ones, the simulation, the contract suite
	cargo test $(WORKSPACE)

e2e: build  ## end to end: the release binary, and the functions on a local AWS, with a real Kafka broker
	cd tests && "$$(./setup.sh)" -m pytest $(TESTS)

build:  ## the release binary
	cargo build --release --locked

demo:  ## a tour with nothing installed
	cargo run --release --locked -- demo

local:  ## the deployment on this machine: Kafka, a local AWS, sam deploy, records, files; until Ctrl-C
	cd tests && exec "$$(./setup.sh)" -m aws.local

bench: build  ## speed and memory, beside what they are measured against (BENCH_GB=2)
	"$$(tests/setup.sh)" benches/copy_topic.py

fmt:  ## formats Rust and Python
	cargo fmt --all
	python="$$(tests/setup.sh)"; "$$python" -m ruff format .; "$$python" -m ruff check --fix .

clean:  ## removes what was built (not the cache)
	cargo clean
	rm -rf tests/.pytest_cache .ruff_cache

# What there is to do here: `make`.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Rounds of the kill loop, which ends a daemon under load with SIGKILL: `make test KILL_ROUNDS=1000`.
KILL_ROUNDS ?= 100
# `make deny DENY="licenses bans sources"` does without the network, which advisories come over.
DENY ?= advisories bans licenses sources

# How long processes in all languages share sessions while they are killed, in seconds.
CLIENT_SECONDS ?= 30
# The clients with a Makefile of their own, and what each language is run with.
CLIENTS := $(patsubst client/%/Makefile,%,$(wildcard client/*/Makefile))
RUN_python := python3
RUN_typescript := node
RUN_go := go
MISSING := $(strip $(foreach client,$(CLIENTS),$(if $(shell command -v $(RUN_$(client))),,$(client))))
PRESENT := $(filter-out $(MISSING),$(CLIENTS))

export SESSIOND_KILL_ROUNDS := $(KILL_ROUNDS)
export SESSIOND_CLIENT_SECONDS := $(CLIENT_SECONDS)
export SESSIOND_TEST_CLIENTS ?= $(CURDIR)/.clients
export SESSIOND_TEST_WITHOUT := $(MISSING)
# The daemon that `cargo test` builds.
export SESSIOND_BIN ?= $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/debug/sessiond
export SESSIOND_TEST_TELETHON := $(CURDIR)/.venvs
export SESSIOND_TEST_LIBRARIES := $(CURDIR)/.libraries
# The program on grammers that tests/grammers builds.
export SESSIOND_TEST_GRAMMERS := $(CURDIR)/target/debug/recipe

BUF := tools/buf/node_modules/.bin/buf
ACCEPTED := proto/accepted.txtpb

.PHONY: help
help: ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## Build the daemon: target/release/sessiond
	cargo build --locked --release --package sessiond

.PHONY: man
man: ## Write the man pages: target/man
	cargo run --locked --quiet --package sessiond -- man target/man

.PHONY: test
test: lint libraries clients ## Run everything that has to pass, and install what that needs
	cargo test --locked --workspace --all-features
	cargo test --locked --manifest-path tests/grammers/Cargo.toml --target-dir target
	$(call each-client,test)
	$(MAKE) --no-print-directory stubs

# Makes a target of each client's own Makefile.
each-client = @for client in $(PRESENT); do $(MAKE) --no-print-directory -C client/$$client $(1) || exit 1; done

.PHONY: languages
languages:
	@for client in $(MISSING); do echo "client/$$client is left out: what runs its language is not installed here" >&2; done
	@if [ "$${CI:-}" = true ] && [ -n "$(MISSING)" ]; then exit 1; fi

.PHONY: clients
clients: languages ## Install the clients of other languages as users get them, and their drivers: .clients/
	$(call each-client,install INTO="$$SESSIOND_TEST_CLIENTS")

.PHONY: gen
gen: languages ## Generate the code of the clients from the schema
	$(call each-client,gen)

.PHONY: drift
drift: languages ## Check that the generated code is what the schema makes
	$(call each-client,drift)

.PHONY: bench
bench: build ## Measure everything, on a machine that does nothing else: docs/bench/
	cargo run --locked --release --package sessiond-bench -- --out docs/bench \
	    --venvs "$$SESSIOND_TEST_TELETHON" --clients "$$SESSIOND_TEST_CLIENTS"
	@# What follows the mark in the document is the table of the last run.
	sed -i '/^<!-- docs\/bench\/table.md/q' docs/performance.md
	{ echo; cat docs/bench/table.md; } >> docs/performance.md
	@# The README has the bars alone.
	sed -i -e '/^<!-- bars/,/^<!-- end of bars/{//!d}' -e '/^<!-- bars/r /dev/stdin' README.md \
	    < <(awk 'BEGIN { print "" } /^\| what/ { exit } { print }' docs/bench/table.md)

.PHONY: bench-clients
bench-clients: build clients ## Measure Advance through the clients of other languages
	cargo run --locked --release --package sessiond-bench -- --only clients --clients "$$SESSIOND_TEST_CLIENTS"

# Where the programs are built that play grammers and gotd.
KEEPERS := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/release

.PHONY: bench-adapters
bench-adapters: build libraries clients ## Measure the adapters beside the libraries' own files
	$(MAKE) --no-print-directory -C client/python package
	cargo build --locked --release --manifest-path tests/grammers/Cargo.toml --bin keeper --target-dir "$(dir $(KEEPERS))"
	cargo build --locked --release --manifest-path tests/formats/rust/Cargo.toml --bin grammers_keeper --target-dir "$(dir $(KEEPERS))"
	! command -v go > /dev/null || go -C client/go/gotd build -o "$(KEEPERS)/gotd-cost" ./internal/cost
	SESSIOND_BIN="$(KEEPERS)/sessiond" SESSIOND_KEEPERS="$(KEEPERS)" benches/adapters.py

.PHONY: bench-import
bench-import: build ## Measure the import of 1,000 files, and of 100,000 peers
	cargo run --locked --release --package sessiond-bench -- --only import

.PHONY: bench-quick
bench-quick: build ## Measure the most of it in less than two minutes
	cargo run --locked --release --package sessiond-bench -- --quick

.PHONY: lint
lint: schema drift ## Check format, lints, documentation, the schema and what is generated from it
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo fmt --manifest-path tests/grammers/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir target -- -D warnings
	cargo clippy --locked --manifest-path tests/grammers/Cargo.toml --all-targets --target-dir target -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --no-deps --document-private-items
	$(call each-client,lint)

.PHONY: schema
schema: $(BUF) ## Check the schema: its rules, and that it breaks no client
	$(BUF) lint
	$(BUF) breaking --against $(ACCEPTED)
	@if ! cmp --quiet <($(BUF) build --exclude-source-info -o -) <($(BUF) build $(ACCEPTED) -o -); then \
	    echo "$(ACCEPTED) is not the schema as it is now: run 'make accept-schema' and commit it" >&2; exit 1; fi

.PHONY: accept-schema
accept-schema: $(BUF) ## Record the schema as what clients may rely on from now on
	$(BUF) lint
	if [ -e $(ACCEPTED) ]; then $(BUF) breaking --against $(ACCEPTED); fi
	$(BUF) build --exclude-source-info -o $(ACCEPTED)

.PHONY: venvs
venvs: ## Make the Python environments of the tests with real Telethon: .venvs/
	@python3 -c 'import ensurepip, venv' || { \
	    echo "python3 cannot make virtual environments here; on Debian: apt-get install python3-venv" >&2; exit 1; }
	tests/telethon/venvs.sh "$$SESSIOND_TEST_TELETHON"

.PHONY: libraries
libraries: venvs ## Install the libraries whose formats are tested: .libraries/
	tests/formats/install.sh "$$SESSIOND_TEST_LIBRARIES"

.PHONY: stubs
stubs: ## Run the examples for other languages: docs/stubs.md
	cargo build --locked --quiet --package sessiond
	tests/stubs/run.sh "$${CARGO_TARGET_DIR:-target}/debug/sessiond" .stubs

.PHONY: deny
deny: ## Check licences, bans and known faults of the dependencies
	@command -v cargo-deny >/dev/null || { \
	    echo "cargo-deny is missing; to install it: cargo install --locked cargo-deny" >&2; exit 1; }
	cargo deny --locked check $(DENY)

# Not `npm ci`: it wants every platform's buf in the lock file, and registries may serve this platform's alone.
# The version is exact all the same, and what the lock file has is checked against its digest.
$(BUF): tools/buf/package.json tools/buf/package-lock.json tools/buf/.npmrc
	cd tools/buf && npm install --no-save --ignore-scripts
	touch $@

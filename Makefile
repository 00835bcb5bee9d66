# make demo    a seeder and a download on loopback
# make build   the program, in target/release/brooklet
# make test    everything, with real clients and trackers (installs them, needs root for network namespaces)
# make check   format, lints, documentation, rules of the house
# make ci      check and test
# make golden  rewrites the golden transcripts; read the diff before committing it

MAKEFLAGS += --no-print-directory
target := $(or $(CARGO_TARGET_DIR),target)
# Tests hash a lot: dependencies are optimised, our own code a little, all its assertions and overflow checks are kept.
tested := --config 'profile.dev.opt-level=1' --config 'profile.dev.package."*".opt-level=3'
# Most tests wait for others most of the time.
export RUST_TEST_THREADS ?= 4

.PHONY: build demo test check ci golden clean

build:
	cargo build --release --locked

demo: build
	@tests/demo.sh $(target)/release/brooklet

test:
	tests/setup.sh
	cargo test --locked --no-fail-fast $(tested)

check:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
	cargo test --locked $(tested) --test tidy

ci: check test

golden:
	GOLDEN=write cargo test --locked $(tested) --test transcripts
	GOLDEN=write cargo test --locked $(tested) --test docs

clean:
	cargo clean

# make demo    a seeder and a download on loopback
# make build   the program, in target/release/brooklet
# make install   puts it in PREFIX/bin (PREFIX=/usr/local; DESTDIR stands before that)
# make test    everything, with real clients and trackers (installs them, needs root for network
#              namespaces); ends with a list of what could not run
# make test-newer   encryption with the rtorrent of Debian's unstable suite, which is fetched into target/newer/rtorrent (needs root)
# make check   format, lints, documentation, rules of the house
# make ci      check and test, and the size of the program
# make size    the program's size, without and with https, within its bounds
# make fresh   make ci on a new Debian 13 in a folder (needs root, debootstrap and the network); it
#              takes as long as make ci, a download of the system and a build from nothing together
# make bench   brooklet and other clients side by side (needs root; ARGS="--only download" and others, see ARGS=--help; RQBIT=1 builds
#              rqbit for it); the tables on standard output, the same as JSON in target/bench/bench.json; without ARGS the last table is
#              that of a thousand idle seeds in one process
# make bench-quick   the core of it in two minutes
# make bench-check   check against OpenSSL's SHA-1 (GIB=10 for other sizes)
# make bench-size    bytes of the binary by crate, and what building it from nothing takes
# make bench-many   what a thousand idle seeds in one process need (COUNT, PIECE in the environment; BESIDE=--beside: and in other
#              clients; NEWER=1: also in the Transmission of Debian 13, which is fetched into target/bench/transmission)
# make bench-magnet   downloads by hash alone from a DHT, by brooklet and by other clients (needs root; ARGS=--help;
#              RQBIT=1 builds rqbit for it)
# make bench-churn   memory of one process while torrents and peers come and go (MINUTES in the environment; needs python3-libtorrent)
# make bench-slow   a leecher served while a download saturates a disk of 5 MB/s (SEEDS, SECONDS, RATE, MEMORY in the environment)
# make bench-utp   downloads over uTP alone: brooklet, libtorrent and Transmission, each with itself and with brooklet (needs root;
#              ARGS=--help)
# make sweep   simulated swarms of every scenario with 500 seeds each, on all cores: about an hour (SEEDS=20 for fewer, FROM=1000 to
#              begin elsewhere, ONLY=churn,breaks for some scenarios, LAX=1 to look at fewer turns of the sessions, in half the time); a
#              line each, as in testdata/swarm/table.txt
# make crowd   simulated swarms of 100 and of 1,000 clients
# make dht-world   simulated DHTs of 5,000 nodes with a thousand lookups each, as in testdata/dht/table.txt: some minutes; make test has
#              one of them with fewer lookups
# make fuzz    TARGET=wire SECONDS=60: fuzzes one target (tests/fuzz/Cargo.toml) for so long; needs a C++ compiler, installs cargo-fuzz
# make coverage   lines of each folder that the tests run, and those of the deciding ones that they do not; installs cargo-llvm-cov
# make golden  rewrites the golden transcripts and the table of swarms; read the diff before committing it

MAKEFLAGS += --no-print-directory
target := $(or $(CARGO_TARGET_DIR),target)
# Tests hash a lot: dependencies are optimised, our own code a little, all its assertions and overflow checks are kept.
# The feature adds faults of the disk that tests make to order; the program that is released has none.
tested := --features faults --config 'profile.dev.opt-level=1' --config 'profile.dev.package."*".opt-level=3'
# Most tests wait for others most of the time.
export RUST_TEST_THREADS ?= 4

.PHONY: build install fresh demo test check ci size bench bench-quick sweep crowd dht-world golden clean

program := $(target)/release/brooklet
PREFIX ?= /usr/local

build:
	cargo build --release --locked
	@echo "The program is $(program); make install puts it in $(PREFIX)/bin."

# What is built already is only copied: the user who may write there need not have a compiler.
install:
	@test -f $(program) || $(MAKE) build
	@install -D -m 755 $(program) "$(DESTDIR)$(PREFIX)/bin/brooklet"
	@echo "The program is $(DESTDIR)$(PREFIX)/bin/brooklet; 'brooklet help' says what it can do."

demo: build
	@tests/demo.sh $(target)/release/brooklet

skipped := $(abspath $(target))/skipped
test:
	tests/setup.sh
	@rm -f $(skipped)
	SKIPPED=$(skipped) cargo test --locked --no-fail-fast $(tested); code=$$?; \
	  SKIPPED=$(skipped) cargo test --locked --no-fail-fast $(tested) --features https --lib --test https || code=1; \
	  if [ -s $(skipped) ]; then echo "could not run here:"; sort -u $(skipped); fi; exit $$code

# Lints that clippy of Rust 1.85 has among its usual ones and later ones have not, so that both find the same.
lints := -A unknown_lints -D clippy::format_collect -D clippy::precedence_bits -D clippy::match_bool

# What is fuzzed with is a crate of its own. To read it through, libFuzzer need not be built: nothing is linked.
check:
	cargo fmt --check
	cargo clippy --locked --all-targets --features faults -- -D warnings $(lints)
	cargo clippy --locked -- -D warnings $(lints)
	cargo clippy --locked --features https --lib --bins --test https -- -D warnings $(lints)
	cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
	CUSTOM_LIBFUZZER_PATH=./none.a cargo clippy --locked --manifest-path tests/fuzz/Cargo.toml --all-targets \
	  --target-dir $(target)/fuzz/lint -- -D warnings $(lints)
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
	cargo test --locked $(tested) --test tidy

ci: check test size

size:
	@tests/size.sh

fresh:
	@tests/fresh.sh

.PHONY: test-newer
test-newer:
	tests/newer.sh sid rtorrent $(target)/newer/rtorrent
	NEWER_RTORRENT=$(abspath $(target))/newer/rtorrent/rtorrent cargo test --locked $(tested) --test encryption rtorrent -- --include-ignored

# The newer Transmission beside which the bench may run.
newer := $(if $(NEWER),$(abspath $(target))/bench/transmission/transmission-daemon)
ifneq ($(newer),)
$(newer):
	tests/newer.sh trixie transmission-daemon $(dir $@)
endif

# Building the bench builds another brooklet over the one of the release profile, so that is put aside.
bench: build $(newer)
	RQBIT=$(RQBIT) tests/bench/setup.sh
	mkdir -p $(target)/bench
	cp $(target)/release/brooklet $(target)/bench/brooklet
	@cargo bench --locked --bench side -- --brooklet $(target)/bench/brooklet $(ARGS)
	@$(if $(ARGS),,NEWER_TRANSMISSION=$(newer) tests/bench/many.py --beside $(target)/bench/brooklet)

bench-quick: override ARGS := --quick $(ARGS)
bench-quick: bench

# As fast as it can be without the slow link of a release, with overflow checks. A run that fails says how to repeat it.
swept := --config profile.release.lto=false --config profile.release.codegen-units=16 --config profile.release.overflow-checks=true
sweep:
	@cargo test --release --locked $(swept) --test swarm sweep -- --ignored --nocapture --exact

dht-world:
	@cargo test --release --locked $(swept) --test dht large_worlds -- --ignored --nocapture --exact

crowd:
	@cargo test --release --locked $(swept) --test swarm crowds -- --ignored --nocapture --exact

golden:
	GOLDEN=write cargo test --locked $(tested) --test transcripts
	GOLDEN=write cargo test --locked $(tested) --test docs
	GOLDEN=write cargo test --locked $(tested) --test swarm
	GOLDEN=write cargo test --locked $(tested) --test dht

clean:
	cargo clean

.PHONY: bench-check bench-size
bench-check: build
	@tests/bench/check.sh $(target)/release/brooklet

bench-size:
	@tests/bench/size.sh

.PHONY: bench-many
bench-many: build $(newer)
	@NEWER_TRANSMISSION=$(newer) tests/bench/many.py $(BESIDE) $(target)/release/brooklet $(COUNT) $(PIECE)

.PHONY: bench-magnet
bench-magnet: build
	RQBIT=$(RQBIT) tests/bench/setup.sh
	@tests/bench/magnet.py $(target)/release/brooklet $(ARGS)

.PHONY: bench-churn
bench-churn: build
	@/usr/bin/python3 tests/bench/churn.py $(target)/release/brooklet $(MINUTES)

.PHONY: bench-utp
bench-utp: build
	tests/bench/setup.sh
	@tests/bench/utp.py $(target)/release/brooklet $(ARGS)

.PHONY: bench-slow
bench-slow:
	cargo build --release --locked --features faults --target-dir $(target)/faults
	@tests/bench/slow_disk.py $(target)/faults/release/brooklet

# Fuzzing needs a C++ compiler and cargo-fuzz, which is installed into the target folder if it is not there. The corpus begins with seeds of
# testdata/, and grows from run to run.
.PHONY: fuzz fuzz-corpus
fuzz: corpus := $(target)/fuzz/corpus/$(TARGET)
fuzz: dictionary := $(wildcard tests/fuzz/dictionaries/$(TARGET).dict)
fuzz: fuzz-corpus
	mkdir -p $(target)/fuzz/found
	PATH="$(abspath $(target))/tools/bin:$$PATH" cargo fuzz run -s none --fuzz-dir tests/fuzz --target-dir $(abspath $(target))/fuzz/build \
	  $(TARGET) $(abspath $(corpus)) -- -max_total_time=$(or $(SECONDS),60) -timeout=60 -print_final_stats=1 \
	  -artifact_prefix=$(abspath $(target))/fuzz/found/$(TARGET)- $(addprefix -dict=,$(abspath $(dictionary)))

fuzz-corpus:
	@test -n "$(TARGET)" || { echo "make fuzz: TARGET=$$(ls tests/fuzz/targets | sed 's/\.rs$$//' | paste -sd '|')" >&2; exit 2; }
	@tests/fuzz/setup.sh
	cargo run --locked --quiet --manifest-path tests/fuzz/Cargo.toml --target-dir $(target)/fuzz/build --example seeds -- \
	  $(target)/fuzz/corpus

# Lines covered by the tests, by folder and file, and those that are not. Needs cargo-llvm-cov and the LLVM tools of rustc's version: both
# are installed if they are not there.
.PHONY: coverage
coverage:
	@tests/coverage.sh $(tested)

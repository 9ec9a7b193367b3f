# `make run` and `make test` work on a fresh machine with a Rust toolchain and gcc. README.md shows the cargo
# commands that they run.

CARGO ?= cargo
# In CI the lock file is part of what is tested.
LOCKED := $(if $(CI),--locked)

# The binary for libFuzzer is only checked here, never linked, so its C++ part need not be compiled. Any path
# will do.
NO_LIBFUZZER := CUSTOM_LIBFUZZER_PATH=/none

.PHONY: help run run-cluster test count package

# $(call step,what is done,how,what to do when it fails)
define step
@echo "==> $(1)"
@$(2) || { echo "make $@: FAILED: $(1). $(3)" >&2; exit 1; }
endef

help:
	@echo "make run      build the gateway and run it on gateway.toml"
	@echo "make run-cluster   run three gateways that share a Redis server, until Ctrl-C"
	@echo "make package  build the Debian package and the bill of materials into target/package"
	@echo "make test     everything that must pass: format, lints, documentation, tests"
	@echo "make count    the work of a request, counted in the release binary and compared with the recorded counts"

# pingora builds zlib-ng, which needs cmake and a C compiler.
run:
	@sh .ci/need cargo cc cmake
	$(call step,building the gateway (the first time takes some minutes),$(CARGO) build $(LOCKED) --release,The reason stands above.)
	@echo "==> running it on gateway.toml"
	@exec "$${CARGO_TARGET_DIR:-target}/release/tollgate" --config gateway.toml

# One server and three gateways on the loopback interface.
run-cluster:
	@sh .ci/need cargo cc cmake redis-server
	$(call step,building the gateway (the first time takes some minutes),$(CARGO) build $(LOCKED) --release,The reason stands above.)
	@exec packaging/cluster/run "$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/tollgate"

# The tests act as clients: they run curl, and kill to send signals. Those of the console run Chromium, and
# look at its pages with axe-core, which they fetch from npm.
#
# Most of the time goes into compiling, so the steps share what they build. The lints and the documentation
# check one graph of dependencies: `doc --examples` takes the features of the dev-dependencies into account,
# as `--all-targets` does, and naming the benchmark gives the plugin alone the features that the whole
# workspace has. All tests build another graph, those of the plugin alone included (see the dev-dependencies).
# Only the feature sets, which are checked as users get them, have graphs of their own.
test:
	@sh .ci/need cargo cc cmake curl kill chromium chromedriver npm pebble redis-server redis-cli 'valkey-server?'
	$(call step,rustfmt and clippy,$(CARGO) fmt --version && $(CARGO) clippy --version || rustup component add rustfmt clippy,The toolchain lacks them and rustup did not add them.)
	$(call step,format,$(CARGO) fmt --all --check,Run 'cargo fmt --all'.)
	$(call step,lints,$(NO_LIBFUZZER) $(CARGO) clippy $(LOCKED) --workspace --all-features --all-targets -- -D warnings,The warnings stand above.)
	$(call step,lints of the plugin alone,$(CARGO) clippy $(LOCKED) -p tollgate -p tollgate-bench --no-default-features --all-targets -- -D warnings,The warnings stand above.)
	$(call step,lints in each feature set,CARGO="$(CARGO)" LOCKED="$(LOCKED)" tests/consumer/check,The warnings stand above.)
	$(call step,documentation,$(NO_LIBFUZZER) RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --workspace --all-features --no-deps --lib --examples,The warnings stand above.)
	$(call step,tests,$(CARGO) test $(LOCKED) -p tollgate -p tollgate-fuzz-targets --all-features --tests,The failures stand above.)
	$(call step,tests in the documentation,$(CARGO) test $(LOCKED) --all-features --doc,The failures stand above.)
	$(call step,tests of the plugin alone,$(CARGO) test $(LOCKED) --no-default-features --lib,The failures stand above.)
	$(call step,OAuth clients that others wrote,CARGO="$(CARGO)" LOCKED="$(LOCKED)" tests/clients/run,The failures stand above.)
	@echo "==> all good"

# The counts are those of the binary that `make run` builds, so it needs no profile of its own.
count:
	@sh .ci/need cargo cc cmake valgrind python3
	$(call step,building the gateway (the first time takes some minutes),$(CARGO) build $(LOCKED) --release,The reason stands above.)
	$(call step,instructions per request,benches/count/run --tollgate "$${CARGO_TARGET_DIR:-target}/release/tollgate",If the growth is intended record the new counts: benches/count/run --record.)

# `tests/packaging/run` tries the result in a Debian system of its own.
package:
	@CARGO="$(CARGO)" packaging/package

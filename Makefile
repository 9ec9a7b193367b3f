# `make run` and `make test`, from a fresh machine with a Rust toolchain and gcc. The cargo commands that they run
# stand in README.md, too.

CARGO ?= cargo
# In CI the lock file is part of what is tested.
LOCKED := $(if $(CI),--locked)

.PHONY: help run test

# $(call step,what is done,how,what to do when it fails)
define step
@echo "==> $(1)"
@$(2) || { echo "make $@: FAILED: $(1). $(3)" >&2; exit 1; }
endef

help:
	@echo "make run    build the gateway and run it on gateway.toml"
	@echo "make test   everything that must pass: format, lints, documentation, tests"

# pingora builds zlib-ng, which wants cmake and a C compiler.
run:
	@sh .ci/need cargo cc cmake
	$(call step,building the gateway (the first time takes some minutes),$(CARGO) build $(LOCKED) --release,The reason stands above.)
	@echo "==> running it on gateway.toml"
	@exec "$${CARGO_TARGET_DIR:-target}/release/tollgate" --config gateway.toml

# The tests are clients, too: they run curl, and kill to send signals.
test:
	@sh .ci/need cargo cc cmake curl kill
	$(call step,rustfmt and clippy,$(CARGO) fmt --version && $(CARGO) clippy --version || rustup component add rustfmt clippy,The toolchain lacks them and rustup did not add them.)
	$(call step,format,$(CARGO) fmt --check,Run 'cargo fmt'.)
	$(call step,lints,$(CARGO) clippy $(LOCKED) --all-features --all-targets -- -D warnings,The warnings stand above.)
	$(call step,lints of the plugin alone,$(CARGO) clippy $(LOCKED) --no-default-features --lib -- -D warnings,The warnings stand above.)
	$(call step,documentation,RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --all-features --no-deps,The warnings stand above.)
	$(call step,tests,$(CARGO) test $(LOCKED) --all-features,The failures stand above.)
	$(call step,tests of the plugin alone,$(CARGO) test $(LOCKED) --no-default-features --lib,The failures stand above.)
	$(call step,OAuth clients that others wrote,CARGO="$(CARGO)" LOCKED="$(LOCKED)" tests/clients/run,The failures stand above.)
	@echo "==> all good"

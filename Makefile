# make check     format, lints of every feature set, documentation, dependency rules, the recorded public API
# make api       records the public API anew (docs/public-api.txt)
# make test      sets up what the tests run against (tools/setup.sh says what and where), then runs them
# make bench     the benchmarks, with the executable of a release
# make release   dist/notation-kms_VERSION_linux_amd64.tar.gz and its checksum

# One cache folder for the set-up and for the tests that look components up in it.
export NOTATION_SDK_CACHE := $(or $(NOTATION_SDK_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/notation-sdk)
# Every test that is skipped for want of a component writes a line here.
skipped := $(abspath $(or $(CARGO_TARGET_DIR),target))/skipped-tests.txt

CLIPPY := cargo clippy --locked --all-targets
DENY_WARNINGS := -- -D warnings

.PHONY: check fmt clippy doc deny setup-check public-api api test bench executable release

check: fmt clippy doc deny public-api

fmt:
	cargo fmt --check

clippy:
	$(CLIPPY) --no-default-features $(DENY_WARNINGS)
	$(CLIPPY) --no-default-features --features aws $(DENY_WARNINGS)
	$(CLIPPY) --no-default-features --features net $(DENY_WARNINGS)
	$(CLIPPY) --no-default-features --features testing $(DENY_WARNINGS)
	$(CLIPPY) $(DENY_WARNINGS)
	$(CLIPPY) --all-features $(DENY_WARNINGS)

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features

setup-check:
	tools/setup.sh check

public-api: setup-check
	tools/public-api.sh check

api: setup-check
	tools/public-api.sh write

deny: setup-check
	@if [ -e "$$NOTATION_SDK_CACHE/missing/cargo-deny" ]; then \
		echo "skipped: cargo deny: $$(cat "$$NOTATION_SDK_CACHE/missing/cargo-deny")"; \
	else \
		"$$NOTATION_SDK_CACHE/tools/bin/cargo-deny" --locked check bans licenses sources; \
	fi

test:
	tools/setup.sh test
	@rm -f $(skipped)
	@NOTATION_SDK_SKIPPED=$(skipped) cargo test --locked --all-features; result=$$?; \
	if [ -s $(skipped) ]; then \
		echo "$$(wc -l < $(skipped)) tests were skipped:"; sort $(skipped); \
	fi; \
	exit $$result

# The oldest glibc and the platform that a release is for, and where its executable is.
glibc := 2.17
target := x86_64-unknown-linux-gnu
built := $(abspath $(or $(CARGO_TARGET_DIR),target))/$(target)/release

# What is measured is the executable of a release.
bench: executable
	tools/setup.sh test
	NOTATION_KMS=$(built)/notation-kms \
		cargo bench --locked --all-features --bench envelope --bench process --bench registry --bench revocation

# For x86_64 with glibc 2.17 of 2012 or later, linked by zig, and linked twice: first with its symbols, to trace the commands
# of every day, then with the functions that they enter placed together. The builder's folders stay out of it.
executable: remap = --remap-path-prefix=$(CURDIR)=. --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo
executable: zigbuild = PATH="$$NOTATION_SDK_CACHE/release/bin:$$PATH" RUSTFLAGS="$(remap)" CARGO_PROFILE_RELEASE_STRIP=none cargo-zigbuild
executable: options = --locked --release --bin notation-kms --target $(target).$(glibc)
executable:
	tools/setup.sh release
	$(zigbuild) zigbuild $(options)
	order=$$(tools/startup-order.py $(built)/notation-kms target) && \
		$(zigbuild) rustc $(options) -- -C link-arg=-Wl,-T,$$order -C strip=symbols
	tools/check-release.sh $(built)/notation-kms $(glibc)

# The files stand at the root of the archive, where `notation plugin install --file` looks.
release: version = $(shell cargo pkgid | sed 's/.*[\#@]//')
release: archive = notation-kms_$(version)_linux_amd64.tar.gz
release: executable
	mkdir -p dist
	rm -f dist/$(archive) dist/SHA256SUMS
	tar --create --file dist/$(archive) --use-compress-program='gzip -9n' --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w \
		--mtime="@$$(git log -1 --format=%ct)" \
		-C $(built) notation-kms -C $(CURDIR) LICENSE
	cd dist && sha256sum $(archive) > SHA256SUMS && cat SHA256SUMS

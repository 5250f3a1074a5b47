# The front door of this checkout. ARGS passes options on: make run ARGS="--http 127.0.0.1:8080"

PYTHON ?= python3
BIN := .venv/bin
DEBIAN := sh tests/support/setup-debian.sh
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Each of the many processes that tests start would else compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE
# Much of what the tests do is to wait for other programs: one more than there are processors.
PYTEST := $(BIN)/python -m pytest -n $(shell expr $$(nproc) + 1) --dist loadfile

# What the tests and the benchmark drive: a program, and Debian's package of it.
PROGRAMS := curl=curl openssl=openssl docker-registry=docker-registry \
    dockerd=docker.io docker=docker.io containerd=containerd ctr=containerd runc=runc \
    podman=podman skopeo=skopeo nginx=nginx wrk=wrk tinyproxy=tinyproxy-bin \
    chromium=chromium chromedriver=chromium-driver prometheus=prometheus promtool=prometheus \
    faketime=faketime pebble=pebble pebble-challtestsrv=pebble

# What the packages are tried with.
PACKAGE_PROGRAMS := debootstrap=debootstrap lintian=lintian mandoc=mandoc \
    podman=podman systemd-analyze=systemd systemd-nspawn=systemd-container zsh=zsh fish=fish

.PHONY: help run demo test ways coverage lint fmt crash fuzz bench man deb package-test docs clean

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: .venv/installed ## Start the daemon: plain HTTP on 127.0.0.1:5000, upstream Docker Hub
	@exec $(BIN)/hubmirror serve $(ARGS)

demo: .venv/installed ## Pull an image through the mirror from an embedded Hub, step by step
	@exec $(BIN)/hubmirror demo $(ARGS)

test: lint ## Lint, types, unit and integration tests (installs what they need)
	@$(DEBIAN) $(PROGRAMS)
	$(PYTEST) $(ARGS)

ways: .venv/tools ## The suites of rights and quota, plain and TLS, each with one process and four
	@$(DEBIAN) $(PROGRAMS)
	ALL_WAYS=1 $(PYTEST) tests/integration/test_rights.py tests/integration/test_quota.py $(ARGS)

coverage: .venv/tools ## The unit tests, and what of the code they run, with a floor
	$(PYTEST) --cov --ignore tests/integration $(ARGS)

lint: .venv/tools ## Check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

fmt: .venv/tools ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

crash: .venv/tools ## Kill the daemon under load 200 times, or CRASH_ROUNDS=N
	@$(DEBIAN) $(PROGRAMS)
	CRASH_ROUNDS=$${CRASH_ROUNDS:-200} $(BIN)/python -m pytest tests/integration/test_crash.py $(ARGS)

# ARGS may name targets, and the engine: see tests/fuzz/engines.py.
fuzz: .venv/tools ## Feed hostile input to all that parses, for 300 seconds or FUZZ_SECONDS=N
	$(BIN)/python -m tests.fuzz --seconds $${FUZZ_SECONDS:-300} $(ARGS)

# ROW may name several; CHECK=1 compares with the last committed results.
bench: .venv/tools ## Measure against nginx, docker-registry and direct, or ROW=NAME, CHECK=1
	@$(DEBIAN) $(PROGRAMS)
	$(BIN)/python -m bench $(ROW:%=--row %) $(ROUNDS:%=--rounds %) $(if $(CHECK),--check) $(ARGS)

man: .venv/installed ## Write the manual pages and what shells complete by into build/man/
	$(BIN)/python -m hubmirror.cli.describing build/man

deb: .venv/packaging ## Build a wheel, a source distribution and a Debian package into dist/
	@/usr/bin/python3 -c 'import ensurepip' 2>/dev/null || $(DEBIAN) python3-venv
	@$(DEBIAN) dpkg-buildpackage=dpkg-dev dh=debhelper
	sh packaging/deb.sh

package-test: deb ## Build the packages, and try each on a clean system
	@$(DEBIAN) $(PACKAGE_PROGRAMS)
	$(BIN)/python -m pytest tests/packaging $(ARGS)

docs: .venv/docs ## Build the documentation's site into build/site
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(BIN)/mkdocs build --quiet --strict

clean: ## Remove what these targets made
	rm -rf .venv build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .schemathesis

.venv/bin/pip:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(DEBIAN) python3-venv
	$(PYTHON) -m venv .venv

# Editable: the checkout itself runs, so only new dependencies need another installation. twistd
# finds a plugin of an editable installation in compat mode alone.
INSTALL := $(BIN)/pip install --quiet --config-settings editable_mode=compat --editable

.venv/installed: .venv/bin/pip pyproject.toml setup.py
	$(INSTALL) .
	@touch $@

.venv/tools: .venv/bin/pip pyproject.toml setup.py
	$(INSTALL) '.[test]'
	@touch .venv/installed $@

.venv/docs: .venv/bin/pip pyproject.toml setup.py
	$(INSTALL) '.[docs]'
	@touch .venv/installed $@

.venv/packaging: .venv/tools
	$(INSTALL) '.[package]'
	@touch $@

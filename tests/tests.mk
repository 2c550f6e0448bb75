# SPDX-License-Identifier: GPL-2.0-or-later
# How tests, fuzzers, benchmarks and the demo are built and run.

# cmocka's --wrap functions have no prototypes, and its values lose const.
$(BUILD)/tests/%.o: OBJ_CFLAGS = -Wno-missing-prototypes -Wno-cast-qual -Wno-format-truncation

# --- sanitizers and foreign processes -----------------------------------------------------------
# Our programs carry the sanitizers themselves. Of the modules that a foreign program loads:
# - pam_devtrust.so is built with UBSan alone, its runtime linked in (see the Makefile), and works in
#   sshd, su and sudo as it is. ASan watches the same sources in the unit tests.
# - rlm_devtrust.so has them all. radiusd gets the runtime by LD_PRELOAD, and before it a shim
#   against RTLD_DEEPBIND. Tests start radiusd with LD_PRELOAD="$DEVTRUST_PRELOAD", and nothing
#   else: their own ASAN_OPTIONS are already there.
ifneq ($(findstring address,$(SAN)),)
SAN_SHIM := $(BUILD)/tests/lib/dlopen_shim.so
# libgnutls comes with libcurl. It is preloaded as well because its constructor waits for ever on one
# of glibc's own locks when it is opened later in a process that libasan was preloaded into.
SAN_PRELOAD = $(abspath $(SAN_SHIM)) $(shell $(CC) -print-file-name=libasan.so) \
	$(shell $(CC) -print-file-name=libgnutls.so.30)
endif

$(BUILD)/tests/lib/dlopen_shim.so: tests/lib/dlopen_shim.c $(BUILD)/flags
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -fPIC $(WARNINGS) -Wno-missing-prototypes -O2 -D_GNU_SOURCE -o $@ $<

SECURITY_KEY := $(BUILD)/tests/lib/security_key.so

$(SECURITY_KEY): tests/lib/security_key.c $(BUILD)/flags
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -fPIC $(WARNINGS) -O2 -D_GNU_SOURCE -o $@ $< -lcrypto

NSS_ALIAS := $(BUILD)/tests/lib/nss_alias.so

$(NSS_ALIAS): tests/lib/nss_alias.c $(BUILD)/flags
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -fPIC $(WARNINGS) -Wno-missing-prototypes -O2 -D_GNU_SOURCE -o $@ $<

END_SESSION := $(BUILD)/tests/lib/end_session

$(END_SESSION): $(BUILD)/tests/lib/end_session.o $(LIBS)
	$(call say,LD)
	$(Q)$(CC) -pie $(DT_LDFLAGS) -o $@ $< $(LINK_LIBS) $(PKG_LIBS)

# What the tests learn from their environment. Leaks are looked for in the unit tests; a server's
# own are not our matter.
TEST_ENV = DEVTRUST_BUILD='$(abspath $(BUILD))' DEVTRUST_ROOT='$(CURDIR)' DEVTRUST_SAN='$(SAN)' \
	DEVTRUST_PRELOAD='$(SAN_PRELOAD)' UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	PYTHONDONTWRITEBYTECODE=1
UNIT_ENV = $(TEST_ENV) ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
SERVER_ENV = $(TEST_ENV) ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0:abort_on_error=1

# --- unit tests: one cmocka program per tests/unit/test_*.c --------------------------------------
# A test that needs more than the libraries says so in tests/unit/unit.mk:
#   $(BUILD)/tests/unit/test_name: $(BUILD)/libdt_rlm.a      a part's archive (see the Makefile)
#   UNIT_LDFLAGS_test_name = -Wl,--wrap=x                    flags of the linker
-include tests/unit/unit.mk

UNIT_ARCHIVES := $(BUILD)/libdt_unit_support.a $(BUILD)/libdt_protocol.a $(LIBS)

$(UNIT_TESTS): $(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(UNIT_ARCHIVES)
	$(call say,LD)
	$(Q)$(CC) -pie $(DT_LDFLAGS) $(UNIT_LDFLAGS_$*) -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		$(UNIT_LIBS_$*) $(CMOCKA_LIBS) $(PKG_LIBS) -lpam

# The longest first, so that none of them runs alone in the end.
UNIT_LONG := $(filter $(UNIT_TESTS),$(addprefix $(BUILD)/tests/unit/,test_driver test_waiting_room \
	test_store test_reload test_http test_remembered test_host_device))
unit: $(UNIT_TESTS) ## run the unit tests
	@$(UNIT_ENV) AGAIN='$(AGAIN)' scripts/unit.sh $(UNIT_LONG) $(filter-out $(UNIT_LONG),$(UNIT_TESTS))

# --- real servers -------------------------------------------------------------------------------
# Most of their time they wait for servers and people: several files at once, two for each
# core. PYTEST_JOBS=0: one by one.
PYTEST_JOBS ?= $(shell echo $$((2 * $$(nproc))))
# Folders and files of tests; pytest takes no part of a folder that is there as well.
TESTS ?= tests/integration

integration: $(PRODUCTS) $(SAN_SHIM) $(SECURITY_KEY) $(NSS_ALIAS) $(END_SESSION) ## run the tests with real servers (TESTS=FILE..., ARGS=... to pytest)
	@$(SERVER_ENV) PYTHON='$(PYTHON)' CACHE='$(abspath $(BUILD))/pytest' AGAIN='$(AGAIN)' \
		scripts/integration.sh $(TESTS) -q -n $(PYTEST_JOBS) --dist loadfile $(ARGS)

matrix: ## try every program in every case, and print the table (ARGS=... to pytest)
	@scripts/deps.sh build check matrix
	@$(MAKE_AGAIN) all
	@DEVTRUST_MATRIX=whole $(MAKE_AGAIN) integration ARGS='-m matrix $(ARGS)'

model: ## check the model of the MFA conversation with Spin (ARGS=--whole: all of it, many minutes)
	@scripts/deps.sh model
	@$(PYTHON) tests/model/run.py $(ARGS)

run-demo: $(PRODUCTS) $(SAN_SHIM)
	@$(SERVER_ENV) KEEP='$(KEEP)' $(PYTHON) tests/demo/demo.py $(ARGS)

demo-stop: ## end every demo that runs, and what a killed one left behind
	@$(SERVER_ENV) $(PYTHON) tests/demo/demo.py --stop

# --- releases -----------------------------------------------------------------------------------
# Roots of Debian 12 and 13, made by debootstrap below $(BUILD)/releases and kept there (about 4 GB).
releases: ## build, package and test on each release, in roots of its own (ARGS="-k trixie" for one; an hour)
	@scripts/deps.sh releases
	@$(SERVER_ENV) $(PYTHON) -m pytest tests/releases -v -p no:cacheprovider $(ARGS)

.PHONY: releases

# --- benchmarks ---------------------------------------------------------------------------------
# tests/bench/*.c are small programs (load generators); bench.py runs the figures.
BENCH_TOOLS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/bench/*.c)))

$(BENCH_TOOLS): $(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(LIBS)
	$(call say,LD)
	$(Q)$(CC) -pie $(DT_LDFLAGS) -o $@ $< \
		-Wl,--start-group $(LIBS) -Wl,--end-group $(PKG_LIBS) -lpam

bench: ## print the figures: name value unit
	@scripts/deps.sh build bench
	@$(MAKE_AGAIN) all
	@$(MAKE_AGAIN) run-bench

run-bench: $(PRODUCTS) $(BENCH_TOOLS) $(SAN_SHIM)
	@$(SERVER_ENV) $(PYTHON) tests/bench/bench.py $(ARGS)

# --- soak -----------------------------------------------------------------------------------------
SOAK_SECONDS ?= 3600
soak: ## sign-ons under random faults for SOAK_SECONDS (an hour)
	@scripts/deps.sh build bench
	@$(MAKE_AGAIN) all
	@$(MAKE_AGAIN) run-soak

run-soak: $(PRODUCTS) $(SAN_SHIM)
	@$(SERVER_ENV) $(PYTHON) tests/soak/soak.py --seconds $(SOAK_SECONDS) $(ARGS)

.PHONY: soak run-soak

# --- fuzzers: one libFuzzer program per tests/fuzz/fuzz_*.c --------------------------------------
# The core, the edges and the protocol are compiled once more, by clang with coverage. Seeds are in
# tests/fuzz/corpus/NAME/; what a run finds stays in $(BUILD)/fuzz-corpus/NAME/.
FUZZ_SECONDS ?= 20
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LIB_OBJ := $(patsubst %.c,$(BUILD)/fuzz/%.o,$(sort $(wildcard \
	common/core/*/*.c common/edge/*.c common/driver/*.c pam_devtrust/protocol/*.c \
	rlm_devtrust/radius_packet.c devtrustctl/audit_event.c devtrustctl/certificate_file.c \
	devtrustctl/registry.c devtrustctl/policy/*.c devtrustctl/report/report.c \
	devtrustctl/report/html.c) \
	$(filter-out $(FUZZ_SRC),$(wildcard tests/fuzz/*.c))))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))

$(BUILD)/fuzz/%.o: %.c $(BUILD)/flags
	$(call say,FUZZ CC)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -std=c11 $(DT_CPPFLAGS) $(PKG_CFLAGS) -g -O1 -MMD -MP $(FUZZ_FLAGS) -c -o $@ $<

$(BUILD)/fuzz/libdt_fuzz.a: $(FUZZ_LIB_OBJ)
	$(call say,AR)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(FUZZERS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/tests/fuzz/%.o $(BUILD)/fuzz/libdt_fuzz.a
	$(call say,FUZZ LD)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(PKG_LIBS)

fuzzers: $(FUZZERS)

fuzz: ## run each fuzzer for FUZZ_SECONDS (20)
	@scripts/deps.sh build fuzz
	@$(MAKE_AGAIN) fuzzers
	@BUILD='$(BUILD)' FUZZ_SECONDS='$(FUZZ_SECONDS)' scripts/fuzz.sh $(FUZZERS)

.PHONY: unit integration matrix model run-demo demo-stop bench run-bench fuzzers fuzz

# --- mutants: checks that protect a login, removed one at a time --------------------------------------------
mutants: ## remove each check of tests/mutants and see that a test notices (ARGS="--only TEXT"); takes an hour
	@scripts/deps.sh build check
	@$(TEST_ENV) $(PYTHON) tests/mutants/run.py $(ARGS)

.PHONY: mutants

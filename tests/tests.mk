# SPDX-License-Identifier: GPL-2.0-or-later
# How tests, fuzzers, benchmarks and the demo are built and run.

# --- unit tests: one cmocka program per tests/unit/test_*.c --------------------------------------
# A test that needs more says so in UNIT_LIBS_test_name or UNIT_LDFLAGS_test_name (as -Wl,--wrap=x).
-include tests/unit/unit.mk

$(UNIT_TESTS): $(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libdt_unit_support.a \
		$(BUILD)/libdt_daemon.a $(BUILD)/libdt_protocol.a $(LIBS)
	$(call say,LD)
	$(Q)$(CC) -pie $(DT_LDFLAGS) $(UNIT_LDFLAGS_$*) -o $@ $(filter %.o %.a,$^) $(UNIT_LIBS_$*) \
		$(CMOCKA_LIBS) $(PKG_LIBS)

# What the tests learn from their environment.
TEST_ENV = DEVTRUST_BUILD='$(abspath $(BUILD))' DEVTRUST_ROOT='$(CURDIR)' DEVTRUST_SAN='$(SAN)' \
	DEVTRUST_PRELOAD='$(SAN_PRELOAD)' $(SAN_ENV) PYTHONDONTWRITEBYTECODE=1

unit: $(UNIT_TESTS) ## run the unit tests
	@$(TEST_ENV) scripts/unit.sh $(UNIT_TESTS)

integration: $(PRODUCTS) $(SAN_PRELOAD_DEPS) ## run the tests with real servers (ARGS=... to pytest)
	@$(TEST_ENV) $(PYTHON) -m pytest tests/integration -q -p no:cacheprovider $(ARGS)

run-demo: $(PRODUCTS) $(SAN_PRELOAD_DEPS)
	@$(TEST_ENV) KEEP='$(KEEP)' $(PYTHON) tests/demo/demo.py

.PHONY: unit integration run-demo

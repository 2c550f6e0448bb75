# SPDX-License-Identifier: GPL-2.0-or-later
# Builds, checks and installs devtrust: plain, non-recursive, out of tree. `make help` lists the
# targets. V=1 shows the commands; SAN=address,undefined builds with sanitizers in a tree of its
# own; DEVEL=1 makes every warning an error. Settings may be kept in config.mak.

-include config.mak

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# --- settings, each of which may be overridden ------------------------------------------------
comma := ,
SAN ?=
BUILD ?= build$(if $(SAN),-san-$(subst $(comma),-,$(SAN)))
override BUILD := $(patsubst %/,%,$(BUILD))

PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3
FUZZ_CC ?= clang
CFLAGS ?= $(if $(SAN),-O1,-O2) -g
JOSE_PKG ?= jose

MULTIARCH ?= $(shell $(CC) -print-multiarch 2>/dev/null)
PREFIX ?= /usr
SBINDIR ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec
LIBDIR ?= $(PREFIX)/lib/$(MULTIARCH)
PAMDIR ?= $(LIBDIR)/security
FRLIBDIR ?= $(PREFIX)/lib/freeradius
DATADIR ?= $(PREFIX)/share/devtrust
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSCONFDIR ?= /etc
FREERADIUS_INC ?=
# no: without rlm_devtrust.so, for hosts that have no FreeRADIUS.
RADIUS ?= yes
# no: devtrustctl is built without libz3, and `policy prove` says so.
Z3 ?= yes

# --- flags ------------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wimplicit-fallthrough
# Never only warned of.
WARNINGS += -Werror=implicit-function-declaration -Werror=implicit-int -Werror=int-conversion \
	-Werror=incompatible-pointer-types -Werror=return-type
# gcc does not take (void) for an answer; clang does, and `make lint` asks it.
WARNINGS += -Wno-unused-result
HARDENING := -fstack-protector-strong -fstack-clash-protection
ifeq ($(findstring x86_64,$(MULTIARCH)),x86_64)
HARDENING += -fcf-protection
endif
ifeq ($(SAN),)
HARDENING += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

# What a sanitizer build adds (gcc's: clang keeps its runtimes elsewhere). How such modules get into
# a server that was built without is told in tests/tests.mk.
SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
SAN_PAM_FLAGS := $(if $(findstring undefined,$(SAN)),-fsanitize=undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer)

# DT_DAEMON_PATH: what pam_devtrust.so starts where no daemon runs. DT_PAM_FOLDER: where libpam looks for modules.
PLACES = -DDT_DAEMON_PATH='"$(SBINDIR)/devtrustd"' -DDT_PAM_FOLDER='"$(PAMDIR)"'
DT_CPPFLAGS = -Icommon -I. -D_GNU_SOURCE $(PLACES) $(CPPFLAGS)
DT_CFLAGS = $(WARNINGS) $(if $(DEVEL),-Werror) $(HARDENING) -fPIC -MMD -MP $(SAN_FLAGS) $(CFLAGS)
DT_LDFLAGS = -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN_FLAGS) $(LDFLAGS)

# --- outside libraries ------------------------------------------------------------------------
PKGS := libssl libcrypto libcurl jansson inih expat libplist-2.0 libmaxminddb p11-kit-1 sqlite3 zlib libqrencode \
	libevent_core libevent_pthreads $(JOSE_PKG)
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -lunistring -pthread
MICROHTTPD_LIBS := $(shell $(PKG_CONFIG) --libs libmicrohttpd 2>/dev/null || echo -lmicrohttpd)
Z3_LIBS := $(if $(filter no,$(Z3)),,-lz3)
CMOCKA_LIBS := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null || echo -lcmocka)

# --- quiet unless V=1 -------------------------------------------------------------------------
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(patsubst $(BUILD)/%,%,$@)')

# --- sources ----------------------------------------------------------------------------------
objects = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard $(1))))

CORE_OBJ := $(call objects,common/core/*/*.c)
EDGE_OBJ := $(call objects,common/edge/*.c)
DRIVER_OBJ := $(call objects,common/driver/*.c)
PROTOCOL_OBJ := $(call objects,pam_devtrust/protocol/*.c)
PAM_OBJ := $(call objects,pam_devtrust/module/*.c)
DAEMON_OBJ := $(call objects,pam_devtrust/daemon/*.c)
# Elsewhere, for the program has nearly the name of its folder.
SIGNALS_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard devtrust_signals/*.c)))
RLM_OBJ := $(if $(filter no,$(RADIUS)),,$(call objects,rlm_devtrust/*.c))
# Elsewhere, for the program has the name of its folder.
CTL_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(filter-out $(if $(filter no,$(Z3)), \
	devtrustctl/prove/prove_z3.c,devtrustctl/prove/prove_no_solver.c), \
	$(wildcard devtrustctl/*.c devtrustctl/*/*.c))))
UNIT_SUPPORT_OBJ := $(filter-out $(call objects,tests/unit/test_*.c),$(call objects,tests/unit/*.c))
RLM_UNIT_OBJ := $(if $(RLM_OBJ),,$(patsubst %.c,$(BUILD)/%.o, \
	$(shell grep -l '"rlm_devtrust/' tests/unit/test_*.c)))
UNIT_OBJ := $(filter-out $(RLM_UNIT_OBJ),$(call objects,tests/unit/test_*.c))

LIBS := $(BUILD)/libdt_driver.a $(BUILD)/libdt_edge.a $(BUILD)/libdt_core.a
# The core calls its ports, which the edges implement: either may need the other.
LINK_LIBS := -Wl,--start-group $(LIBS) -Wl,--end-group

# --- products: each is built once it has sources ------------------------------------------------
PAM_MODULE := $(if $(PAM_OBJ),$(BUILD)/pam_devtrust.so)
DAEMON := $(if $(DAEMON_OBJ),$(BUILD)/devtrustd)
RLM_MODULE := $(if $(RLM_OBJ),$(BUILD)/rlm_devtrust.so)
SIGNALS := $(if $(SIGNALS_OBJ),$(BUILD)/devtrust-signals)
CTL := $(if $(CTL_OBJ),$(BUILD)/devtrustctl)
UNIT_TESTS := $(UNIT_OBJ:.o=)
PRODUCTS := $(LIBS) $(PAM_MODULE) $(DAEMON) $(SIGNALS) $(RLM_MODULE) $(CTL)

all: $(PRODUCTS) ## build everything that gets installed (the default)

unit-tests: $(UNIT_TESTS) ## build the unit tests

# --- compiling --------------------------------------------------------------------------------
# Anything that was compiled with other flags is compiled again.
FLAGS_NOW = $(CC) $(subst ',,$(DT_CPPFLAGS)) $(DT_CFLAGS) $(DT_LDFLAGS) $(PKGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(FLAGS_NOW)' | cmp -s - $@ || printf '%s\n' '$(FLAGS_NOW)' > $@

# The packages are looked at once per build tree, for a message that says how to mend it.
$(BUILD)/packages-seen: packages.txt scripts/deps.sh
	@mkdir -p $(@D)
	@DEVTRUST_WITHOUT='$(if $(filter no,$(Z3)),libz3-dev)' scripts/deps.sh --check $(if $(RLM_OBJ),build,pam)
	@touch $@

CSTD := -std=c11

define compile
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CSTD) $(DT_CPPFLAGS) $(PKG_CFLAGS) $(DT_CFLAGS) $(OBJ_CFLAGS) -c -o $@ $<
endef

$(BUILD)/%.o: %.c $(BUILD)/flags | $(BUILD)/packages-seen
	$(compile)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(BUILD)/packages-seen
	$(compile)

# An archive is made afresh, so that a source that is gone leaves it; the list of members is kept
# to notice that. The parts are archived, too, for the unit tests to take single members from.
define archive
$(BUILD)/$(1).a: $(2) $(BUILD)/$(1).members | $(BUILD)/packages-seen
	$$(call say,AR)
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && $$(AR) rcsD $$@ $(2)
$(BUILD)/$(1).members: FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$(2)' | cmp -s - $$@ || printf '%s\n' '$(2)' > $$@
endef
$(eval $(call archive,libdt_core,$(CORE_OBJ)))
$(eval $(call archive,libdt_edge,$(EDGE_OBJ)))
$(eval $(call archive,libdt_driver,$(DRIVER_OBJ)))
$(eval $(call archive,libdt_protocol,$(PROTOCOL_OBJ)))
$(eval $(call archive,libdt_daemon,$(DAEMON_OBJ)))
$(eval $(call archive,libdt_module,$(PAM_OBJ)))
$(eval $(call archive,libdt_rlm,$(RLM_OBJ)))
$(eval $(call archive,libdt_ctl,$(CTL_OBJ)))
$(eval $(call archive,libdt_unit_support,$(UNIT_SUPPORT_OBJ)))

# --- the parts --------------------------------------------------------------------------------
# Links libpam and libc, nothing else: see `make layers`. In a sanitizer build its objects are its
# own, since ASan cannot come into a setuid program.
PAM_SO_OBJ := $(PAM_OBJ) $(PROTOCOL_OBJ) $(call objects,common/core/okta/passcode.c \
	common/core/base/text_wrap.c common/core/base/utf8.c)
ifneq ($(SAN),)
PAM_SO_OBJ := $(patsubst $(BUILD)/%,$(BUILD)/pam-so/%,$(PAM_SO_OBJ))
$(PAM_SO_OBJ): SAN_FLAGS := $(SAN_PAM_FLAGS)
$(BUILD)/pam_devtrust.so: SAN_FLAGS := $(SAN_PAM_FLAGS) $(if $(SAN_PAM_FLAGS),-static-libubsan)
$(PAM_SO_OBJ): $(BUILD)/pam-so/%.o: %.c $(BUILD)/flags | $(BUILD)/packages-seen
	$(compile)
endif

$(BUILD)/pam_devtrust.so: $(PAM_SO_OBJ) pam_devtrust/pam_devtrust.map
	$(call say,LD)
	$(Q)$(CC) -shared $(DT_LDFLAGS) -Wl,-z,defs \
		-Wl,--version-script=pam_devtrust/pam_devtrust.map -o $@ $(PAM_SO_OBJ) -lpam

$(BUILD)/devtrustd: $(DAEMON_OBJ) $(BUILD)/libdt_protocol.a $(LIBS)
	$(call say,LD)
	$(Q)$(CC) -pie $(DT_LDFLAGS) -o $@ $(DAEMON_OBJ) $(BUILD)/libdt_protocol.a \
		$(LINK_LIBS) $(PKG_LIBS)

$(BUILD)/devtrust-signals: $(SIGNALS_OBJ) $(LIBS)
	$(call say,LD)
	$(Q)$(CC) -pie $(DT_LDFLAGS) -o $@ $(SIGNALS_OBJ) $(LINK_LIBS) $(PKG_LIBS) $(MICROHTTPD_LIBS)

$(BUILD)/devtrustctl: $(CTL_OBJ) $(LIBS)
	$(call say,LD)
	$(Q)$(CC) -pie $(DT_LDFLAGS) -o $@ $(CTL_OBJ) $(LINK_LIBS) $(PKG_LIBS) $(Z3_LIBS)

ifneq ($(RLM_OBJ),)
-include rlm_devtrust/all.mk
endif
include tests/tests.mk
include scripts/install.mk

# --- checks -----------------------------------------------------------------------------------
# A fresh make after the packages came: pkg-config now knows them.
MAKE_AGAIN = $(MAKE) --no-print-directory BUILD='$(BUILD)'

# So many tests may fail beside others and pass alone (scripts/integration.sh). 0: none.
CHECK_AGAIN ?= 5

check: ## everything: build, layers, unit tests, integration tests (ARGS=... goes to pytest)
	@scripts/deps.sh build check
	@$(MAKE_AGAIN) all unit-tests
	@$(MAKE_AGAIN) layers
	@$(MAKE_AGAIN) AGAIN='$(CHECK_AGAIN)' unit integration

demo: ## play the whole journey on real servers (KEEP=1 leaves it running)
	@scripts/deps.sh build demo
	@$(MAKE_AGAIN) all
	@$(MAKE_AGAIN) run-demo

lint: ## formatting, static analysis, shell, Python, man pages (ARGS=... names some of them)
	@scripts/deps.sh build lint
	@$(MAKE_AGAIN) run-lint

run-lint: $(RLM_HEADERS)
	@BUILD='$(BUILD)' LINT_CFLAGS="$(subst ",\",$(subst ',,$(DT_CPPFLAGS))) $(PKG_CFLAGS)" \
		RLM_CFLAGS='$(RLM_CPPFLAGS)' scripts/lint.sh $(ARGS)

format: ## let clang-format rewrite the C sources
	@git ls-files --cached --others --exclude-standard '*.c' '*.h' | xargs clang-format -i

layers: $(PRODUCTS) ## fail when a part uses what its layer may not
	@BUILD='$(BUILD)' SAN='$(SAN)' scripts/layers.sh

deps: ## install the Debian packages that every target needs
	@scripts/deps.sh build check matrix model demo lint bench fuzz

clean: ## remove what was built
	rm -rf '$(BUILD)'

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST) \
		| sort
	@printf '%s\n' '' 'Settings: V=1, SAN=address,undefined, DEVEL=1, BUILD=DIR, CC, CFLAGS, Z3=no, RADIUS=no,' \
		'  PREFIX, DESTDIR, PAMDIR, FRLIBDIR, SYSCONFDIR, FREERADIUS_INC, KEEP=1, ARGS=...' \
		'PAM and FreeRADIUS look for modules below /usr/lib: with another PREFIX set PAMDIR and FRLIBDIR.'

.PHONY: all unit-tests check demo lint run-lint format layers deps clean help FORCE
FORCE:

-include $(shell find $(BUILD) -path $(BUILD)/mutants -prune -o -path $(BUILD)/releases -prune -o -name '*.d' -type f -print 2>/dev/null)

# SPDX-License-Identifier: GPL-2.0-or-later
# rlm_devtrust.so. Debian's libfreeradius-dev leaves out headers that radiusd.h includes;
# scripts/freeradius-headers.sh fetches them from the source package of the installed server.
# FREERADIUS_INC=DIR uses DIR/freeradius/*.h instead.

RLM_INC := $(or $(FREERADIUS_INC),$(BUILD)/freeradius-include)
RLM_HEADERS := $(if $(FREERADIUS_INC),,$(BUILD)/freeradius-include/stamp)

# As the server's own modules are compiled: NDEBUG decides the layout of struct rad_request, and
# the four headers come before any other.
$(RLM_OBJ): CSTD := -std=gnu99
RLM_CPPFLAGS = -isystem $(RLM_INC) -include freeradius/autoconf.h \
	-include freeradius/build.h -include freeradius/features.h -include freeradius/radpaths.h \
	-fno-strict-aliasing -D_REENTRANT -D_POSIX_PTHREAD_SEMANTICS -DOPENSSL_NO_KRB5 -DNDEBUG \
	-DIS_MODULE=1
# The server's macros do not keep to these.
$(RLM_OBJ): OBJ_CFLAGS = $(RLM_CPPFLAGS) -Wno-undef -Wno-cast-qual -Wno-strict-prototypes -Wno-shadow
$(RLM_OBJ): | $(RLM_HEADERS)

# A server of another version needs another build: its version is part of the stamp.
$(BUILD)/freeradius-include/stamp: scripts/freeradius-headers.sh $(wildcard /usr/sbin/freeradius)
	@scripts/freeradius-headers.sh $(@D)

# nodelete: libcurl's resolver threads must not outlive their code.
$(BUILD)/rlm_devtrust.so: $(RLM_OBJ) $(LIBS) rlm_devtrust/rlm_devtrust.map
	$(call say,LD)
	$(Q)$(CC) -shared $(DT_LDFLAGS) -Wl,-z,nodelete \
		-Wl,--version-script=rlm_devtrust/rlm_devtrust.map \
		-o $@ $(RLM_OBJ) -Wl,--start-group $(LIBS) -Wl,--end-group $(PKG_LIBS)

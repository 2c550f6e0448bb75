# SPDX-License-Identifier: GPL-2.0-or-later
# install and uninstall. Both honour DESTDIR; uninstall removes exactly what install puts, but never
# the administrator's own devtrust.conf.

INSTALL ?= install
D = $(DESTDIR)

# Each line of this list is "file mode target": what install copies and uninstall removes. A file
# that does not exist in the tree yet is not in the list.
to = $(foreach file,$(wildcard $(1)),$(file):$(2):$(3)/$(notdir $(file)))
section = $(foreach n,5 7 8,$(call to,man/*.$(n),644,$(MANDIR)/man$(n)))
# What only a host with FreeRADIUS wants.
RLM_FILES := $(call to,man/rlm_devtrust.5,644,$(MANDIR)/man5) \
	$(call to,conf/tmpfiles.d/devtrust-radius.conf,644,$(PREFIX)/lib/tmpfiles.d) \
	$(call to,conf/logrotate.d/devtrust-radius,644,$(SYSCONFDIR)/logrotate.d) \
	$(foreach file,$(shell find conf/raddb conf/openvpn conf/strongswan -type f | sort), \
		$(file):644:$(DATADIR)/$(patsubst conf/%,%,$(file)))

INSTALL_BUILT := \
	$(if $(PAM_MODULE),$(PAM_MODULE):644:$(PAMDIR)/pam_devtrust.so) \
	$(if $(RLM_MODULE),$(RLM_MODULE):644:$(FRLIBDIR)/rlm_devtrust.so) \
	$(if $(DAEMON),$(DAEMON):755:$(SBINDIR)/devtrustd) \
	$(if $(SIGNALS),$(SIGNALS):755:$(SBINDIR)/devtrust-signals) \
	$(if $(CTL),$(CTL):755:$(SBINDIR)/devtrustctl)
INSTALL_FILES := \
	$(filter-out $(RLM_FILES),$(call section)) \
	$(call to,conf/systemd/*.service conf/systemd/*.socket,644,$(UNITDIR)) \
	$(call to,conf/sysusers.d/*.conf,644,$(PREFIX)/lib/sysusers.d) \
	$(call to,conf/tmpfiles.d/devtrust.conf conf/tmpfiles.d/devtrust-signals.conf,644,$(PREFIX)/lib/tmpfiles.d) \
	$(call to,conf/logrotate.d/devtrust,644,$(SYSCONFDIR)/logrotate.d) \
	$(call to,conf/apparmor.d/*,644,$(SYSCONFDIR)/apparmor.d) \
	$(call to,conf/bash-completion/*,644,$(PREFIX)/share/bash-completion/completions) \
	$(if $(RLM_MODULE),$(RLM_FILES)) \
	$(foreach file,$(shell find conf/policies conf/pam.d conf/sshd conf/metrics conf/siem -type f | sort), \
		$(file):644:$(DATADIR)/$(patsubst conf/%,%,$(file))) \
	$(call to,conf/*.json,644,$(DATADIR))
INSTALL_ALL = $(INSTALL_BUILT) $(INSTALL_FILES)

part = $(word $(1),$(subst :, ,$(2)))

# devtrust.conf goes to its place only when none is there; else beside it, to be compared.
install: all ## install under DESTDIR and PREFIX
	@set -e; $(foreach line,$(INSTALL_ALL), \
		echo '  INSTALL  $(call part,3,$(line))'; \
		$(INSTALL) -D -m $(call part,2,$(line)) '$(call part,1,$(line))' \
			'$(D)$(call part,3,$(line))';) :
	@sed -i 's,^ExecStart=/usr/sbin/,ExecStart=$(SBINDIR)/,' '$(D)$(UNITDIR)/devtrustd.service' \
		'$(D)$(UNITDIR)/devtrust-signals.service'
	@$(INSTALL) -d -m 755 '$(D)$(SYSCONFDIR)/devtrust' '$(D)$(SYSCONFDIR)/devtrust/policies'
	@set -e; if [ -f conf/devtrust.conf ]; then \
		name=devtrust.conf; \
		[ ! -e '$(D)$(SYSCONFDIR)/devtrust/devtrust.conf' ] || name=devtrust.conf.sample; \
		echo "  INSTALL  $(SYSCONFDIR)/devtrust/$$name"; \
		$(INSTALL) -m 644 conf/devtrust.conf "$(D)$(SYSCONFDIR)/devtrust/$$name"; \
	fi

uninstall: ## remove what install put there, except the configuration
	@set -e; $(foreach line,$(INSTALL_ALL), \
		echo '  REMOVE   $(call part,3,$(line))'; rm -f '$(D)$(call part,3,$(line))';) :
	@rm -f '$(D)$(SYSCONFDIR)/devtrust/devtrust.conf.sample'
	@if [ -d '$(D)$(DATADIR)' ]; then find '$(D)$(DATADIR)' -depth -type d -empty -delete; fi
	@if [ -d '$(D)$(SYSCONFDIR)/devtrust' ]; then \
		find '$(D)$(SYSCONFDIR)/devtrust' -depth -type d -empty -delete; fi

.PHONY: install uninstall

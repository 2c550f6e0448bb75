# SPDX-License-Identifier: GPL-2.0-or-later
# What single unit tests need to link, beyond what all of them do: see tests/tests.mk.

UNIT_LDFLAGS_test_bytes := -Wl,--wrap=malloc,--wrap=free
UNIT_LDFLAGS_test_policy_parse := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc
UNIT_LDFLAGS_test_network := -Wl,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc
UNIT_LDFLAGS_test_audit_sink := -Wl,--wrap=connect,--wrap=readlink
UNIT_LDFLAGS_test_site := \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=strdup

$(BUILD)/tests/unit/test_ctl_options $(BUILD)/tests/unit/test_ctl_certificates \
	$(BUILD)/tests/unit/test_ctl_log $(BUILD)/tests/unit/test_ctl_moment \
	$(BUILD)/tests/unit/test_ctl_fold $(BUILD)/tests/unit/test_ctl_report \
	$(BUILD)/tests/unit/test_policy_replay \
	$(BUILD)/tests/unit/test_pam_stack $(BUILD)/tests/unit/test_prove \
	$(BUILD)/tests/unit/test_setup_answers $(BUILD)/tests/unit/test_setup_plan \
	$(BUILD)/tests/unit/test_setup_journal $(BUILD)/tests/unit/test_setup_daemon \
	$(BUILD)/tests/unit/test_okta_import $(BUILD)/tests/unit/test_okta_import_meaning \
	$(BUILD)/tests/unit/test_policy_cases $(BUILD)/tests/unit/test_policy_diff \
	$(BUILD)/tests/unit/test_doctor: $(BUILD)/libdt_ctl.a
UNIT_LIBS_test_prove = $(Z3_LIBS)

$(BUILD)/tests/unit/test_pam_code: $(BUILD)/libdt_module.a
$(BUILD)/tests/unit/test_daemon_rate: $(BUILD)/libdt_daemon.a
$(BUILD)/tests/unit/test_radius_packet $(BUILD)/tests/unit/test_waiting_room \
	$(BUILD)/tests/unit/test_carried: $(BUILD)/libdt_rlm.a

# Calls that test_pam_faults lets fail.
PAM_FAULTS := socket connect getsockopt lstat poll send recv malloc calloc pam_get_item \
	pam_get_user pam_set_data pam_get_data pam_modutil_getpwnam pam_modutil_getpwuid
UNIT_LDFLAGS_test_pam_faults := $(PAM_FAULTS:%=-Wl,--wrap=%)
$(BUILD)/tests/unit/test_pam_faults: $(BUILD)/libdt_module.a
UNIT_LDFLAGS_test_lookup := -Wl,--wrap=dt_question_row_of
UNIT_LDFLAGS_test_signon_entra := -Wl,--wrap=dt_x509_judge_online
UNIT_LDFLAGS_test_reload := -Wl,--wrap=dt_site_mark_stat
UNIT_LDFLAGS_test_http := -Wl,--wrap=clock_gettime,--wrap=socket,--wrap=pthread_create
UNIT_LDFLAGS_test_file_write := -Wl,--wrap=renameat2
# Where test_setup_journal lets setup be killed.
SETUP_STEPS := renameat unlinkat mkdirat symlinkat fsync fchown fchmodat
UNIT_LDFLAGS_test_setup_journal := $(SETUP_STEPS:%=-Wl,--wrap=%)

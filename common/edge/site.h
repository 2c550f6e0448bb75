/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads everything that a site's sign-ons share from files: devtrust.conf, zones, the policies,
 * the CA certificates, the secrets' places. Checks who may write and who may read each of them. */
#ifndef DT_EDGE_SITE_H
#define DT_EDGE_SITE_H

#include "core/dae/nas.h"
#include "core/okta/okta_oauth.h"
#include "core/signon/signon.h"
#include "edge/http_way.h"

#define DT_CONFIG_FILE_MAX (256 * 1024)
#define DT_SITE_POLICIES_MAX 256
#define DT_CONFIG_DEFAULT_PATH "/etc/devtrust/devtrust.conf"

typedef struct dt_site dt_site; /* owns config, anchors, zones, policies, secrets */

/* For whom this process reads configurations: devtrustd, or FreeRADIUS, for which [radius] counts. Before the first is
 * read; not thread safe. */
typedef enum dt_site_door { DT_SITE_DOOR_PAM = 0, DT_SITE_DOOR_RADIUS } dt_site_door;
void dt_site_set_door(dt_site_door door);

/* Loads and checks. On failure nothing is half-loaded, and `e` names the file. Secrets are read at
 * once, so that a file made readable later cannot change them. Not thread safe; the result is
 * read-only and may be shared. */
DT_MUST_USE int dt_site_load(char const *config_path, dt_site **out, dt_error *e);
/* Like dt_site_load, for a command that checks: with all faults on the list `faults` instead of the first. Where
 * there are some, *out is NULL, and *config is the configuration, to be freed by dt_config_free, for looking at
 * sections that are not dt_config_is_faulty; or NULL, where it could not be read. DT_E_NOMEM is not on the list. */
DT_MUST_USE int dt_site_check(char const *config_path, dt_faults *faults, dt_site **out,
                              dt_config **config);
/* The configuration and Okta's token alone, for who has yet to write a policy. */
DT_MUST_USE int dt_site_load_okta(char const *config_path, dt_site **out, dt_error *e);
/* The configuration alone. */
DT_MUST_USE int dt_site_load_config(char const *config_path, dt_site **out, dt_error *e);
void dt_site_free(dt_site **f);
dt_config const *dt_site_config(dt_site const *f);
dt_trust_store const *dt_site_anchors(dt_site const *f);
/* The policy of an application; NULL when it has none. */
dt_policy const *dt_site_policy(dt_site const *f, char const *application);
size_t dt_site_policy_count(dt_site const *f);
dt_policy const *dt_site_policy_at(dt_site const *f, size_t i);
/* The application whose policy decides at a PAM service: the service itself, or, where it has no policy
 * and is a variant (core/ruleset/service.h), its base; the service where neither has one. Of the site, or the
 * argument. */
char const *dt_site_application_of(dt_site const *f, char const *service);
/* The scopes that a service app at Okta needs for the sign-ons of all applications. */
void dt_site_okta_scopes(dt_site const *f, char out[DT_OKTA_SCOPES_MAX]);
/* The site as the machine wants it, for one application: with what [application NAME] gives in place
 * of [device_trust]'s. */
dt_ruleset dt_site_ruleset(dt_site const *f, char const *application);
/* Who signs on under a name that somebody typed. Errors of dt_identity_make. */
DT_MUST_USE int dt_site_identity(dt_site const *f, char const *user, dt_identity *out, dt_error *e);
/* The secret keys of management_hint_file; none when it is not set. Borrowed. */
dt_managed_hints const *dt_site_managed_hints(dt_site const *f);
/* Says which site of a process this is and since when it is used. Before it is shared. */
void dt_site_set_generation(dt_site *f, uint64_t generation, dt_time loaded);
uint64_t dt_site_generation(dt_site const *f);
dt_time dt_site_loaded(dt_site const *f);
/* Keys that only a start takes stay as `old` has them; appends the names of those that differed, as in
 * "[store] path, [audit] file". Before it is shared. */
DT_MUST_USE int dt_site_keep_fixed(dt_site *f, dt_config const *old, dt_buf *names);

/* devtrust.conf alone. */
DT_MUST_USE int dt_site_config_read(char const *config_path, dt_config **out, dt_error *e);
/* As much of it as can be read, for looking at: its faults are on the list. NULL where it is nothing. To be freed by
 * dt_config_free. */
dt_config *dt_site_config_look(char const *config_path, dt_faults *faults);
/* Names of the files with policies in a directory, sorted; each is the caller's to free, also those
 * of a list that an error cut short. */
DT_MUST_USE int dt_site_list_policies(char const *path, char *names[DT_SITE_POLICIES_MAX],
                                      size_t *count, dt_error *e);
/* Who vouches for a service, and by which proxy it is reached; without credentials for it. An OCSP
 * responder's answer is signed by itself: where it comes by https, the system's CAs vouch for the way.
 * Borrowed. */
dt_http_way dt_site_way(dt_site const *f, dt_http_service service);
/* NULL when not configured. Borrowed. */
dt_secret const *dt_site_okta_token(dt_site const *f);
/* The sections [nas NAME], each with its secret; NULL when there are none. Borrowed. */
dt_nas_table const *dt_site_nases(dt_site const *f);
/* Exactly DT_AEAD_KEY_LEN bytes, or NULL when state_key_file is not set. */
dt_secret const *dt_site_state_key(dt_site const *f);

#endif

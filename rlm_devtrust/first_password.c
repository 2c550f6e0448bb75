/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Knows the password of a sign-on's first round again when it comes as the answer to a challenge: programs that
 * ask once answer each challenge with it. What is kept of it goes along in the luggage: a digest, sealed with
 * the key of States, so that neither the store nor the server's own output reveals anything about it. */
#include "rlm_devtrust/challenge.h"
#include "rlm_devtrust/luggage.h"
#include "rlm_devtrust/rlm_devtrust.h"

#include "core/base/crypto.h"
#include "core/okta/passcode.h"
#include "edge/host.h"

#include <string.h>

#define RECORD_LEN (DT_AEAD_NONCE_LEN + DT_SHA256_LEN + DT_AEAD_TAG_LEN)
#define PURPOSE "devtrust password of the first round"
#define BLANKS " \t\r\n"

/* Of what Okta would be sent: "123 456" is the password 123456 as well. */
static int digest(uint8_t const nonce[DT_AEAD_NONCE_LEN], dt_bytes typed,
                  uint8_t out[DT_SHA256_LEN])
{
    char digits[DT_PASSCODE_DIGITS_MAX + 1];
    uint8_t text[DT_AEAD_NONCE_LEN + DT_ANSWER_MAX];
    dt_bytes what = dt_bytes_trim(typed, BLANKS);
    if (dt_passcode_read(typed, digits) == DT_TYPED_PASSCODE)
        what = dt_bytes_str(digits);
    int rc = what.len <= DT_ANSWER_MAX ? 0 : DT_E_LIMIT;
    if (rc == 0) {
        memcpy(text, nonce, DT_AEAD_NONCE_LEN);
        memcpy(text + DT_AEAD_NONCE_LEN, what.p, what.len);
        rc = dt_crypto_sha256(dt_bytes_of(text, DT_AEAD_NONCE_LEN + what.len), out);
    }
    explicit_bzero(digits, sizeof(digits));
    explicit_bzero(text, sizeof(text));
    return rc;
}

static int add_record(REQUEST *request, uint8_t const *key, dt_bytes password)
{
    uint8_t storage[RECORD_LEN + 1], nonce[DT_AEAD_NONCE_LEN], plain[DT_SHA256_LEN];
    dt_buf record;
    int rc = dt_host_random(nonce, sizeof(nonce));
    if (rc == 0)
        rc = digest(nonce, password, plain);
    if (rc != 0)
        return rc;
    dt_buf_init_fixed(&record, storage, sizeof(storage));
    dt_buf_put(&record, nonce, sizeof(nonce));
    rc = dt_crypto_seal(key, nonce, dt_bytes_str(PURPOSE), dt_bytes_of(plain, sizeof(plain)),
                        &record);
    VALUE_PAIR *vp = rc == 0 ? fr_pair_afrom_da(request, dt_rlm_first_password_attribute()) : NULL;
    if (vp == NULL)
        return rc != 0 ? rc : DT_E_NOMEM;
    fr_pair_value_memcpy(vp, record.p, record.len);
    fr_pair_add(&request->config, vp);
    return 0;
}

int dt_rlm_first_password_keep(rlm_devtrust_t const *inst, REQUEST *request,
                               dt_rlm_inputs const *in)
{
    DICT_ATTR const *da = dt_rlm_first_password_attribute();
    uint8_t const *key = dt_challenge_key(in->ruleset);
    VALUE_PAIR *whole = fr_pair_find_by_num(request->packet->vps, PW_USER_PASSWORD, 0, TAG_ANY);
    dt_bytes both[] = {whole == NULL
                           ? dt_bytes_of(NULL, 0)
                           : dt_bytes_of((uint8_t const *)whole->vp_strvalue, whole->vp_length),
                       dt_bytes_str(in->password)}; /* without the passcode after it */
    int rc = 0;
    fr_pair_delete_by_num(&request->config, da->attr, da->vendor, TAG_ANY);
    if (inst->wait == DT_RLM_WAIT_PARK || key == NULL || request->parent != NULL)
        return 0; /* no challenge can follow */
    for (size_t i = 0; i < sizeof(both) / sizeof(both[0]) && rc == 0; i++) {
        bool same = i > 0 && both[i].len == both[0].len && both[i].len > 0 &&
                    memcmp(both[i].p, both[0].p, both[i].len) == 0;
        size_t len = dt_bytes_trim(both[i], BLANKS).len;
        if (!same && len > 0 && len <= DT_ANSWER_MAX) /* a longer one is not an answer */
            rc = add_record(request, key, both[i]);
    }
    return rc;
}

/* One that cannot be opened, since the key of States was changed meanwhile, may be any password. */
static bool matches_answer(uint8_t const *key, VALUE_PAIR const *vp, dt_bytes answer)
{
    uint8_t storage[DT_SHA256_LEN + 1], given[DT_SHA256_LEN];
    dt_buf kept;
    dt_buf_init_fixed(&kept, storage, sizeof(storage));
    if (key == NULL || vp->vp_length != RECORD_LEN || digest(vp->vp_octets, answer, given) != 0 ||
        dt_crypto_open(
            key, vp->vp_octets, dt_bytes_str(PURPOSE),
            dt_bytes_of(vp->vp_octets + DT_AEAD_NONCE_LEN, RECORD_LEN - DT_AEAD_NONCE_LEN),
            &kept) != 0 ||
        kept.len != sizeof(given))
        return true;
    return dt_const_time_equal(kept.p, given, sizeof(given));
}

bool dt_rlm_first_password_is(REQUEST *request, dt_ruleset const *ruleset, dt_bytes answer)
{
    DICT_ATTR const *da = dt_rlm_first_password_attribute();
    vp_cursor_t cursor;
    bool is = false;
    fr_cursor_init(&cursor, &request->config);
    for (VALUE_PAIR *vp;
         (vp = fr_cursor_next_by_num(&cursor, da->attr, da->vendor, TAG_ANY)) != NULL;)
        is = matches_answer(dt_challenge_key(ruleset), vp, answer) || is;
    return is && dt_bytes_trim(answer, BLANKS).len > 0;
}

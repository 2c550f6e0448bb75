/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl signals: what devtrust-signals hears, as it says itself in a file beside the news, and the news. What is
 * read is shown and not believed. */
#include "devtrustctl/signals.h"

#include "devtrustctl/ctl.h"
#include "devtrustctl/options.h"

#include "core/base/json.h"
#include "core/base/time_text.h"
#include "edge/file.h"
#include "edge/host.h"
#include "edge/news_file.h"
#include "edge/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_SUFFIX ".status"
#define STATUS_MAX (64 * 1024)
#define SILENT_AFTER DT_MINUTES(3) /* it writes once a minute, whatever happens */
#define NEWS_READ 64

typedef struct question {
    char const *config;
    bool json;
    dt_error error;
} question;

/* --- status -------------------------------------------------------------------------------------- */

static int read_whole(char const *path, dt_buf *out, dt_error *e)
{
    char part[4096];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 && errno == ENOENT)
        return dt_error_set(e, DT_E_NOT_FOUND,
                            "%s is not there: devtrust-signals has not run; systemctl enable --now "
                            "devtrust-signals",
                            path);
    if (fd < 0)
        return dt_error_set(e, DT_E_PERMISSION, "%s: %s; run this as root", path, strerror(errno));
    while ((n = read(fd, part, sizeof(part))) > 0)
        dt_buf_put(out, part, (size_t)n);
    (void)close(fd);
    return n == 0 && dt_buf_error(out) == DT_OK
               ? DT_OK
               : dt_error_set(e, DT_E_IO, "%s cannot be read whole", path);
}

static char const *text_of(dt_json const *v, char const *member)
{
    char const *text = dt_json_string(dt_json_get(v, member));

    return text != NULL ? text : "";
}

static long long number_of(dt_json const *v, char const *member)
{
    int64_t n = 0;

    return dt_json_integer(dt_json_get(v, member), &n) ? (long long)n : 0;
}

static char const *moment_of(dt_json const *v, char const *member)
{
    char const *text = text_of(v, member);

    return *text != '\0' ? text : "never";
}

/* What is wrong with a transmitter; "" when nothing is. */
static char const *fault_of(dt_json const *t)
{
    char const *status = text_of(t, "status");

    if (*text_of(t, "error") != '\0')
        return text_of(t, "error");
    if (strcmp(status, "paused") == 0 || strcmp(status, "disabled") == 0)
        return "the stream is not enabled at the transmitter";
    if (number_of(t, "keys") == 0)
        return "its keys are not known yet";
    return "";
}

static void show_counts(char const *name, dt_json const *v)
{
    dt_out_line("%s: %lld event%s, %lld piece%s of news, %lld repeated, %lld without news, %lld "
                "refused; the last event: %s",
                name, number_of(v, "events"), DT_S(number_of(v, "events")), number_of(v, "news"),
                DT_S(number_of(v, "news")), number_of(v, "repeated"), number_of(v, "unknown"),
                number_of(v, "refused"), moment_of(v, "last_event"));
}

static bool show_transmitter(dt_json const *t)
{
    char const *fault = fault_of(t);

    dt_out_line("%s: %s by %s, stream %s (%s), verified: %s", text_of(t, "name"),
                text_of(t, "issuer"), text_of(t, "delivery"),
                *text_of(t, "stream") != '\0' ? text_of(t, "stream") : "unknown",
                text_of(t, "status"), moment_of(t, "verified"));
    show_counts(text_of(t, "name"), t);
    if (*fault != '\0')
        dt_out_line("%s: WRONG: %s", text_of(t, "name"), fault);
    return *fault == '\0';
}

/* It writes once a minute, whatever happens. */
static bool is_silent(dt_json const *root)
{
    dt_time at = 0;

    return dt_time_parse(text_of(root, "at"), &at) != DT_OK || dt_host_now() - at >= SILENT_AFTER;
}

/* Whether all is well. */
static bool show_status(dt_json const *root)
{
    dt_json const *list = dt_json_get(root, "transmitters"), *hooks = dt_json_get(root, "hooks");
    bool on = false;
    bool fine = !is_silent(root);

    if (!fine)
        dt_out_line("WRONG: devtrust-signals does not run: its last sign of life is of %s; see "
                    "journalctl -u devtrust-signals",
                    moment_of(root, "at"));
    for (size_t i = 0; i < dt_json_size(list); i++)
        fine = show_transmitter(dt_json_at(list, i)) && fine;
    if (dt_json_bool(dt_json_get(hooks, "on"), &on) && on)
        show_counts("okta hooks", hooks);
    return fine;
}

static int read_status(char const *news, dt_json **root, dt_error *e)
{
    char path[DT_FILE_PATH_MAX];
    dt_buf text;

    *root = NULL;
    if (snprintf(path, sizeof(path), "%s" STATUS_SUFFIX, news) >= (int)sizeof(path))
        return dt_error_set(e, DT_E_LIMIT, "[signals] news is too long");
    dt_buf_init(&text, STATUS_MAX);
    int rc = read_whole(path, &text, e);
    if (rc == DT_OK)
        rc = dt_json_parse(dt_buf_bytes(&text), root, e);
    dt_buf_free(&text);
    return rc;
}

/* The first thing that is wrong, into `about`. */
static bool has_fault(dt_json const *root, char about[DT_SIGNALS_ABOUT_MAX])
{
    dt_json const *list = dt_json_get(root, "transmitters");

    if (is_silent(root)) {
        (void)snprintf(about, DT_SIGNALS_ABOUT_MAX,
                       "it does not run: its last sign of life is of %s", moment_of(root, "at"));
        return true;
    }
    for (size_t i = 0; i < dt_json_size(list); i++) {
        char const *fault = fault_of(dt_json_at(list, i));
        if (*fault == '\0')
            continue;
        (void)snprintf(about, DT_SIGNALS_ABOUT_MAX, "%s: %s", text_of(dt_json_at(list, i), "name"),
                       fault);
        return true;
    }
    return false;
}

dt_signals_state dt_signals_look(dt_config const *c, char about[DT_SIGNALS_ABOUT_MAX])
{
    dt_json *root = NULL;
    dt_error e = {0};

    about[0] = '\0';
    if (*c->signals.news == '\0' ||
        (c->transmitter_count == 0 && *c->signals.okta_hook_secret_file == '\0'))
        return DT_SIGNALS_NOT_ASKED;
    int const rc = read_status(c->signals.news, &root, &e);
    bool const wrong = rc != DT_OK || has_fault(root, about);
    if (rc != DT_OK)
        (void)snprintf(about, DT_SIGNALS_ABOUT_MAX, "%.*s", DT_SIGNALS_ABOUT_MAX - 1, e.text);
    dt_json_free(&root);
    if (rc == DT_E_PERMISSION)
        return DT_SIGNALS_UNSEEN;
    return wrong ? DT_SIGNALS_WRONG : DT_SIGNALS_FINE;
}

static dt_ctl_exit status(question *q, char const *news)
{
    dt_json *root = NULL;
    dt_buf text;
    bool fine = false;

    if (read_status(news, &root, &q->error) != DT_OK)
        return dt_err_fault(&q->error);
    if (q->json) {
        dt_buf_init(&text, STATUS_MAX * 2);
        dt_json_put_value(&text, root, 0);
        dt_out_buf(&text);
        dt_buf_free(&text);
        fine = true;
    } else {
        fine = show_status(root);
    }
    dt_json_free(&root);
    return fine ? DT_CTL_YES : DT_CTL_NO;
}

/* --- news ---------------------------------------------------------------------------------------- */

static void show_news(question const *q, dt_news const *n)
{
    char at[25];
    dt_out_text members[] = {{"at", at},
                             {"source", dt_news_source_word(n->source)},
                             {"about", dt_news_about_word(n->about)},
                             {"id", n->id},
                             {"what", dt_news_what_word(n->what)},
                             {"ref", n->reference},
                             {NULL, NULL}};

    dt_time_format(at, n->at);
    if (q->json)
        dt_out_object(members);
    else
        dt_out_line("%s %s: %s about %s %s (%s)", at, members[1].text, members[4].text,
                    members[2].text, n->id, n->reference);
}

static dt_ctl_exit news(question *q, char const *path)
{
    static dt_news read[NEWS_READ];
    dt_news_follower *f = NULL;
    size_t n, all = 0;
    int const rc = dt_news_follower_open(path, 0, &f);

    if (rc != DT_OK) {
        (void)dt_error_set(&q->error, rc, "%s: the news cannot be followed", path);
        return dt_err_fault(&q->error);
    }
    while ((n = dt_news_follower_read(f, read, NEWS_READ)) > 0) {
        for (size_t i = 0; i < n; i++)
            show_news(q, &read[i]);
        all += n;
    }
    dt_news_follower_close(&f);
    return all > 0 ? DT_CTL_YES : DT_CTL_NO;
}

/* --- the command --------------------------------------------------------------------------------- */

dt_ctl_exit dt_ctl_signals(dt_ctl_command const *self, int argc, char **argv)
{
    question q = {.config = DT_CONFIG_DEFAULT_PATH};
    char const *config = NULL;
    dt_option const options[] = {{"--json", NULL, NULL, &q.json},
                                 {"--config", "-c", &config, NULL},
                                 {NULL, NULL, NULL, NULL}};
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_config *c = NULL;
    size_t count = 0;
    dt_ctl_exit x = DT_CTL_FAULT;

    if (rest == NULL) {
        dt_err_line("out of memory");
        return DT_CTL_FAULT;
    }
    int rc = dt_options_parse(options, argc, argv, rest, &count, &q.error);
    bool const is_news = count == 1 && strcmp(rest[0], "news") == 0;
    if (rc == DT_OK && !is_news && (count != 1 || strcmp(rest[0], "status") != 0))
        rc = dt_error_set(&q.error, DT_E_INVALID, "say what: status or news");
    free(rest);
    if (rc != DT_OK)
        return dt_err_usage(self, &q.error);
    if (dt_site_config_read(config != NULL ? config : q.config, &c, &q.error) != DT_OK)
        return dt_err_fault(&q.error);
    if (*c->signals.news == '\0')
        dt_err_line("[signals] news is empty: nothing is heard");
    else
        x = is_news ? news(&q, c->signals.news) : status(&q, c->signals.news);
    dt_config_free(&c);
    return x;
}

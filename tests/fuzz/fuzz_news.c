/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of news: whatever is taken is written again as a line that reads the same. */
#include "core/signals/news.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static bool is_same(dt_news const *a, dt_news const *b)
{
    return a->at == b->at && a->source == b->source && a->about == b->about && a->what == b->what &&
           strcmp(a->id, b->id) == 0 && strcmp(a->reference, b->reference) == 0;
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    static dt_news const zero;
    dt_news n, again;
    dt_buf line;
    int const rc = dt_news_read_line(dt_bytes_of(data, size), &n);
    if (rc != DT_OK) {
        require(is_same(&n, &zero));
        return 0;
    }
    dt_buf_init(&line, DT_NEWS_LINE_MAX + 1);
    require(dt_news_put_line(&n, &line) == DT_OK);
    require(line.p[line.len - 1] == '\n' &&
            memchr(line.p, '\n', line.len) == line.p + line.len - 1);
    require(dt_news_read_line(dt_bytes_of(line.p, line.len - 1), &again) == DT_OK);
    require(is_same(&n, &again));
    dt_buf_free(&line);
    return 0;
}

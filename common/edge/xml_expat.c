/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The XML port by expat. The one file that knows it. */
#include "core/base/xml.h"

#include <expat.h>
#include <string.h>

/* Between the name of a namespace and that of the element. expat refuses namespaces that hold it. */
#define SEPARATOR '\n'

typedef struct walk {
    XML_Parser parser;
    dt_xml_handler const *handler;
    void *ctx;
    dt_error *e;
    int error; /* the first; ends the walk */
    int depth; /* of the elements that are open */
    int elements;
    dt_buf text;
} walk;

/* expat calls on for a moment after it was stopped. */
static void stop(walk *w, int error)
{
    if (w->error == DT_OK)
        w->error = error;
    (void)XML_StopParser(w->parser, XML_FALSE);
}

static void on_open(void *ctx, XML_Char const *full, XML_Char const **attributes)
{
    walk *w = ctx;
    char const *end = strchr(full, SEPARATOR);
    char space[DT_XML_SPACE_MAX];
    int rc;

    (void)attributes;
    if (w->error != DT_OK)
        return;
    dt_buf_reset(&w->text);
    if (w->depth > DT_XML_DEPTH_MAX || ++w->elements > DT_XML_ELEMENTS_MAX) {
        stop(w, dt_error_set(w->e, DT_E_LIMIT,
                             "it has more than %d elements, or is nested deeper "
                             "than %d",
                             DT_XML_ELEMENTS_MAX, DT_XML_DEPTH_MAX));
        return;
    }
    rc = dt_str_copy_bytes(space, sizeof(space),
                           dt_bytes_of(full, end == NULL ? 0 : (size_t)(end - full)));
    if (rc != DT_OK)
        rc = dt_error_set(w->e, DT_E_LIMIT, "the name of a namespace is too long");
    else
        rc = w->handler->open(w->ctx, w->depth, space, end == NULL ? full : end + 1);
    w->depth++;
    if (rc != DT_OK)
        stop(w, rc);
}

static void on_close(void *ctx, XML_Char const *full)
{
    walk *w = ctx;
    int rc;

    (void)full;
    if (w->error != DT_OK)
        return;
    w->depth--;
    dt_buf_putc(&w->text, '\0');
    rc = dt_buf_error(&w->text);
    if (rc != DT_OK)
        rc = dt_error_set(w->e, rc, "the text of an element is too long");
    else
        rc = w->handler->close(w->ctx, w->depth, (char const *)w->text.p);
    dt_buf_reset(&w->text);
    if (rc != DT_OK)
        stop(w, rc);
}

static void on_text(void *ctx, XML_Char const *text, int len)
{
    walk *w = ctx;

    if (w->error == DT_OK && len > 0)
        dt_buf_put(&w->text, text, (size_t)len);
}

static void on_doctype(void *ctx, XML_Char const *name, XML_Char const *system,
                       XML_Char const *public, int internal)
{
    walk *w = ctx;

    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    if (w->error == DT_OK)
        stop(w, dt_error_set(w->e, DT_E_PARSE,
                             "it has a document type declaration, which is not allowed"));
}

/* 2.9 deprecates the only function that older releases have. */
static unsigned long line_of(XML_Parser parser)
{
#if XML_MAJOR_VERSION * 100 + XML_MINOR_VERSION >= 209
    return (unsigned long)XML_GetCurrentLineNumber64(parser);
#else
    return (unsigned long)XML_GetCurrentLineNumber(parser);
#endif
}

static int parse(walk *w, dt_bytes text)
{
    enum XML_Status status = XML_Parse(w->parser, (char const *)text.p, (int)text.len, XML_TRUE);

    if (w->error != DT_OK)
        return w->error;
    if (status == XML_STATUS_OK)
        return DT_OK;
    if (XML_GetErrorCode(w->parser) == XML_ERROR_NO_MEMORY)
        return dt_error_set(w->e, DT_E_NOMEM, "out of memory");
    return dt_error_set(w->e, DT_E_PARSE, "it is not XML, line %lu: %s", line_of(w->parser),
                        XML_ErrorString(XML_GetErrorCode(w->parser)));
}

int dt_xml_walk(dt_bytes text, dt_xml_handler const *h, void *ctx, dt_error *e)
{
    walk w = {.handler = h, .ctx = ctx, .e = e};
    int rc;

    if (text.len == 0)
        return dt_error_set(e, DT_E_PARSE, "it is empty");
    if (text.len > DT_XML_MAX)
        return dt_error_set(e, DT_E_LIMIT, "it is larger than %d bytes", DT_XML_MAX);
    /* Text of UTF-8 has none; what has is another encoding, which expat would go over to by itself. */
    if (memchr(text.p, '\0', text.len) != NULL)
        return dt_error_set(e, DT_E_PARSE, "it contains a NUL");
    w.parser = XML_ParserCreateNS("UTF-8", SEPARATOR);
    if (w.parser == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    dt_buf_init(&w.text, DT_XML_TEXT_MAX + 1);
    XML_SetUserData(w.parser, &w);
    XML_SetElementHandler(w.parser, on_open, on_close);
    XML_SetCharacterDataHandler(w.parser, on_text);
    XML_SetStartDoctypeDeclHandler(w.parser, on_doctype);
    rc = parse(&w, text);
    XML_ParserFree(w.parser);
    dt_buf_free(&w.text);
    return rc;
}

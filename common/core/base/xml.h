/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The XML port: what the core needs of a reader of XML that strangers wrote. edge/xml_expat.c
 * implements it. Pure: it reads text that it is given, keeps no state and fetches nothing. */
#ifndef DT_CORE_XML_H
#define DT_CORE_XML_H

#include "core/base/bytes.h"

#define DT_XML_MAX (64 * 1024)   /* largest document that is read, bytes */
#define DT_XML_DEPTH_MAX 16      /* deepest nesting; the root is at depth 0 */
#define DT_XML_ELEMENTS_MAX 1024 /* most elements of one document */
#define DT_XML_TEXT_MAX 4096     /* longest text of one element, bytes */
#define DT_XML_SPACE_MAX 512     /* room for the name of a namespace */

/* Called for each element, in the document's order; all that is passed is borrowed during the call and
 * holds no NUL inside. Both return 0 to go on, else the error to end with. */
typedef struct dt_xml_handler {
    /* `space` is the name of the element's namespace, "" where it is in none. */
    int (*open)(void *ctx, int depth, char const *space, char const *name);
    /* `text` is what stands in the element after its last child; of one without children that is all
     * of its text, as it stands. */
    int (*close)(void *ctx, int depth, char const *text);
} dt_xml_handler;

/* Reads one document in UTF-8, whatever encoding it says it has. DT_E_PARSE for anything that is not
 * a whole and well-formed one, and for one with a document type declaration: nothing honest brings any,
 * and it could define entities. DT_E_LIMIT past the limits above, DT_E_NOMEM, or what a handler gave.
 * Handlers may have been called before an error is found: use what they received only after 0.
 * Thread safe. */
DT_MUST_USE int dt_xml_walk(dt_bytes text, dt_xml_handler const *h, void *ctx, dt_error *e);

#endif

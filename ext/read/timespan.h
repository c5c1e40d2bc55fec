/*
** timespan.h - timespan.c's interface. Apart from tr.h, since the program behind `taskresults run` has it too, which
** knows nothing of SQLite.
*/
#ifndef TR_TIMESPAN_H
#define TR_TIMESPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is understood, for messages. */
#define TR_TIMESPAN_FORMS "90s, 30m, 12h, 7d, 2w, 3mo, 1y, '90 days' or '1d 12h'"

/* False: the text is no length of time, or int64_t cannot hold it. `plain_seconds`: a number alone is seconds, and numbers
** may have a fraction, which is cut to microseconds. */
bool tr_timespan_parse(const char *text, size_t length, bool plain_seconds, int64_t *span_us);

#endif /* TR_TIMESPAN_H */

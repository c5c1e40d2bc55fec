/*
** export.h - rows -> a CSV file, there whole or not at all.
*/
#ifndef TR_EXPORT_H
#define TR_EXPORT_H

#include "../base/base.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** export/writer.c - a second thread that writes one buffer to a file, while the caller fills another
*/
typedef struct TrWriter TrWriter;

TrWriter *tr_writer_start(int fd); /* a regular file, borrowed. NULL: no thread or no memory; write without it */
/* Call order: wait, then put, any number of times; wait, then stop. wait returns when nothing is left to write:
** SQLITE_OK, *written increased and *reason 0 or the errno of the failure; or SQLITE_INTERRUPT. put takes over the
** buffer (of TR_OUTPUT_BYTES) and returns an empty one. */
TR_CHECKED int tr_writer_wait(TrWriter *writer, TrPoll *poll, int64_t *written, int *reason);
char *tr_writer_put(TrWriter *writer, char *buffer, size_t length);
void tr_writer_stop(TrWriter *writer); /* NULL is allowed */

/* ------------------------------------------------------------------------------------------------------------------
** export/output.c - bytes -> a file that appears complete or not at all, or a pipe
*/
#define TR_OUTPUT_BYTES ((size_t)256 * 1024)

typedef struct TrOutput {
  const char *path; /* borrowed: as it was given, for messages */
  char *buffer;     /* owned: TR_OUTPUT_BYTES */
  size_t length;    /* bytes in it */
  int64_t written;  /* bytes that the system has taken */
  int code;         /* the first failure, which stays; later appends are dropped */
  char **message;   /* borrowed: text of the first failure */
  TrTarget target;  /* owned */
  bool sync;        /* fsync() before the end */
  bool one_thread;  /* no writer thread; there is none either if the output is not a regular file */
  TrWriter *writer; /* owned; NULL: not yet, or none */
  TrPoll *poll;     /* borrowed */
} TrOutput;

/* Call order: open, append, commit, close; close without commit leaves the old file as it was (what went into a pipe
** cannot be undone). */
TR_CHECKED int tr_output_open(TrOutput *output, const char *path, bool sync, bool one_thread, TrPoll *poll,
                              char **message);
void tr_output_append(TrOutput *output, const char *bytes, size_t length);
void tr_output_flush(TrOutput *output); /* empties the buffer, also when that fails */
static inline void tr_output_byte(TrOutput *output, char byte) {
  if (output->length == TR_OUTPUT_BYTES) tr_output_flush(output);
  output->buffer[output->length++] = byte;
}
TR_CHECKED int tr_output_commit(TrOutput *output);
void tr_output_close(TrOutput *output);

/* ------------------------------------------------------------------------------------------------------------------
** export/formula.c - would a spreadsheet read this cell as a formula?
*/
bool tr_formula_is(const char *text, size_t length); /* any bytes */

/* ------------------------------------------------------------------------------------------------------------------
** export/csv.c - a SQL value -> one cell, by RFC 4180
*/
typedef struct TrCsv {
  char delimiters[16]; /* the delimiter, 16 times, to compare blocks with; set by tr_csv_delimiter() */
  bool guard;          /* put a ' before formulas */
} TrCsv;

bool tr_csv_delimiter(TrCsv *csv, const char *text); /* false: not a delimiter */
void tr_csv_value(TrOutput *output, const TrCsv *csv, sqlite3_value *value, int64_t max_chars); /* -1: not cut */
void tr_csv_text(TrOutput *output, const TrCsv *csv, const char *text);

#pragma GCC visibility pop
#endif /* TR_EXPORT_H */

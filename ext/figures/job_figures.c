/*
** job_figures.c - the records of one job -> its figures, record by record, in the order of the file.
**
** What it holds is a few numbers and four values, whatever the length of the history: the timestamps of the first run,
** the last success and the last failure, and the error of that failure. They are copied when they are seen, still
** encoded as JSON, and decoded when they are shown: copying is cheap beside parsing, and the copy stays valid if the
** file is truncated meanwhile. The time of a record is computed only where an outage begins or ends, and only if the
** query needs the means of outages. If the index tells of records (tr_record_is_unread), only where those four values
** are is kept, and their lines are read in the end.
**
** An outage begins with a failure that follows a success or is the first record, and ends with the next success. Clocks
** are sometimes set back: a negative duration counts as 0. A duration without a readable time at either end is left out
** of the mean.
*/
#include "figures.h"

#include <string.h>

/* --- values that outlive their line ------------------------------------------------------------------------------- */

/* Not inlined: only with an index is there any. */
__attribute__((noinline)) static int leave_unread(TrKept *kept, const TrParsed *parsed) {
  kept->span = (TrSpan){.kind = TR_UNREAD};
  kept->offset = parsed->line.offset;
  return SQLITE_OK;
}

static int keep(TrKept *kept, const TrParsed *parsed, TrField field) {
  const TrSpan *span = &parsed->record.field[field];
  if (span->kind >= TR_UNREAD) return leave_unread(kept, parsed);
  size_t length = span->kind == TR_ABSENT ? 0 : span->length; /* an absent span has no text */
  kept->span = (TrSpan){.length = (uint32_t)length, .kind = TR_ABSENT};
  unsigned char *bytes = tr_array_reserve(kept->bytes, &kept->room, length + 1, 1);
  if (bytes == NULL) return SQLITE_NOMEM;
  kept->bytes = bytes;
  if (length > 0) memcpy(kept->bytes, parsed->line.text + span->start, length);
  kept->bytes[length] = '\0';
  kept->span.kind = span->kind;
  kept->span.escaped = span->kind == TR_STRING && span->escaped;
  return SQLITE_OK;
}

bool tr_kept_time_us(const TrKept *kept, int64_t *time_us) {
  TrLine line = {.text = kept->bytes, .length = kept->span.length};
  return tr_span_time_us(&line, &kept->span, time_us);
}

static int read_kept(TrKept *kept, TrField field, TrReadLine read, void *context) {
  const TrParsed *parsed;
  if (kept->span.kind != TR_UNREAD) return SQLITE_OK;
  int code = read(context, kept->offset, &parsed);
  return code == SQLITE_OK ? keep(kept, parsed, field) : code;
}

/* --- outages ------------------------------------------------------------------------------------------------------ */

static void add_duration(TrMean *mean, int64_t from_us, int64_t to_us) {
  if (to_us > from_us) mean->sum_us += (double)(to_us - from_us);
  mean->count++;
}

static void begin_outage(TrJobFigures *figures, const TrLine *line, const TrSpan *timestamp) {
  int64_t time_us = 0;
  bool timed = tr_span_time_us(line, timestamp, &time_us);
  if (timed && figures->outage_timed) add_duration(&figures->between, figures->outage_us, time_us);
  figures->outage_timed = timed;
  figures->outage_us = time_us;
}

static void end_outage(TrJobFigures *figures, const TrLine *line, const TrSpan *timestamp) {
  int64_t time_us;
  if (!figures->outage_timed || !tr_span_time_us(line, timestamp, &time_us)) return;
  add_duration(&figures->repair, figures->outage_us, time_us);
}

/* --- the figures -------------------------------------------------------------------------------------------------- */

void tr_job_figures_begin(TrJobFigures *figures) {
  figures->runs = figures->successes = figures->rejects = 0;
  figures->unknowns = figures->others = 0;
  figures->ends_unknown = figures->ended_well = false;
  figures->streak = figures->longest_failure_streak = 0;
  figures->outage_timed = false;
  figures->repair = figures->between = (TrMean){0};
  figures->first_run.span = figures->last_success.span = (TrSpan){.kind = TR_ABSENT};
  figures->last_failure.span = figures->last_error.span = (TrSpan){.kind = TR_ABSENT};
}

void tr_job_figures_break(TrJobFigures *figures) {
  if (figures->streak) figures->ended_well = figures->streak > 0;
  figures->streak = figures->longest_failure_streak = 0;
  figures->outage_timed = false;
  figures->repair = figures->between = (TrMean){0};
}

static void add_success(TrJobFigures *figures, const TrParsed *parsed) {
  if (figures->streak < 0) {
    if (figures->wants_times) end_outage(figures, &parsed->line, &parsed->record.field[TR_TIMESTAMP]);
    figures->streak = 0;
  }
  figures->streak++;
  figures->successes++;
}

static void add_failure(TrJobFigures *figures, const TrParsed *parsed) {
  if (figures->streak >= 0) {
    if (figures->wants_times) begin_outage(figures, &parsed->line, &parsed->record.field[TR_TIMESTAMP]);
    figures->streak = 0;
  }
  figures->streak--;
  if (-figures->streak > figures->longest_failure_streak) figures->longest_failure_streak = -figures->streak;
}

/* The usual spellings, true and false, are decided here: that is nearly all lines. */
static inline bool is_ok(const TrParsed *parsed) {
  uint8_t success = parsed->record.field[TR_SUCCESS].kind;
  if (success == TR_TRUE) return true;
  return success != TR_FALSE && tr_record_is_ok(&parsed->line, &parsed->record);
}

/* The last ones of these lines. Not inlined: only under a mapping are there any. */
__attribute__((noinline)) static int keep_unknown(TrJobFigures *figures, const TrParsed *unknown,
                                                  const TrParsed *known) {
  if (unknown || known) figures->ends_unknown = unknown > known;
  return unknown ? keep(&figures->last_unknown, unknown, TR_TIMESTAMP) : SQLITE_OK;
}

int tr_job_figures_add(TrJobFigures *figures, const TrParsed *lines, unsigned count) {
  const TrParsed *first = NULL, *success = NULL, *failure = NULL, *unknown = NULL;
  for (const TrParsed *parsed = lines; parsed < lines + count; parsed++) {
    if (parsed->reason != TR_OK) {
      parsed->reason == TR_OTHER ? figures->others++ : figures->rejects++;
      continue;
    }
    if (figures->runs++ == 0) first = parsed;
    if (is_ok(parsed)) {
      add_success(figures, success = parsed);
    } else if (!tr_record_is_unknown(&parsed->record)) {
      add_failure(figures, failure = parsed);
    } else {
      figures->unknowns++;
      unknown = parsed;
    }
  }
  int code = SQLITE_OK;
  if (first) code = keep(&figures->first_run, first, TR_TIMESTAMP);
  if (success && code == SQLITE_OK) code = keep(&figures->last_success, success, TR_TIMESTAMP);
  if (failure && code == SQLITE_OK) code = keep(&figures->last_failure, failure, TR_TIMESTAMP);
  if (failure && code == SQLITE_OK) code = keep(&figures->last_error, failure, TR_ERROR);
  if (figures->unknowns && code == SQLITE_OK)
    code = keep_unknown(figures, unknown, success > failure ? success : failure);
  return code;
}

int tr_job_figures_read_kept(TrJobFigures *figures, TrReadLine read, void *context) {
  int code = read_kept(&figures->first_run, TR_TIMESTAMP, read, context);
  if (code == SQLITE_OK) code = read_kept(&figures->last_success, TR_TIMESTAMP, read, context);
  if (code == SQLITE_OK) code = read_kept(&figures->last_failure, TR_TIMESTAMP, read, context);
  return code == SQLITE_OK ? read_kept(&figures->last_error, TR_ERROR, read, context) : code;
}

const TrKept *tr_job_figures_last_run(const TrJobFigures *figures) {
  if (figures->ends_unknown) return &figures->last_unknown;
  bool is_good = figures->streak ? figures->streak > 0 : figures->ended_well;
  return is_good ? &figures->last_success : &figures->last_failure;
}

void tr_job_figures_free(TrJobFigures *figures) {
  sqlite3_free(figures->first_run.bytes);
  sqlite3_free(figures->last_success.bytes);
  sqlite3_free(figures->last_failure.bytes);
  sqlite3_free(figures->last_error.bytes);
  sqlite3_free(figures->last_unknown.bytes);
}

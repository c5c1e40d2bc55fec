/*
** job_figures.c - the records of one job -> its figures, record by record, in the order of the file.
**
** What it holds is a few numbers and four values, whatever the length of the history: the timestamps of the first run,
** the last success and the last failure, and the error of that failure. They are copied when they are seen, still
** spelled as JSON, and decoded by those who show them: copying is cheap beside parsing, and a file that is truncated
** meanwhile cannot take the text away again. The time of a record is worked out only where an outage begins or ends, and
** only if the means of outages are asked for.
**
** An outage goes from a failure that follows a success, or is the first record, to the next success. Clocks are set
** back now and then: a duration that comes out negative counts as 0, for something did begin and end. One that lacks a
** readable time at either end is left out of the mean.
*/
#include "figures.h"

#include <string.h>

/* --- values that outlive their line ------------------------------------------------------------------------------- */

#define SHORT_BYTES 32 /* longer than any timestamp of the scheduler */
_Static_assert(SHORT_BYTES <= TR_PADDING, "behind any span as many bytes can be read");

static int grow_kept(TrKept *kept, size_t room) {
  unsigned char *bytes = sqlite3_realloc64(kept->bytes, room);
  if (bytes == NULL) return SQLITE_NOMEM;
  kept->bytes = bytes;
  kept->room = room;
  return SQLITE_OK;
}

static int keep(TrKept *kept, const TrLine *line, const TrSpan *span) {
  size_t length = span->kind == TR_ABSENT ? 0 : span->length; /* an absent span has no place either */
  const unsigned char *text = span->kind == TR_ABSENT ? line->text : line->text + span->start;
  kept->span = (TrSpan){.length = (uint32_t)length, .kind = TR_ABSENT};
  if (length + SHORT_BYTES >= kept->room) {
    int code = grow_kept(kept, 2 * length + 2 * SHORT_BYTES);
    if (code != SQLITE_OK) return code;
  }
  if (length < SHORT_BYTES) {
    memcpy(kept->bytes, text, SHORT_BYTES); /* of a known size, so that it is two instructions */
  } else {
    memcpy(kept->bytes, text, length);
  }
  kept->bytes[length] = '\0';
  kept->span.kind = span->kind;
  kept->span.escaped = span->kind == TR_STRING && span->escaped;
  return SQLITE_OK;
}

bool tr_kept_time_us(const TrKept *kept, int64_t *time_us) {
  TrLine line = {.text = kept->bytes, .length = kept->span.length};
  return tr_span_time_us(&line, &kept->span, time_us);
}

/* --- outages ------------------------------------------------------------------------------------------------------ */

static void add_duration(TrMean *mean, int64_t from_us, int64_t to_us) {
  if (to_us > from_us) mean->sum_us += (double)(to_us - from_us);
  mean->count++;
}

static void begin_outage(TrTally *tally, const TrLine *line, const TrSpan *timestamp) {
  int64_t time_us = 0;
  bool timed = tr_span_time_us(line, timestamp, &time_us);
  if (timed && tally->outage_timed) add_duration(&tally->between, tally->outage_us, time_us);
  tally->outage_timed = timed;
  tally->outage_us = time_us;
}

static void end_outage(TrTally *tally, const TrLine *line, const TrSpan *timestamp) {
  int64_t time_us;
  if (!tally->outage_timed || !tr_span_time_us(line, timestamp, &time_us)) return;
  add_duration(&tally->repair, tally->outage_us, time_us);
}

/* --- the tally ---------------------------------------------------------------------------------------------------- */

void tr_tally_begin(TrTally *tally) {
  tally->runs = tally->successes = tally->rejects = 0;
  tally->streak = tally->longest_failure_streak = 0;
  tally->outage_timed = false;
  tally->repair = tally->between = (TrMean){0};
  tally->first_run.span = tally->last_success.span = (TrSpan){.kind = TR_ABSENT};
  tally->last_failure.span = tally->last_error.span = (TrSpan){.kind = TR_ABSENT};
}

static int add_success(TrTally *tally, const TrLine *line, const TrRecord *record) {
  const TrSpan *timestamp = &record->field[TR_TIMESTAMP];
  if (tally->streak < 0) {
    if (tally->wants_times) end_outage(tally, line, timestamp);
    tally->streak = 0;
  }
  tally->streak++;
  tally->successes++;
  return keep(&tally->last_success, line, timestamp);
}

static int add_failure(TrTally *tally, const TrLine *line, const TrRecord *record) {
  const TrSpan *timestamp = &record->field[TR_TIMESTAMP];
  if (tally->streak >= 0) {
    if (tally->wants_times) begin_outage(tally, line, timestamp);
    tally->streak = 0;
  }
  tally->streak--;
  if (-tally->streak > tally->longest_failure_streak) tally->longest_failure_streak = -tally->streak;
  int code = keep(&tally->last_failure, line, timestamp);
  return code == SQLITE_OK ? keep(&tally->last_error, line, &record->field[TR_ERROR]) : code;
}

int tr_tally_record(TrTally *tally, const TrLine *line, const TrRecord *record) {
  if (tally->runs++ == 0) {
    int code = keep(&tally->first_run, line, &record->field[TR_TIMESTAMP]);
    if (code != SQLITE_OK) return code;
  }
  return tr_record_is_ok(line, record) ? add_success(tally, line, record) : add_failure(tally, line, record);
}

const TrKept *tr_tally_last_run(const TrTally *tally) {
  return tally->streak > 0 ? &tally->last_success : &tally->last_failure;
}

void tr_tally_free(TrTally *tally) {
  sqlite3_free(tally->first_run.bytes);
  sqlite3_free(tally->last_success.bytes);
  sqlite3_free(tally->last_failure.bytes);
  sqlite3_free(tally->last_error.bytes);
}

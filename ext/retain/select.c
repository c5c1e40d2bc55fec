/*
** select.c - which lines a prune keeps.
**
** The file is read backwards, newest first, and no further than the rules need: to keep the last 1,000 records of a
** gigabyte, a few hundred KB are read. The rules, for a record: it is among the last `keep`; or it is as new as `since`
** or has no time that we can read; or it is a failure, and fewer than `keep_failures` newer ones were kept for being
** just that. A line that is not a record is evidence: it is kept where a record in its place would be, that is among
** the last `keep` records, or (having no time) anywhere under `since`. A blank line goes with the line behind it.
**
** What is kept comes out as ranges of bytes. A last line without its newline may still be being written: the selection
** ends before it, and the drain brings it along.
*/
#include "../tr.h"

#include <errno.h>
#include <string.h>

#define DAY_LEN 11
#define US_PER_DAY (INT64_C(86400) * 1000000)

typedef struct Selector {
  const TrPruneOptions *options; /* borrowed */
  TrSelection *selection;        /* borrowed */
  TrParser parser;
  int64_t records;        /* seen so far, that is from the end */
  int64_t extra_failures; /* kept by keep_failures alone */
  bool keeps_last;        /* whether the line read last, the next one in the file, is kept */
  char old_day[DAY_LEN];  /* "2026-01-31T": a day that is older than `since` to its last microsecond; or zeros */
} Selector;

static bool is_failure(const TrLine *line, const TrRecord *record) {
  const TrSpan *success = &record->field[TR_SUCCESS];
  if (success->kind == TR_INTEGER) return success->length == 1 && line->text[success->start] == '0';
  return success->kind == TR_FALSE;
}

/* Can no rule keep anything that is older than what was read? */
static bool is_finished(const Selector *selector) {
  const TrPruneOptions *options = selector->options;
  return !options->by_time && selector->records >= options->keep && selector->extra_failures >= options->keep_failures;
}

/* "HH:MM:SS.ffffffZ" or "HH:MM:SSZ", as the scheduler writes them. */
static bool is_usual_clock(const char *text, size_t length) {
  static const char pattern[] = "29:59:59.999999Z"; /* the highest digit in each place */
  if (length != 16 && length != 9) return false;
  for (size_t i = 0; i < length - 1; i++) {
    bool is_digit = pattern[i] >= '2' && pattern[i] <= '9';
    if (is_digit ? text[i] < '0' || text[i] > pattern[i] : text[i] != pattern[i]) return false;
  }
  return text[length - 1] == 'Z' && (text[0] < '2' || text[1] <= '3');
}

/* Newer than `since`, or without a time. Most lines to drop are of the same day as the one before, and told by that. */
static bool keeps_time(Selector *selector, const TrLine *line, const TrSpan *span) {
  const char *text = (const char *)line->text + span->start;
  bool may_be_usual = span->kind == TR_STRING && span->length > DAY_LEN;
  if (may_be_usual && memcmp(text, selector->old_day, DAY_LEN) == 0 &&
      is_usual_clock(text + DAY_LEN, span->length - DAY_LEN)) {
    return false;
  }
  int64_t time_us, since_us = selector->options->since_us;
  if (!tr_span_time_us(line, span, &time_us) || time_us >= since_us) return true;
  if (may_be_usual && is_usual_clock(text + DAY_LEN, span->length - DAY_LEN) && time_us < since_us - US_PER_DAY) {
    memcpy(selector->old_day, text, DAY_LEN);
  }
  return false;
}

static bool keeps_record(Selector *selector, const TrLine *line, const TrRecord *record) {
  const TrPruneOptions *options = selector->options;
  bool is_recent = options->by_count && selector->records < options->keep;
  selector->records++;
  if (is_recent) return true;
  if (options->by_time && keeps_time(selector, line, &record->field[TR_TIMESTAMP])) return true;
  if (selector->extra_failures >= options->keep_failures || !is_failure(line, record)) return false;
  selector->extra_failures++;
  return true;
}

static bool keeps_reject(const Selector *selector) {
  const TrPruneOptions *options = selector->options;
  if (options->drop_rejects) return false;
  return options->by_time || (options->by_count && selector->records < options->keep);
}

static bool keeps_line(Selector *selector, const TrLine *line) {
  TrRecord record;
  if (is_finished(selector)) return false;
  TrReason reason = tr_parse(&selector->parser, line, &record);
  if (reason == TR_BLANK) return selector->keeps_last;
  if (reason != TR_OK) return keeps_reject(selector);
  bool keeps = keeps_record(selector, line, &record);
  selector->selection->kept += keeps;
  return keeps;
}

/* Puts a line in front of what is kept so far. */
static int add_line(TrSelection *selection, const TrLine *line) {
  TrRange range = {line->offset, line->offset + (int64_t)line->length + 1};
  selection->kept_bytes += range.to - range.from;
  if (selection->count > 0 && selection->range[selection->count - 1].from == range.to) {
    selection->range[selection->count - 1].from = range.from;
    return SQLITE_OK;
  }
  if (selection->count == selection->room) {
    size_t room = selection->room ? 2 * selection->room : 16;
    TrRange *grown = sqlite3_realloc64(selection->range, room * sizeof *grown);
    if (grown == NULL) return SQLITE_NOMEM;
    selection->range = grown;
    selection->room = room;
  }
  selection->range[selection->count++] = range;
  return SQLITE_OK;
}

static void reverse(TrSelection *selection) {
  for (size_t i = 0, j = selection->count; i + 1 < j; i++) {
    TrRange swapped = selection->range[--j];
    selection->range[j] = selection->range[i];
    selection->range[i] = swapped;
  }
}

/* SQLITE_DONE at the start of the file, or where nothing further matters. */
static int select_line(Selector *selector, TrLines *lines, int64_t *reached) {
  TrSelection *selection = selector->selection;
  bool counts = selection->dropped >= 0;
  TrLine line;
  if (!counts && is_finished(selector)) return SQLITE_DONE;
  int code = tr_lines_next(lines, &line);
  /* A file that shrank ends the reading early: not the start of the file, but no basis for a decision either. */
  if (code == SQLITE_DONE && *reached != 0) return SQLITE_ABORT;
  if (code != SQLITE_ROW) return code;
  *reached = line.offset;
  if (!line.terminated) {
    selection->end = line.offset;
    return SQLITE_OK;
  }
  selector->keeps_last = keeps_line(selector, &line);
  if (selector->keeps_last) return add_line(selection, &line);
  selection->dropped += counts;
  return SQLITE_OK;
}

int tr_select(TrSelection *selection, int fd, const TrPruneOptions *options, size_t max_line, TrPoll *poll,
              char **message) {
  struct stat now;
  *selection = (TrSelection){.dropped = options->count || options->dry_run ? 0 : -1};
  if (fstat(fd, &now) != 0) return tr_error(message, SQLITE_IOERR_FSTAT, "cannot be examined: %s", strerror(errno));
  TrLines lines = {0};
  Selector selector = {.options = options, .selection = selection};
  int64_t reached = now.st_size;
  tr_parser_init(&selector.parser);
  selection->end = now.st_size;
  int code = tr_lines_open(&lines, fd, 0, now.st_size, max_line, true, poll);
  while (code == SQLITE_OK) code = select_line(&selector, &lines, &reached);
  if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_FSTAT) {
    tr_error(message, code, "cannot be read at byte %lld: %s", (long long)tr_lines_position(&lines), strerror(errno));
  } else if (code == SQLITE_ABORT) {
    tr_error(message, code, "shrank while it was being read: somebody else truncates it; stop that, or prune later");
  }
  tr_lines_close(&lines);
  reverse(selection);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

void tr_selection_free(TrSelection *selection) {
  sqlite3_free(selection->range);
  *selection = (TrSelection){0};
}

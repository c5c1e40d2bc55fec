/*
** rules.c - which lines a prune keeps.
**
** Asked line by line, newest first. A record is kept if one of these holds:
**
**   - it is among the last `keep` records;
**   - its time is `since` or later, or cannot be read;
**   - it is a failure, by the one rule of figures/success.c, and fewer than `keep_failures` newer ones were kept for
**     that reason alone.
**
** With `max_bytes`, of the lines that these rules keep (all, if only `max_bytes` is given) only the newest stay: as
** many as fit, so what goes then is everything older than one line. The newest one stays even if it alone is too long.
**
** With `archive`, what goes is the beginning of the file: the newest line that these rules do not keep, and everything
** before it. Blank lines at the file's end stay.
**
** Whatever these rules say, a line stays that ends behind `shipped_to`: `taskresults ship` has yet to read it
** (ship_marks.c). It counts for the rules as if it could go.
**
** A line that is not a record is kept as evidence where a record in its place would be kept: among the last `keep`
** records, or, since it has no time, anywhere if `since` is given. A blank line is kept or dropped with the line after
** it; it is dropped where no rule can keep anything older.
**
** To tell records from other lines, every byte of a line is validated by the lanes that the tables use: a dropped
** record is one that the tables show, with an old time.
*/
#include "prune.h"

#include <string.h>

#define DAY_LEN 11
#define CLOCK_LEN 16
#define US_PER_DAY (INT64_C(86400) * 1000000)

_Static_assert(sizeof(((TrRules *)0)->old_day) == DAY_LEN, "old_day holds a day");

void tr_rules_begin(TrRules *rules, const TrPruneOptions *options) {
  *rules = (TrRules){.options = options, .shipped_to = INT64_MAX, .keeps_last = options->archive};
  tr_parser_init(&rules->parser);
}

bool tr_rules_are_done(const TrRules *rules) {
  const TrPruneOptions *options = rules->options;
  if (rules->is_full) return true;
  return options->by_count && !options->by_time && rules->records >= options->keep &&
         rules->extra_failures >= options->keep_failures;
}

bool tr_rules_need_no_order(const TrPruneOptions *options) {
  bool is_alone = !options->by_count && !options->by_size && !options->archive && options->keep_failures == 0;
  return options->by_time && is_alone;
}

bool tr_rules_keep_nothing(const TrPruneOptions *options) {
  if (options->by_size && options->max_bytes == 0) return true;
  return options->by_count && !options->by_time && options->keep == 0 && options->keep_failures == 0;
}

bool tr_rules_are_a_mistake(const TrPruneOptions *options, int64_t now_us) {
  return (options->by_time && options->since_us > now_us) || tr_rules_keep_nothing(options);
}

const char *tr_rules_contradiction(const TrPruneOptions *options) {
  if (options->keep_failures > 0 && !options->by_count && !options->by_time)
    return "'keep_failures' needs 'keep' or 'since': 'max_bytes' is a limit for all lines";
  if (!options->archive) return NULL;
  if (tr_archive_obstacle()) return "'archive' needs zstd, and this build (WITH_ARCHIVE=0) has none";
  if (!options->by_count && !options->by_time && !options->by_size) return "'archive' needs a rule that says what goes";
  if (options->keep_failures > 0) {
    return "'archive' takes the beginning of the file, of which 'keep_failures' cannot keep anything: the archive has "
           "the failures, too";
  }
  if (options->drop_rejects) return "'archive' keeps each line; so it cannot be given with 'drop_rejects'";
  if (options->no_receipt) return "'archive' needs a receipt; so it cannot be given with 'receipt', 0 (--no-receipt)";
  return NULL;
}

/* No rule but the size says which lines go. */
static bool is_by_size_alone(const TrPruneOptions *options) {
  return !options->by_count && !options->by_time;
}

/* True if each of the eight bytes is ASCII and lies between its lowest and its highest value. These are ASCII too, so
** no sum carries into the next byte, and the high bits show the result. */
static inline bool is_within(const char *text, const char *lowest, const char *highest) {
  const uint64_t high = UINT64_C(0x8080808080808080);
  uint64_t word, low_word, high_word;
  memcpy(&word, text, sizeof word);
  memcpy(&low_word, lowest, sizeof word);
  memcpy(&high_word, highest, sizeof word);
  uint64_t is_over = word + (~high - high_word), is_not_under = word + (high - low_word);
  return ((is_over | ~is_not_under | word) & high) == 0;
}

/* "HH:MM:SS.ffffffZ" or "HH:MM:SSZ", as the scheduler writes them. It may read past the end of the text
** (TR_PADDING). */
static bool is_usual_clock(const char *text, size_t length) {
  if (length != CLOCK_LEN && length != 9) return false;
  if (!is_within(text, "00:00:00", "29:59:59") || (text[0] == '2' && text[1] > '3')) return false;
  return length == 9 ? text[8] == 'Z' : is_within(text + 8, ".000000Z", ".999999Z");
}

/* Is the time `since` or later, or unreadable? Most lines to drop have the same old day as the line before, and are
** recognised by that. */
static bool keeps_time(TrRules *rules, const TrLine *line, const TrSpan *span) {
  const char *text = (const char *)line->text + span->start;
  if (span->kind == TR_STRING && span->length > DAY_LEN && memcmp(text, rules->old_day, DAY_LEN) == 0 &&
      is_usual_clock(text + DAY_LEN, span->length - DAY_LEN)) {
    return false;
  }
  int64_t time_us, since_us = rules->options->since_us;
  if (!tr_span_time_us(line, span, &time_us) || time_us >= since_us) return true;
  /* A text with a time of day is longer than a day. */
  if (is_usual_clock(text + DAY_LEN, span->length - DAY_LEN) && time_us < since_us - US_PER_DAY) {
    memcpy(rules->old_day, text, DAY_LEN);
  }
  return false;
}

static bool keeps_record(TrRules *rules, const TrLine *line, const TrRecord *record) {
  const TrPruneOptions *options = rules->options;
  bool is_recent = options->by_count && rules->records < options->keep;
  rules->records++;
  if (is_recent || is_by_size_alone(options)) return true;
  if (options->by_time && keeps_time(rules, line, &record->field[TR_TIMESTAMP])) return true;
  if (rules->extra_failures >= options->keep_failures || tr_record_is_ok(line, record)) return false;
  rules->extra_failures++;
  return true;
}

static bool keeps_reject(const TrRules *rules) {
  const TrPruneOptions *options = rules->options;
  if (options->drop_rejects) return false;
  return options->by_time || is_by_size_alone(options) || rules->records < options->keep;
}

static bool keeps_line(TrRules *rules, const TrLine *line, bool *is_record) {
  TrRecord record;
  *is_record = false;
  bool is_unshipped = line->offset + (int64_t)line->length >= rules->shipped_to;
  if (tr_rules_are_done(rules) && !is_unshipped) return false;
  TrReason reason = tr_parse(&rules->parser, line, &record);
  *is_record = reason == TR_OK;
  if (tr_rules_are_done(rules)) return false;
  if (reason == TR_BLANK) return rules->keeps_last;
  return *is_record ? keeps_record(rules, line, &record) : keeps_reject(rules);
}

static bool fits(TrRules *rules, const TrLine *line) {
  if (!rules->options->by_size) return true;
  int64_t bytes = (int64_t)line->length + 1;
  bool is_newest = rules->bytes == 0 && rules->options->max_bytes > 0;
  rules->is_full = !is_newest && bytes > rules->options->max_bytes - rules->bytes;
  if (!rules->is_full) rules->bytes += bytes;
  return !rules->is_full;
}

bool tr_rules_keep(TrRules *rules, const TrLine *line) {
  bool is_record;
  rules->keeps_last = keeps_line(rules, line, &is_record) && fits(rules, line);
  if (rules->options->archive && !rules->keeps_last) rules->is_full = true;
  bool is_held = !rules->keeps_last && line->offset + (int64_t)line->length >= rules->shipped_to;
  rules->unshipped += is_held;
  rules->kept += is_record && (rules->keeps_last || is_held);
  return rules->keeps_last || is_held;
}

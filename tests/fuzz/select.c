/*
** select.c - fuzz target: which lines of a file a prune keeps, by any rules. The rules are spelled out once more, line
** by line and in plain words, and the ranges must be just the lines that those keep; with a second thread too, which
** takes its part of every file that is longer than TR_SHARE_BYTES.
**
** Aimed at ext/prune/select.c and ext/prune/rules.c.
*/
#include "tr.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define NOON_US INT64_C(1771156800000000) /* 2026-02-15T12:00:00Z */
#define SIX_HOURS_US (INT64_C(6) * 3600 * 1000000)

typedef struct Line {
  size_t from, to; /* its newline included, which every one of them has */
  TrReason reason;
  bool is_failure, timed;
  int64_t time_us;
  bool kept;
} Line;

/* What the rules say of lines so far, newest first. */
typedef struct Model {
  int64_t records, kept_records, spared_failures, kept_lines, kept_bytes, unshipped;
  int64_t rule_bytes; /* of the lines that the rules keep, up to the first that does not fit */
  bool is_full, kept_last;
} Model;

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* What Python's json.loads() makes of the value, asked for its truth. */
static bool is_true(const uint8_t *file, const TrSpan *value) {
  char number[4096] = "";
  switch (value->kind) {
  case TR_ABSENT:
  case TR_NULL:
  case TR_FALSE: return false;
  case TR_STRING: return value->length > 0;
  case TR_NESTED:
    for (uint32_t i = 1; i + 1 < value->length; i++) {
      if (strchr(" \t\r\n", file[i]) == NULL) return true;
    }
    return false;
  case TR_INTEGER:
  case TR_REAL:
    if (value->length >= sizeof number) return true; /* no line is so long here */
    memcpy(number, file, value->length);
    return strtod(number, NULL) != 0;
  default: return true; /* true itself, NaN, the infinities */
  }
}

static Line parse_line(const uint8_t *file, size_t from, size_t length, size_t max_line) {
  Line line = {.from = from, .to = from + length + 1, .reason = TR_TOO_LONG};
  TrRecord record;
  if (length > max_line) return line;
  line.reason = tr_slow_lane(file + from, length, &record);
  if (line.reason != TR_OK) return line;
  TrLine whole = {.text = file + from, .length = length, .offset = (int64_t)from};
  line.is_failure = !is_true(file + from + record.field[TR_SUCCESS].start, &record.field[TR_SUCCESS]);
  line.timed = tr_span_time_us(&whole, &record.field[TR_TIMESTAMP], &line.time_us);
  return line;
}

/* The whole lines of the file; *end is where the last one ends. The caller frees them. */
static Line *split(const uint8_t *file, size_t size, size_t max_line, size_t *count, size_t *end) {
  Line *line = malloc((size + 1) * sizeof *line);
  const uint8_t *newline;
  *count = *end = 0;
  while (*end < size && (newline = memchr(file + *end, '\n', size - *end)) != NULL) {
    line[*count] = parse_line(file, *end, (size_t)(newline - file) - *end, max_line);
    *end = line[(*count)++].to;
  }
  return line;
}

/* --- the rules ---------------------------------------------------------------------------------------------------- */

static bool may_keep_more(const Model *model, const TrPruneOptions *options) {
  return options->by_time || !options->by_count || model->records < options->keep ||
         model->spared_failures < options->keep_failures;
}

static bool keeps_record(Model *model, const TrPruneOptions *options, const Line *line) {
  bool among_last = options->by_count ? model->records < options->keep : !options->by_time;
  bool is_new = options->by_time && (!line->timed || line->time_us >= options->since_us);
  bool spared = !among_last && !is_new && line->is_failure && model->spared_failures < options->keep_failures;
  model->records++;
  model->spared_failures += spared;
  return among_last || is_new || spared;
}

static bool keeps(Model *model, const TrPruneOptions *options, const Line *line) {
  if (model->is_full || !may_keep_more(model, options)) return false;
  if (line->reason == TR_BLANK) return model->kept_last;
  if (line->reason == TR_OK) return keeps_record(model, options, line);
  return !options->drop_rejects && (options->by_time || !options->by_count || model->records < options->keep);
}

/* Nothing older stays than the newest line that does not fit. */
static bool fits(Model *model, const TrPruneOptions *options, const Line *line) {
  if (!options->by_size) return true;
  bool is_newest = model->rule_bytes == 0 && options->max_bytes > 0;
  model->rule_bytes += (int64_t)(line->to - line->from);
  model->is_full = !is_newest && model->rule_bytes > options->max_bytes;
  return !model->is_full;
}

static Model apply(const TrPruneOptions *options, int64_t shipped_to, Line *line, size_t count) {
  Model model = {0};
  for (size_t i = count; i-- > 0;) {
    bool is_held = (int64_t)line[i].to > shipped_to;
    model.kept_last = keeps(&model, options, &line[i]) && fits(&model, options, &line[i]);
    line[i].kept = model.kept_last || is_held;
    model.unshipped += is_held && !model.kept_last;
    if (!line[i].kept) continue;
    model.kept_records += line[i].reason == TR_OK;
    model.kept_bytes += (int64_t)(line[i].to - line[i].from);
    model.kept_lines++;
  }
  return model;
}

/* --- the target --------------------------------------------------------------------------------------------------- */

/* Each range is a run of kept lines, as long as can be; and there are no others. */
static void check_ranges(const TrSelection *selection, const Line *line, size_t count) {
  size_t at = 0;
  for (size_t i = 0; i < count; i++) {
    if (!line[i].kept) continue;
    MUST(at < selection->count && selection->range[at].from == (int64_t)line[i].from);
    while (i + 1 < count && line[i + 1].kept) i++;
    MUST(selection->range[at++].to == (int64_t)line[i].to);
  }
  MUST(at == selection->count);
}

static TrPruneOptions read_options(const uint8_t **data, size_t *size) {
  uint8_t flags = fuzz_byte(data, size), keep = fuzz_byte(data, size), since = fuzz_byte(data, size);
  TrPruneOptions options = {.by_count = flags & 1 || !(flags & 2),
                            .by_time = flags & 2,
                            .drop_rejects = flags & 4,
                            .count = flags & 8,
                            .dry_run = flags & 16,
                            .keep_failures = flags >> 5};
  if (options.by_count) options.keep = keep;
  if (options.by_time) options.since_us = NOON_US + (int8_t)since * SIX_HOURS_US;
  return options;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  size_t max_line = 1 + (size_t)fuzz_byte(&data, &size) * 4, count, end;
  TrPruneOptions options = read_options(&data, &size);
  TrSelection selection;
  TrPoll poll = {0};
  char *message = NULL;
  /* No byte of the input tells these two: so the inputs of the corpus go on to mean what they did. */
  options.by_size = size % 5 == 4;
  options.max_bytes = (int64_t)(size * (size % 13) / 12);
  if (options.by_size && size % 3 == 0 && options.keep_failures == 0) options.by_count = options.by_time = false;
  int64_t shipped_to = size % 2 ? (int64_t)(size * (size % 17) / 16) : INT64_MAX;
  int fd = memfd_create("select", MFD_CLOEXEC);
  MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
  MUST(tr_select(&selection, fd, &options, shipped_to, max_line, &poll, &message) == SQLITE_OK && message == NULL);

  unsigned char *file = malloc(size + TR_PADDING); /* the lanes load whole blocks */
  memcpy(file, data, size);
  memset(file + size, 0, TR_PADDING);
  Line *line = split(file, size, max_line, &count, &end);
  Model model = apply(&options, shipped_to, line, count);
  MUST(selection.end == (int64_t)end);
  check_ranges(&selection, line, count);
  MUST(selection.kept_bytes == model.kept_bytes && selection.kept == model.kept_records);
  MUST(selection.dropped == (options.count || options.dry_run ? (int64_t)count - model.kept_lines : -1));
  MUST(selection.unshipped == model.unshipped);
  tr_selection_free(&selection);
  free(line);
  free(file);
  close(fd);
  return 0;
}

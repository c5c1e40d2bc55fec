/*
** filter.c - the plan with its values: which jobs are wanted, and which lines can be skipped.
**
** SQLite checks every row again, so the rule is: skip a row only if a condition is surely false for it. Sources of
** doubt:
**   - xFilter sees the right-hand side before affinity is applied. A text that reads as a number may be compared as one
**     ('01' = 1), so we decide by texts only if neither side reads as a number.
**   - In a UTF-16 database BINARY orders text by its UTF-16 bytes, whose order differs from that of UTF-8 except for
**     ASCII: so we decide ranges of text only for ASCII.
**   - `success` can be any JSON value. Only true and false are decided here; for every other value SQLite decides. `ok`
**     is 0 or 1.
*/
#include "query.h"

#include <math.h>
#include <string.h>

/* --- numbers in text ---------------------------------------------------------------------------------------------- */

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t count_digits(const char *p, const char *end) {
  const char *start = p;
  while (p < end && *p >= '0' && *p <= '9') p++;
  return (size_t)(p - start);
}

/* Would numeric affinity turn this text into a number? (White space around it is allowed; hexadecimal is not.) */
bool tr_looks_numeric(const char *p, size_t length) {
  const char *end = p + length;
  while (p < end && is_space(*p)) p++;
  if (p < end && (*p == '-' || *p == '+')) p++;
  size_t whole = count_digits(p, end), fraction = 0;
  p += whole;
  if (p < end && *p == '.') {
    fraction = count_digits(p + 1, end);
    p += 1 + fraction;
  }
  if (whole + fraction == 0) return false;
  if (p < end && (*p == 'e' || *p == 'E')) {
    p++;
    if (p < end && (*p == '-' || *p == '+')) p++;
    size_t exponent = count_digits(p, end);
    if (exponent == 0) return false;
    p += exponent;
  }
  while (p < end && is_space(*p)) p++;
  return p == end;
}

static bool is_whole_number(const char *p, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (p[i] == '.' || p[i] == 'e' || p[i] == 'E') return false;
  }
  return true;
}

/* SQLITE_INTEGER or SQLITE_FLOAT, if numeric affinity makes a number of the value; else its type. The value itself must
** keep its type, because SQLite compares it again. sqlite3_value_numeric_type() would change it; and on a copy it
** crashes in SQLite 3.52 and 3.53, which use the copy's connection although it is NULL. */
static int numeric_type(sqlite3_value *value) {
  int type = sqlite3_value_type(value);
  if (type != SQLITE_TEXT) return type;
  const char *text = (const char *)sqlite3_value_text(value);
  size_t length = (size_t)sqlite3_value_bytes(value);
  if (text == NULL || !tr_looks_numeric(text, length)) return type;
  bool is_exact = fabs(sqlite3_value_double(value)) < TR_EXACT_DOUBLE;
  return is_exact && is_whole_number(text, length) ? SQLITE_INTEGER : SQLITE_FLOAT;
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

#define POLL_VALUES_EVERY 256 /* values: SQLite itself does not check for interrupts while it gives us the list */

typedef int (*TrVisit)(void *context, sqlite3_value *value);

/* Calls visit for each value of IN (...). */
static int visit_list(sqlite3_value *list, TrPoll *poll, TrVisit visit, void *context) {
  sqlite3_value *value = NULL;
  int code = sqlite3_vtab_in_first(list, &value);
  for (unsigned count = 1; code == SQLITE_OK; count++) {
    code = visit(context, value);
    if (code == SQLITE_OK && count % POLL_VALUES_EVERY == 0) code = tr_poll(poll);
    if (code == SQLITE_OK) code = sqlite3_vtab_in_next(list, &value);
  }
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* --- job_id ------------------------------------------------------------------------------------------------------- */

static int copy_text(TrText *text, sqlite3_value *value) {
  const unsigned char *bytes = sqlite3_value_text(value);
  if (bytes == NULL) return SQLITE_NOMEM;
  text->length = (size_t)sqlite3_value_bytes(value);
  text->text = sqlite3_malloc64(text->length + 1);
  if (text->text == NULL) return SQLITE_NOMEM;
  memcpy(text->text, bytes, text->length + 1);
  return SQLITE_OK;
}

static void free_job_term(TrJobTerm *term) {
  sqlite3_free(term->glob.text);
  tr_names_free(term->names);
  *term = (TrJobTerm){0};
}

static int add_name(TrJobTerm *term, const char *text, size_t length) {
  uint32_t unused;
  if (term->names == NULL) term->names = tr_names_new();
  if (term->names == NULL) return SQLITE_NOMEM;
  return tr_names_intern(term->names, text, length, &unused);
}

/* Values that cannot be a file's name, nor a job in a record that is decided here, are left out, so that the rest can
** be opened by name: tr_filter_exact_jobs(). */
static int add_choice(void *context, sqlite3_value *value) {
  TrJobTerm *term = context;
  int type = sqlite3_value_type(value);
  if (type == SQLITE_NULL) return SQLITE_OK; /* equals nothing */
  if (type == SQLITE_BLOB) term->decided = false;
  if (!term->decided) return SQLITE_OK;
  const char *text = (const char *)sqlite3_value_text(value);
  if (text == NULL) return SQLITE_NOMEM;
  size_t length = (size_t)sqlite3_value_bytes(value);
  if (type != SQLITE_TEXT || tr_looks_numeric(text, length)) term->numeric = true;
  if (length >= TR_NAME_SIZE || memchr(text, '\0', length)) return SQLITE_OK;
  int code = add_name(term, text, length);
  if (code == SQLITE_FULL) term->decided = false; /* more than the map can hold */
  return code == SQLITE_FULL ? SQLITE_OK : code;
}

static int bind_glob(TrJobTerm *term, sqlite3_value *value, TrPoll *poll) {
  term->decided = sqlite3_value_type(value) == SQLITE_TEXT && tr_host_like_is_short(value, poll->db);
  return term->decided ? copy_text(&term->glob, value) : SQLITE_OK;
}

/* A condition on the job, or on the host: `terms` and `count` are the filter's. */
static int bind_name(TrFilter *filter, TrJobTerm *terms, int *count, TrOp op, sqlite3_value *value, TrPoll *poll) {
  TrJobTerm *term = &terms[(*count)++];
  int code = SQLITE_OK;
  *term = (TrJobTerm){.decided = true};
  if (op == TR_IN) {
    code = visit_list(value, poll, add_choice, term);
  } else if (sqlite3_value_type(value) == SQLITE_NULL) {
    filter->nothing |= op != TR_IS;
    term->decided = false;
  } else if (op == TR_GLOB) {
    code = bind_glob(term, value, poll);
  } else {
    code = add_choice(term, value);
  }
  if (!term->decided) {
    free_job_term(term);
    --*count;
  }
  return code;
}

static bool matches_glob(const char *pattern, const char *job_id, size_t length) {
  char copy[TR_NAME_SIZE];
  memcpy(copy, job_id, length);
  copy[length] = '\0';
  return sqlite3_strglob(pattern, copy) == 0;
}

static bool matches_term(const TrJobTerm *term, const char *job_id, size_t length) {
  uint32_t unused;
  if (term->glob.text) return matches_glob(term->glob.text, job_id, length);
  if (term->names && tr_names_find(term->names, job_id, length, &unused)) return true;
  return term->numeric && tr_looks_numeric(job_id, length);
}

bool tr_filter_wants_job(const TrFilter *filter, const char *job_id, size_t length) {
  for (int i = 0; i < filter->job_count; i++) {
    if (!matches_term(&filter->job[i], job_id, length)) return false;
  }
  return true;
}

bool tr_filter_wants_host(const TrFilter *filter, const char *host, size_t length) {
  for (int i = 0; i < filter->host_count; i++) {
    if (!matches_term(&filter->host[i], host, length)) return false;
  }
  return true;
}

const TrJobTerm *tr_filter_exact_jobs(const TrFilter *filter) {
  for (int i = 0; i < filter->job_count; i++) {
    const TrJobTerm *term = &filter->job[i];
    if (term->glob.text == NULL && !term->numeric) return term;
  }
  return NULL;
}

/* --- success and ok ----------------------------------------------------------------------------------------------- */

/* Can `truth op value` be true? `value` is a number; truth is 0 or 1. */
static bool can_be(int truth, TrOp op, double value) {
  switch (op) {
  case TR_EQ:
  case TR_IS:
  case TR_IN: return truth == value;
  case TR_NE:
  case TR_IS_NOT: return truth != value;
  case TR_LT: return truth < value;
  case TR_LE: return truth <= value;
  case TR_GT: return truth > value;
  case TR_GE: return truth >= value;
  default: return true;
  }
}

static bool is_number(sqlite3_value *value) {
  int type = numeric_type(value);
  return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

typedef struct Truths {
  bool can_be_true, can_be_false;
} Truths;

static int add_truth(void *context, sqlite3_value *value) {
  Truths *truths = context;
  if (!is_number(value)) return SQLITE_OK;
  truths->can_be_true |= can_be(1, TR_IN, sqlite3_value_double(value));
  truths->can_be_false |= can_be(0, TR_IN, sqlite3_value_double(value));
  return SQLITE_OK;
}

static int bind_truth(TrFilter *filter, TrOp op, sqlite3_value *value, TrPoll *poll, bool *skip_true,
                      bool *skip_false) {
  bool can_be_true = true, can_be_false = true;
  if (op == TR_IN) {
    Truths truths = {0};
    int code = visit_list(value, poll, add_truth, &truths);
    if (code != SQLITE_OK) return code;
    can_be_true = truths.can_be_true;
    can_be_false = truths.can_be_false;
  } else if (op == TR_ISNULL || sqlite3_value_type(value) == SQLITE_NULL) {
    if (op == TR_ISNULL || op == TR_IS)
      can_be_true = can_be_false = false;
    else if (op != TR_IS_NOT)
      filter->nothing = true;
  } else if (is_number(value)) {
    can_be_true = can_be(1, op, sqlite3_value_double(value));
    can_be_false = can_be(0, op, sqlite3_value_double(value));
  }
  *skip_true |= !can_be_true;
  *skip_false |= !can_be_false;
  return SQLITE_OK;
}

/* A success of exactly true or false, the usual case, is handled as for `success`; skips_by_ok() decides the rest. */
static int bind_ok(TrFilter *filter, TrOp op, sqlite3_value *value, TrPoll *poll) {
  int code = bind_truth(filter, op, value, poll, &filter->skip_ok, &filter->skip_not_ok);
  filter->skip_true |= filter->skip_ok;
  filter->skip_false |= filter->skip_not_ok;
  return code;
}

static bool skips_by_ok(const TrFilter *filter, const TrLine *line, const TrRecord *record) {
  if ((!filter->skip_ok && !filter->skip_not_ok) || tr_record_is_unknown(record)) return false;
  return tr_record_is_ok(line, record) ? filter->skip_ok : filter->skip_not_ok;
}

/* --- time_us ------------------------------------------------------------------------------------------------------ */

static void narrow(TrFilter *filter, TrOp op, int64_t low, int64_t high) {
  bool from = op == TR_EQ || op == TR_IS || op == TR_GT || op == TR_GE;
  bool to = op == TR_EQ || op == TR_IS || op == TR_LT || op == TR_LE;
  if (from && low > filter->from_us) filter->from_us = low;
  if (to && high < filter->to_us) filter->to_us = high;
  filter->timed = true;
}

static void bind_time_us(TrFilter *filter, TrOp op, sqlite3_value *value) {
  int type = numeric_type(value);
  if (type == SQLITE_NULL) {
    filter->nothing |= op != TR_IS;
  } else if (type == SQLITE_INTEGER) {
    int64_t bound = sqlite3_value_int64(value); /* also for < and >: SQLite drops the bound itself */
    narrow(filter, op, bound, bound);
  } else if (type == SQLITE_FLOAT && fabs(sqlite3_value_double(value)) < TR_EXACT_DOUBLE) {
    double bound = sqlite3_value_double(value);
    narrow(filter, op, (int64_t)floor(bound), (int64_t)ceil(bound));
  }
}

/* --- offset ------------------------------------------------------------------------------------------------------- */

static void bind_offset(TrFilter *filter, TrOp op, sqlite3_value *value) {
  int type = numeric_type(value);
  if (type == SQLITE_NULL) filter->nothing |= op != TR_IS;
  if (type != SQLITE_INTEGER) return;
  int64_t bound = sqlite3_value_int64(value); /* also for < and >: SQLite drops the bound itself */
  if (op != TR_LT && op != TR_LE && bound > filter->from_offset) filter->from_offset = bound;
  if (op != TR_GT && op != TR_GE && bound < filter->to_offset) filter->to_offset = bound;
}

/* --- timestamp ---------------------------------------------------------------------------------------------------- */

static bool is_ascii(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if ((unsigned char)text[i] >= 0x80) return false;
  }
  return true;
}

static bool is_range(TrOp op) {
  return op >= TR_LT && op <= TR_GE;
}

static int bind_timestamp(TrFilter *filter, TrOp op, sqlite3_value *value) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_NULL) filter->nothing |= op != TR_IS;
  if (type != SQLITE_TEXT) return SQLITE_OK;
  TrText *bound = &filter->text[filter->text_count].value;
  int code = copy_text(bound, value);
  if (code != SQLITE_OK) return code;
  if (tr_looks_numeric(bound->text, bound->length) || (is_range(op) && !is_ascii(bound->text, bound->length))) {
    sqlite3_free(bound->text);
    *bound = (TrText){0};
    return SQLITE_OK;
  }
  filter->text[filter->text_count++].op = (uint8_t)op;
  return SQLITE_OK;
}

static bool compares(const char *text, size_t length, TrOp op, const TrText *bound) {
  size_t shorter = length < bound->length ? length : bound->length;
  int order = memcmp(text, bound->text, shorter);
  if (order == 0) order = (length > bound->length) - (length < bound->length);
  switch (op) {
  case TR_LT: return order < 0;
  case TR_LE: return order <= 0;
  case TR_GT: return order > 0;
  case TR_GE: return order >= 0;
  default: return order == 0;
  }
}

static bool skips_by_text(const TrFilter *filter, const TrLine *line, const TrSpan *span) {
  if (span->kind != TR_STRING || span->escaped) return false;
  const char *text = (const char *)line->text + span->start;
  if (tr_looks_numeric(text, span->length)) return false;
  for (int i = 0; i < filter->text_count; i++) {
    TrOp op = (TrOp)filter->text[i].op;
    if (is_range(op) && !is_ascii(text, span->length)) continue;
    if (!compares(text, span->length, op, &filter->text[i].value)) return true;
  }
  return false;
}

/* --- output and error --------------------------------------------------------------------------------------------- */

static int bind_phrase(TrFilter *filter, TrField field, sqlite3_value *value, TrPoll *poll) {
  if (sqlite3_value_type(value) == SQLITE_NULL) filter->nothing = true;
  if (sqlite3_value_type(value) != SQLITE_TEXT || !tr_host_like_is_short(value, poll->db)) return SQLITE_OK;
  const char *pattern = (const char *)sqlite3_value_text(value);
  TrLikePhrase *phrase = sqlite3_realloc64(filter->phrase, ((sqlite3_uint64)filter->phrase_count + 1) * sizeof *phrase);
  if (pattern == NULL || phrase == NULL) {
    if (phrase) filter->phrase = phrase;
    return SQLITE_NOMEM;
  }
  filter->phrase = phrase;
  filter->phrase_count += tr_like_phrase_set(&phrase[filter->phrase_count], field, pattern);
  return SQLITE_OK;
}

static bool lacks_phrase(const TrFilter *filter, const TrLine *line, const TrRecord *record) {
  for (int i = 0; i < filter->phrase_count; i++) {
    if (tr_like_phrase_is_missing(&filter->phrase[i], line, record)) return true;
  }
  return false;
}

/* --- jobs in records, under a mapping ----------------------------------------------------------------------------- */

/* Surely none of the jobs that are wanted? Where that takes more than to look at its bytes, SQLite decides. */
static bool lacks_job(const TrFilter *filter, const TrLine *line, const TrRecord *record) {
  const TrSpan *span = &record->job;
  const char *job = (const char *)line->text + span->start;
  if (span->kind == TR_ABSENT) return filter->job_count > 0;
  if ((span->kind == TR_STRING && span->escaped) || span->length >= TR_NAME_SIZE) return false;
  for (int i = 0; i < filter->job_count; i++) {
    if (filter->job[i].glob.text == NULL && !matches_term(&filter->job[i], job, span->length)) return true;
  }
  return false;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int bind_term(TrFilter *filter, TrColumn column, TrOp op, sqlite3_value *value, TrPoll *poll) {
  switch (column) {
  case TR_COLUMN_JOB_ID: return bind_name(filter, filter->job, &filter->job_count, op, value, poll);
  case TR_COLUMN_HOST: /* of more conditions SQLite decides */
    if (filter->host_count == TR_HOST_TERMS) return SQLITE_OK;
    return bind_name(filter, filter->host, &filter->host_count, op, value, poll);
  case TR_COLUMN_SUCCESS: return bind_truth(filter, op, value, poll, &filter->skip_true, &filter->skip_false);
  case TR_COLUMN_OK: return bind_ok(filter, op, value, poll);
  case TR_COLUMN_TIME_US: bind_time_us(filter, op, value); return SQLITE_OK;
  case TR_COLUMN_OFFSET: bind_offset(filter, op, value); return SQLITE_OK;
  case TR_COLUMN_TIMESTAMP: return bind_timestamp(filter, op, value);
  case TR_COLUMN_OUTPUT: return bind_phrase(filter, TR_OUTPUT, value, poll);
  case TR_COLUMN_ERROR: return bind_phrase(filter, TR_ERROR, value, poll);
  case TR_COLUMN_ROWID:
    filter->nothing |= sqlite3_value_type(value) == SQLITE_NULL;
    if (sqlite3_value_type(value) != SQLITE_INTEGER) return SQLITE_OK;
    filter->by_rowid = true;
    filter->rowid = sqlite3_value_int64(value);
    return SQLITE_OK;
  default: return SQLITE_OK;
  }
}

int tr_filter_bind(TrFilter *filter, const TrPlan *plan, int argc, sqlite3_value **argv, TrPoll *poll) {
  *filter = (TrFilter){.order = plan->order,
                       .all_segments = plan->all_segments,
                       .to_offset = INT64_MAX,
                       .from_us = INT64_MIN,
                       .to_us = INT64_MAX};
  int code = SQLITE_OK;
  for (int i = 0; i < plan->count && i < argc && code == SQLITE_OK; i++) {
    if (plan->term[i].op != TR_OPS)
      code = bind_term(filter, (TrColumn)plan->term[i].column, (TrOp)plan->term[i].op, argv[i], poll);
  }
  if (code != SQLITE_OK) tr_filter_free(filter);
  return code;
}

/* Only one job's file, by its name; no affinity is involved. */
int tr_filter_for_job(TrFilter *filter, const char *job_id, size_t length, TrOrder order) {
  *filter = (TrFilter){.order = (uint8_t)order, .to_offset = INT64_MAX, .from_us = INT64_MIN, .to_us = INT64_MAX};
  filter->job_count = 1;
  filter->job[0] = (TrJobTerm){.decided = true};
  int code = add_name(&filter->job[0], job_id, length);
  if (code != SQLITE_OK) tr_filter_free(filter);
  return code;
}

int tr_filter_add_host(TrFilter *filter, TrBytes host) {
  TrJobTerm *term = &filter->host[filter->host_count++];
  *term = (TrJobTerm){.decided = true};
  int code = add_name(term, host.text, host.length);
  if (code != SQLITE_OK) tr_filter_free(filter);
  return code;
}

void tr_filter_free(TrFilter *filter) {
  for (int i = 0; i < filter->host_count; i++) free_job_term(&filter->host[i]);
  for (int i = 0; i < filter->job_count; i++) free_job_term(&filter->job[i]);
  for (int i = 0; i < filter->text_count; i++) sqlite3_free(filter->text[i].value.text);
  sqlite3_free(filter->phrase);
  *filter = (TrFilter){0};
}

/* What skips a record by `ok` skips one by `success` as well. */
bool tr_filter_is_of_records(const TrFilter *filter) {
  return filter->skip_true || filter->skip_false || filter->text_count || filter->timed || filter->phrase_count ||
         (filter->jobs_in_records && filter->job_count);
}

bool tr_filter_skips_frame(const TrFilter *filter, const TrFrameEntry *frame) {
  if (!filter->timed || frame->flags & TR_FRAME_HAS_UNTIMED) return false;
  return !(frame->flags & TR_FRAME_IS_TIMED) || frame->last_us < filter->from_us || frame->first_us > filter->to_us;
}

bool tr_filter_skips(const TrFilter *filter, const TrLine *line, const TrRecord *record, uint64_t *untimed) {
  uint8_t success = record->field[TR_SUCCESS].kind;
  if ((success == TR_TRUE && filter->skip_true) || (success == TR_FALSE && filter->skip_false)) return true;
  if (success != TR_TRUE && success != TR_FALSE && skips_by_ok(filter, line, record)) return true;
  const TrSpan *timestamp = &record->field[TR_TIMESTAMP];
  if (filter->text_count && skips_by_text(filter, line, timestamp)) return true;
  if (filter->timed) {
    int64_t time_us;
    if (!tr_span_time_us(line, timestamp, &time_us)) {
      ++*untimed;
      return true;
    }
    if (time_us < filter->from_us || time_us > filter->to_us) return true;
  }
  if (filter->jobs_in_records && lacks_job(filter, line, record)) return true;
  return filter->phrase_count && lacks_phrase(filter, line, record);
}

/* --- records of an index ------------------------------------------------------------------------------------------ */

bool tr_filter_finds_indexed(const TrFilter *filter) {
  return filter->skip_true || filter->skip_false || filter->timed;
}

TrSkip tr_filter_skips_indexed(const TrFilter *filter, const TrIndexed *record, uint64_t *untimed) {
  bool is_ok = record->success == TR_INDEXED_TRUE, is_unusual = record->success == TR_INDEXED_OTHER;
  if (is_ok && filter->skip_true) return TR_SKIPPED;
  if (record->success == TR_INDEXED_FALSE && filter->skip_false) return TR_SKIPPED;
  if (record->success == TR_INDEXED_NULL && filter->skip_not_ok) return TR_SKIPPED;
  bool is_outside = record->time_us < filter->from_us || record->time_us > filter->to_us;
  if (filter->timed && record->has_time && is_outside) return TR_SKIPPED;
  if (is_unusual || filter->text_count || filter->phrase_count) return TR_ASK_LINE;
  if (!filter->timed || record->has_time) return TR_WANTED;
  ++*untimed;
  return TR_SKIPPED;
}

bool tr_filter_skips_block(const TrFilter *filter, const TrIndexBlock *block) {
  if (block->records == 0) return true;
  if (filter->skip_true && block->failures == 0 && block->others == 0) return true;
  if (!filter->timed || block->untimed) return false;
  return block->greatest_us < filter->from_us || block->least_us > filter->to_us;
}

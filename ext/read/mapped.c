/*
** mapped.c - a line and a mapping -> record.
**
** The lanes set the spans of the mapping's slots; here they become the fields that a line of our scheduler would have.
** Two kinds of values exist only here. TR_EPOCH: a number that is a time. And for `success`, which under most mappings
** is what lists of values say, TR_TRUE, TR_FALSE or TR_UNKNOWN; their spans have no text.
**
** Runs on any thread: no call to SQLite, no allocation.
*/
#include "read.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void tr_parser_map(TrParser *parser, TrMappedParser *mapped, const TrMapping *mapping) {
  if (mapping == NULL) return;
  mapped->mapping = mapping;
  mapped->fast = tr_fast_lane(0)->mapped;
  mapped->expects_record = true;
  memset(&mapped->layouts, 0, sizeof mapped->layouts);
  mapped->next_verdict = 0;
  for (int i = 0; i < TR_VERDICTS; i++) mapped->verdict[i].length = 0;
  parser->mapped = mapped;
  parser->expects_record = false; /* so that only the way of the unusual lines asks whether there is a mapping */
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static const TrSpan absent_span = {.kind = TR_ABSENT};

/* The first that is there and not null. *which: which one it is. */
static const TrSpan *chosen_slot(const TrChoice *choice, const TrSpan *slot, unsigned *which) {
  for (*which = 0; *which < choice->count; ++*which) {
    const TrSpan *span = &slot[choice->slot[*which]];
    if (span->kind != TR_ABSENT && span->kind != TR_NULL) return span;
  }
  return &absent_span;
}

static TrSpan chosen_field(const TrChoice *choice, const TrSpan *slot) {
  unsigned which;
  return *chosen_slot(choice, slot, &which);
}

#define SURE_DIGITS 17 /* a whole number of no more of them is a time */

static bool is_epoch(const unsigned char *text, const TrSpan *span) {
  int64_t unused_us;
  bool is_iso = span->kind == TR_STRING && span->length > 4 && text[span->start + 4] == '-'; /* so no number */
  bool may_be = span->kind == TR_INTEGER || span->kind == TR_REAL || (span->kind == TR_STRING && !span->escaped);
  return may_be && !is_iso && tr_epoch_parse((const char *)text + span->start, span->length, &unused_us);
}

/* A number, or a text of digits, becomes TR_EPOCH if it is a time. Other texts stay as they are. */
static inline void note_epoch(const unsigned char *text, TrSpan *span) {
  bool is_sure = span->kind == TR_INTEGER && span->length <= SURE_DIGITS && text[span->start] != '-';
  if (is_sure || (span->kind > TR_TRUE && is_epoch(text, span))) span->kind = TR_EPOCH;
}

static TrSpan chosen_time(const TrChoice *choice, const unsigned char *text, const TrSpan *slot) {
  TrSpan span = chosen_field(choice, slot);
  note_epoch(text, &span);
  return span;
}

static bool same_text(const unsigned char *text, const TrSpan *span, const TrMatch *match) {
  if (!span->escaped)
    return span->length == match->length && memcmp(text + span->start, match->text, match->length) == 0;
  unsigned char decoded[1024]; /* nothing can be allocated here; a longer text with escapes is no value of a list */
  if (span->length > sizeof decoded) return false;
  size_t length = tr_decode_string(text + span->start, span->length, decoded);
  return length == match->length && memcmp(decoded, match->text, length) == 0;
}

/* Numbers are compared as numbers: 1 is 1.0. strtod() stops at the span's end, because no character of a number follows
** there. */
static bool same_number(const TrMapping *mapping, const unsigned char *text, const TrSpan *span, const TrMatch *match) {
  return strtod_l((const char *)text + span->start, NULL, mapping->c_locale) == match->number;
}

static bool is_match(const TrMapping *mapping, const unsigned char *text, const TrSpan *span, const TrMatch *match) {
  switch ((TrMatchKind)match->kind) {
  case TR_MATCH_NULL: return span->kind == TR_NULL || span->kind == TR_ABSENT;
  case TR_MATCH_FALSE: return span->kind == TR_FALSE;
  case TR_MATCH_TRUE: return span->kind == TR_TRUE;
  case TR_MATCH_NUMBER:
    return (span->kind == TR_INTEGER || span->kind == TR_REAL) && same_number(mapping, text, span, match);
  case TR_MATCH_TEXT: return span->kind == TR_STRING && same_text(text, span, match);
  }
  return false;
}

static bool pair_holds(const TrMapping *mapping, const TrPair *pair, const unsigned char *text, const TrSpan *slot) {
  const TrMatch *match = &mapping->value[pair->values.first], *end = match + pair->values.count;
  for (; match < end; match++) {
    if (is_match(mapping, text, &slot[pair->slot], match)) return true;
  }
  return false;
}

static bool case_holds(const TrMapping *mapping, const TrSlice *pairs, const unsigned char *text, const TrSpan *slot) {
  for (unsigned i = 0; i < pairs->count; i++) {
    if (!pair_holds(mapping, &mapping->pair[pairs->first + i], text, slot)) return false;
  }
  return true;
}

static bool any_case_holds(const TrMapping *mapping, const TrSlice *cases, const unsigned char *text,
                           const TrSpan *slot) {
  for (unsigned i = 0; i < cases->count; i++) {
    if (case_holds(mapping, &mapping->case_[cases->first + i], text, slot)) return true;
  }
  return false;
}

static TrKind success_by_lists(const TrMapping *mapping, const unsigned char *text, const TrSpan *slot) {
  return any_case_holds(mapping, &mapping->unknown, text, slot)   ? TR_UNKNOWN
         : any_case_holds(mapping, &mapping->failure, text, slot) ? TR_FALSE
         : any_case_holds(mapping, &mapping->success, text, slot) ? TR_TRUE
                                                                  : TR_UNKNOWN;
}

/* --- verdicts ----------------------------------------------------------------------------------------------------- */

/* The values of the slots that decide, as they stand in the line: for each its kind, and what a text or a number needs.
** Lines with the same have the same verdict. False: too long to be kept. */
static bool note_deciding_values(const TrMapping *mapping, const unsigned char *text, const TrSpan *slot,
                                 TrMappedVerdict *verdict) {
  unsigned char *out = verdict->text, *end = out + TR_VERDICT_BYTES;
  for (unsigned i = 0; i < mapping->deciding; i++) {
    const TrSpan *span = &slot[mapping->decides[i]];
    bool has_bytes = span->kind == TR_STRING || span->kind == TR_INTEGER || span->kind == TR_REAL;
    uint32_t length = has_bytes ? span->length : 0;
    if (length > (size_t)(end - out) || end - out - length < 3) return false;
    *out++ = (unsigned char)(span->kind << 1 | (has_bytes && span->escaped));
    *out++ = (unsigned char)length;
    for (uint32_t k = 0; k < length; k++) *out++ = text[span->start + k];
  }
  verdict->length = (uint8_t)(out - verdict->text);
  return true;
}

static void decide(const TrMapping *mapping, const unsigned char *text, const TrSpan *slot, TrMappedVerdict *verdict) {
  bool is_wanted = mapping->where.count == 0 || any_case_holds(mapping, &mapping->where, text, slot);
  verdict->reason = is_wanted ? TR_OK : TR_OTHER;
  verdict->success = TR_UNKNOWN;
  if (is_wanted && !mapping->has_truth) verdict->success = (uint8_t)success_by_lists(mapping, text, slot);
}

/* The values are few and the same again and again: so the latest verdicts are kept. */
static const TrMappedVerdict *verdict_of(TrMappedParser *parser, const unsigned char *text, TrMappedVerdict *own) {
  own->length = 0;
  bool is_noted = parser->mapping->deciding > 0 && note_deciding_values(parser->mapping, text, parser->slot, own);
  for (unsigned i = 0; is_noted && i < TR_VERDICTS; i++) {
    const TrMappedVerdict *kept = &parser->verdict[i];
    if (kept->length == own->length && memcmp(kept->text, own->text, own->length) == 0) return kept;
  }
  decide(parser->mapping, text, parser->slot, own);
  if (!is_noted) return own;
  parser->verdict[parser->next_verdict] = *own;
  parser->next_verdict = (parser->next_verdict + 1) % TR_VERDICTS;
  return own;
}

/* --- direct layouts ----------------------------------------------------------------------------------------------- */

typedef struct Roles {            /* of the slots in a layout */
  uint64_t present;               /* a bit for each whose value differs from line to line */
  uint16_t into[TR_MAX_KEYS + 1]; /* the place in TrRecord; 0: none yet */
  bool are_clear;                 /* so far: each column has one slot, and each slot one column */
} Roles;

#define NOBODYS_PLACE offsetof(TrRecord, field[TR_FIELD_COUNT])

/* *which: the index of the choice's slot. */
static void give_place(Roles *roles, const TrChoice *choice, size_t place, unsigned *which) {
  *which = 0;
  bool is_given = false;
  for (unsigned i = 0; i < choice->count; i++) {
    unsigned slot = choice->slot[i];
    if (!(roles->present >> slot & 1)) continue;
    roles->are_clear = roles->are_clear && !is_given && roles->into[slot] == NOBODYS_PLACE;
    roles->into[slot] = (uint16_t)place;
    *which = i;
    is_given = true;
  }
}

static void give_places(Roles *roles, const TrMapping *mapping, TrMappedLayout *layout) {
  unsigned which;
  TrChoice truth = {.count = mapping->has_truth, .slot = {mapping->truth}};
  give_place(roles, &mapping->timestamp, offsetof(TrRecord, field[TR_TIMESTAMP]), &which);
  give_place(roles, &mapping->name, offsetof(TrRecord, field[TR_JOB_NAME]), &which);
  give_place(roles, &truth, offsetof(TrRecord, field[TR_SUCCESS]), &which);
  give_place(roles, &mapping->output, offsetof(TrRecord, field[TR_OUTPUT]), &which);
  give_place(roles, &mapping->error, offsetof(TrRecord, field[TR_ERROR]), &which);
  give_place(roles, &mapping->job, offsetof(TrRecord, job), &which);
  give_place(roles, &mapping->started, offsetof(TrRecord, started), &which);
  give_place(roles, &mapping->duration, offsetof(TrRecord, duration), &which);
  layout->duration_in_seconds = mapping->in_seconds >> which & 1;
}

/* If it can be, the layout becomes direct. `verdict`: on the line that has it. */
static void learn_direct(const TrMapping *mapping, TrMappedLayout *layout, const TrMappedVerdict *verdict) {
  Roles roles = {.are_clear = layout->count > 0};
  unsigned count = mapping->keys.count;
  layout->is_judged = true;
  for (unsigned i = 0; i <= count; i++) roles.into[i] = NOBODYS_PLACE;
  for (unsigned i = 0; i < layout->count; i++) roles.present |= UINT64_C(1) << layout->step[i].field;
  for (unsigned i = 0; i < mapping->deciding; i++) {
    if (roles.present >> mapping->decides[i] & 1) return; /* the next line may have another verdict */
  }
  give_places(&roles, mapping, layout);
  if (!roles.are_clear) return;
  for (unsigned i = 0; i < layout->count; i++) {
    TrMappedStep *step = &layout->step[i];
    step->into = roles.into[step->field];
    step->null_kind = step->into == offsetof(TrRecord, field[TR_SUCCESS]) ? TR_NULL : TR_ABSENT;
  }
  layout->reason = verdict->reason;
  layout->success = verdict->success;
  layout->is_direct = true;
}

static TrMappedLayout *latest_layout(TrMappedParser *parser) {
  return &parser->layouts.likely[parser->layouts.latest];
}

/* The lane has set the spans of the record. */
static TrReason finish_direct(TrMappedParser *parser, const unsigned char *text, TrRecord *record) {
  const TrMappedLayout *layout = latest_layout(parser);
  if (layout->reason != TR_OK) return (TrReason)layout->reason;
  if (!parser->mapping->has_truth) record->field[TR_SUCCESS].kind = layout->success;
  note_epoch(text, &record->field[TR_TIMESTAMP]);
  note_epoch(text, &record->started);
  record->duration_in_seconds = layout->duration_in_seconds;
  return TR_OK;
}

/* --- the record --------------------------------------------------------------------------------------------------- */

/* `layout`: that of the line, if a fast lane has read it. */
static TrReason resolve(TrMappedParser *parser, const unsigned char *text, TrMappedLayout *layout, TrRecord *record) {
  const TrMapping *mapping = parser->mapping;
  const TrSpan *slot = parser->slot;
  unsigned which;
  TrMappedVerdict own;
  const TrMappedVerdict *verdict = verdict_of(parser, text, &own);
  if (layout && !layout->is_judged) learn_direct(mapping, layout, verdict);
  if (verdict->reason != TR_OK) return (TrReason)verdict->reason;
  record->field[TR_TIMESTAMP] = chosen_time(&mapping->timestamp, text, slot);
  record->field[TR_JOB_NAME] = chosen_field(&mapping->name, slot);
  record->field[TR_SUCCESS] = mapping->has_truth ? slot[mapping->truth] : (TrSpan){.kind = verdict->success};
  record->field[TR_OUTPUT] = chosen_field(&mapping->output, slot);
  record->field[TR_ERROR] = chosen_field(&mapping->error, slot);
  record->job = chosen_field(&mapping->job, slot);
  record->started = chosen_time(&mapping->started, text, slot);
  record->duration = *chosen_slot(&mapping->duration, slot, &which);
  record->duration_in_seconds = mapping->in_seconds >> which & 1;
  return TR_OK;
}

static TrReason parse_mapped(TrMappedParser *parser, const TrLine *line, TrRecord *record) {
  const TrKeys *keys = &parser->mapping->keys;
  if (line->too_long) return TR_TOO_LONG;
  const unsigned char *end = parser->fast(line->text, &parser->layouts, keys, parser->slot, record);
  parser->expects_record = end == line->text + line->length;
  if (parser->expects_record && parser->layouts.is_direct) return finish_direct(parser, line->text, record);
  TrReason reason = parser->expects_record ? TR_OK : tr_slow_mapped_lane(line->text, line->length, keys, parser->slot);
  if (reason == TR_OK)
    return resolve(parser, line->text, parser->expects_record ? latest_layout(parser) : NULL, record);
  return reason == TR_BLANK || line->terminated ? reason : TR_UNFINISHED;
}

int tr_mapped_next(TrMappedParser *parser, TrLines *lines, TrParsed *parsed) {
  const TrKeys *keys = &parser->mapping->keys;
  const unsigned char *text = tr_lines_buffered(lines);
  if (text && parser->expects_record) {
    TrRecord *record = &parsed->record;
    const unsigned char *end = parser->fast(text, &parser->layouts, keys, parser->slot, record);
    if (end && *end == '\n' && tr_lines_take(lines, (size_t)(end - text), &parsed->line)) {
      parsed->reason = parser->layouts.is_direct ? finish_direct(parser, text, record)
                                                 : resolve(parser, text, latest_layout(parser), record);
      return SQLITE_ROW;
    }
  }
  int code = tr_lines_next(lines, &parsed->line);
  if (code == SQLITE_ROW) parsed->reason = parse_mapped(parser, &parsed->line, &parsed->record);
  return code;
}

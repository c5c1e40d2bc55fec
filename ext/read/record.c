/*
** record.c - line -> record: which lane parses it, and the words for a refusal.
**
** The contract of both lanes is one: the spans of a record, or a reason. The fast lane may only say "a record" or "not
** mine"; every refusal comes from the slow lane, so there is one place that decides what is refused and why. The
** verdict is that of Python's json.loads(), the reader that the scheduler itself uses.
*/
#include "read.h"

const char *tr_reason_text(TrReason reason) {
  static const char *const text[TR_REASON_COUNT] = {
      [TR_OK] = "ok",
      [TR_BLANK] = "blank line",
      [TR_NOT_UTF8] = "not valid UTF-8",
      [TR_BOM] = "begins with a byte order mark",
      [TR_CONTROL_CHARACTER] = "raw control character in a string",
      [TR_BAD_ESCAPE] = "bad escape in a string",
      [TR_CUT_SHORT] = "cut short: a write was interrupted",
      [TR_EXTRA_DATA] = "text after the record",
      [TR_BAD_NUMBER] = "not a JSON number",
      [TR_MALFORMED] = "malformed JSON",
      [TR_NOT_AN_OBJECT] = "JSON, but not an object",
      [TR_TOO_MANY_DIGITS] = "integer of more than 4300 digits",
      [TR_TOO_DEEP] = "nested more than 900 levels deep",
      [TR_TOO_LONG] = "longer than max_line",
      [TR_UNFINISHED] = "no newline yet: still being written, or cut short",
  };
  return text[reason];
}

void tr_parser_init(TrParser *parser) {
  parser->fast = tr_fast_lane();
  parser->layout = (TrLayout){0};
  parser->expects_record = true;
}

static bool fast_lane_takes(TrParser *parser, const TrLine *line, TrRecord *record) {
  return parser->fast(line->text, &parser->layout, record) == line->text + line->length;
}

TrReason tr_parse(TrParser *parser, const TrLine *line, TrRecord *record) {
  if (line->too_long) return TR_TOO_LONG;
  parser->expects_record = fast_lane_takes(parser, line, record);
  if (parser->expects_record) return TR_OK;
  TrReason reason = tr_slow_lane(line->text, line->length, record);
  if (reason == TR_OK || reason == TR_BLANK || line->terminated) return reason;
  return TR_UNFINISHED;
}

/* Is there a record at the head of what was read? The fast lane finds the line's end as it goes. */
static bool take_record(TrParser *parser, TrLines *lines, TrParsed *parsed) {
  const unsigned char *text = tr_lines_buffered(lines);
  if (text == NULL || !parser->expects_record) return false;
  const unsigned char *end = parser->fast(text, &parser->layout, &parsed->record);
  return end && *end == '\n' && tr_lines_take(lines, (size_t)(end - text), &parsed->line);
}

int tr_parse_next(TrParser *parser, TrLines *lines, TrParsed *parsed) {
  parsed->reason = TR_OK;
  if (take_record(parser, lines, parsed)) return SQLITE_ROW;
  int code = tr_lines_next(lines, &parsed->line);
  if (code == SQLITE_ROW) parsed->reason = tr_parse(parser, &parsed->line, &parsed->record);
  return code;
}

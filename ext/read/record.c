/*
** record.c - line -> record, or the reason why it is none: which lane parses it.
**
** The fast lane answers "a record" or "not mine"; the slow lane then gets the line. Only the slow lane rejects lines
** (but for those that are too long), so one place decides which lines are rejected and why. A line is a record if
** Python's json.loads(), which the scheduler itself uses, reads an object from it.
*/
#include "read.h"

void tr_parser_init(TrParser *parser) {
  parser->fast = tr_fast_lane(0)->native;
  parser->layout = (TrLayout){0};
  parser->expects_record = true;
  parser->mapped = NULL;
}

static bool fast_lane_takes(TrParser *parser, const TrLine *line, TrRecord *record) {
  return parser->fast(line->text, &parser->layout, record) == line->text + line->length;
}

TrReason tr_parse(TrParser *parser, const TrLine *line, TrRecord *record) {
  if (line->too_long) return TR_TOO_LONG;
  parser->expects_record = fast_lane_takes(parser, line, record);
  if (parser->expects_record) return TR_OK;
  TrReason reason = tr_slow_lane(line->text, (size_t)line->length, record);
  if (reason == TR_OK || reason == TR_BLANK || line->terminated) return reason;
  return TR_UNFINISHED;
}

/* Takes the next line straight from the buffer if the fast lane accepts it; the fast lane finds the line's end, too. */
static bool take_record(TrParser *parser, TrLines *lines, TrParsed *parsed) {
  const unsigned char *text = tr_lines_buffered(lines);
  if (text == NULL || !parser->expects_record) return false;
  const unsigned char *end = parser->fast(text, &parser->layout, &parsed->record);
  return end && *end == '\n' && tr_lines_take(lines, (size_t)(end - text), &parsed->line);
}

int tr_parse_next(TrParser *parser, TrLines *lines, TrParsed *parsed) {
  parsed->reason = TR_OK;
  if (take_record(parser, lines, parsed)) return SQLITE_ROW;
  if (parser->mapped) return tr_mapped_next(parser->mapped, lines, parsed);
  int code = tr_lines_next(lines, &parsed->line);
  if (code == SQLITE_ROW) parsed->reason = tr_parse(parser, &parsed->line, &parsed->record);
  return code;
}

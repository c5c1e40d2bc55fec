/*
** reason.c - the text of each reason why a line is not a record, as task_rejects shows it.
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
      [TR_OTHER] = "not of the mapping",
      [TR_DAMAGED] = "damaged",
      [TR_UNFINISHED] = "no newline yet: still being written, or cut short",
  };
  return text[reason];
}

/*
** json_string.c - a text -> a JSON string, a number or text -> a member of a JSON object: for what we write in JSON
** ourselves, such as reports of a prune, its moves and its receipts.
**
** Records are written by write/encode.c, which escapes all that is not ASCII, as Python does. Here, characters stay as
** they are.
*/
#include "base.h"

#include <string.h>

void tr_json_append_string(sqlite3_str *out, const char *text, size_t length) {
  sqlite3_str_appendchar(out, 1, '"');
  for (size_t i = 0; i < length;) {
    unsigned char c = (unsigned char)text[i];
    unsigned sequence = c < 0x80 ? 1 : tr_utf8_sequence((const unsigned char *)text + i, length - i);
    if (c < 0x20 || c == 0x7f) {
      sqlite3_str_appendf(out, "\\u%04x", c);
    } else if (sequence == 0) {
      sqlite3_str_appendall(out, "\xef\xbf\xbd");
    } else {
      if (c == '"' || c == '\\') sqlite3_str_appendchar(out, 1, '\\');
      sqlite3_str_append(out, text + i, (int)sequence);
    }
    i += sequence ? sequence : 1;
  }
  sqlite3_str_appendchar(out, 1, '"');
}

void tr_json_append_exact(sqlite3_str *out, const char *name, uint64_t number) {
  const char *quote = number < (uint64_t)TR_EXACT_DOUBLE ? "" : "\"";
  sqlite3_str_appendf(out, "\"%s\":%s%llu%s", name, quote, (unsigned long long)number, quote);
}

void tr_json_append_integer(sqlite3_str *out, const char *name, int64_t number) {
  sqlite3_str_appendf(out, ",\"%s\":%lld", name, (long long)number);
}

void tr_json_append_text(sqlite3_str *out, const char *name, const char *text) {
  sqlite3_str_appendf(out, ",\"%s\":", name);
  if (text)
    tr_json_append_string(out, text, strlen(text));
  else
    sqlite3_str_appendall(out, "null");
}

/*
** encode.c - row -> line: byte for byte what the scheduler writes, which is Python's json.dumps(record) + "\n".
**
** Keys in the scheduler's order, ", " and ": " between them, and ensure_ascii: every character outside ' ' to '~' is
** written as \uXXXX in lower-case hex (DEL too), those above U+FFFF as two surrogates, except for the five that have a
** short escape. So a line is ASCII, and its only newline is its last byte: pending.c and append.c build on that.
**
** The texts must be UTF-8; whoever makes the row checks that.
*/
#include "write.h"

#include <string.h>

/* A byte of text takes at most the six bytes of \u0000: a two-byte character makes one escape, a four-byte character
** two. */
#define WORST_ESCAPE 6

/* Cuts a text after TR_MAX_TEXT code points. */
TrBytes tr_cut_text(TrBytes text) {
  if (text.length <= TR_MAX_TEXT) return text;
  size_t points = 0;
  for (size_t i = 0; i < text.length; i++) {
    bool starts = ((unsigned char)text.text[i] & 0xC0) != 0x80;
    if (starts && points++ == TR_MAX_TEXT) return (TrBytes){text.text, i};
  }
  return text;
}

static char *put(char *out, const char *text, size_t length) {
  memcpy(out, text, length);
  return out + length;
}

static char *put_literal(char *out, const char *text) {
  return put(out, text, strlen(text));
}

static char *put_unit(char *out, uint32_t unit) {
  static const char hex[] = "0123456789abcdef";
  *out++ = '\\';
  *out++ = 'u';
  for (int shift = 12; shift >= 0; shift -= 4) *out++ = hex[unit >> shift & 15];
  return out;
}

static char *put_code(char *out, uint32_t code) {
  if (code < 0x10000) return put_unit(out, code);
  out = put_unit(out, 0xD800 + ((code - 0x10000) >> 10));
  return put_unit(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
}

/* The code point of a valid sequence of that length. */
static uint32_t decode(const unsigned char *text, unsigned length) {
  uint32_t code = text[0] & (0xFFu >> (length + 1));
  for (unsigned i = 1; i < length; i++) code = code << 6 | (text[i] & 0x3F);
  return code;
}

static char *put_ascii(char *out, unsigned char c) {
  static const char short_escape[128] = {
      ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
  if (short_escape[c]) {
    *out++ = '\\';
    *out++ = short_escape[c];
  } else if (c < ' ' || c == 0x7F) {
    out = put_unit(out, c);
  } else {
    *out++ = (char)c;
  }
  return out;
}

/* How many of the eight bytes at `text` come before the first that needs an escape. The high bit of a byte marks it as
** special; a borrow can mark later bytes wrongly, but never earlier ones. */
static unsigned plain_bytes(const unsigned char *text, uint64_t *word) {
  const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
  memcpy(word, text, sizeof *word);
  uint64_t quote = *word ^ (ones * '"'), backslash = *word ^ (ones * '\\'), del = *word ^ (ones * 0x7F);
  uint64_t found = (quote - ones) | (backslash - ones) | (del - ones) | (*word - ones * ' ') | *word;
  if ((found & high) == 0) return sizeof *word;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return (unsigned)__builtin_ctzll(found & high) / 8;
#else
  return 0; /* the first one may be plain after all; put_ascii() handles that */
#endif
}

static char *put_character(char *out, const unsigned char **text, const unsigned char *end) {
  if (**text < 0x80) return put_ascii(out, *(*text)++);
  unsigned length = tr_utf8_sequence(*text, (size_t)(end - *text));
  out = put_code(out, decode(*text, length));
  *text += length;
  return out;
}

static char *put_string(char *out, TrBytes bytes) {
  const unsigned char *text = (const unsigned char *)bytes.text, *end = text + bytes.length;
  *out++ = '"';
  while (end - text >= 8) {
    uint64_t word;
    unsigned plain = plain_bytes(text, &word);
    memcpy(out, &word, sizeof word); /* the bound leaves room for all of them */
    out += plain;
    text += plain;
    if (plain < sizeof word) out = put_character(out, &text, end);
  }
  while (text < end) out = put_character(out, &text, end);
  *out++ = '"';
  return out;
}

size_t tr_encode_least(const TrRow *row) {
  return row->timestamp.length + row->job_id.length + row->job_name.length + row->output.length + row->error.length;
}

size_t tr_encode_bound(const TrRow *row) {
  return tr_encode_least(row) * WORST_ESCAPE + 128; /* keys, quotes and separators */
}

size_t tr_encode(const TrRow *row, char *out) {
  char *start = out;
  out = put_literal(out, "{\"timestamp\": ");
  out = put_string(out, row->timestamp);
  out = put_literal(out, ", \"job_id\": ");
  out = put_string(out, row->job_id);
  out = put_literal(out, ", \"job_name\": ");
  out = put_string(out, row->job_name);
  out = put_literal(out, row->success ? ", \"success\": true, \"output\": " : ", \"success\": false, \"output\": ");
  out = put_string(out, row->output);
  out = put_literal(out, ", \"error\": ");
  out = put_string(out, row->error);
  out = put_literal(out, "}\n");
  return (size_t)(out - start);
}

/*
** text.c - UTF-8 and JSON escapes: what both lanes, the values and the writer know about text.
*/
#include "base.h"

#include <string.h>

/* The ranges are those of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
unsigned tr_utf8_sequence(const unsigned char *text, size_t available) {
  unsigned char lead = text[0];
  unsigned length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0 || length > available) return 0;
  unsigned char low = 0x80, high = 0xBF; /* for the second byte */
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  if (text[1] < low || text[1] > high) return 0;
  for (unsigned i = 2; i < length; i++) {
    if (text[i] < 0x80 || text[i] > 0xBF) return 0;
  }
  return length;
}

bool tr_utf8_is_valid(const void *bytes, size_t length) {
  const unsigned char *text = bytes;
  size_t i = 0;
  while (i < length) {
    uint64_t word;
    if (i + sizeof word <= length) { /* eight ASCII bytes at a step */
      memcpy(&word, text + i, sizeof word);
      if ((word & UINT64_C(0x8080808080808080)) == 0) {
        i += sizeof word;
        continue;
      }
    }
    unsigned step = text[i] < 0x80 ? 1 : tr_utf8_sequence(text + i, length - i);
    if (step == 0) return false;
    i += step;
  }
  return true;
}

int tr_utf8_cut(const char *text, size_t length, int most_bytes) {
  if (length <= (size_t)most_bytes) return (int)length;
  while (most_bytes > 0 && ((unsigned char)text[most_bytes] & 0xc0) == 0x80) most_bytes--;
  return most_bytes;
}

size_t tr_utf8_repair(const unsigned char *text, size_t length, unsigned char *out) {
  unsigned char *o = out;
  for (size_t i = 0; i < length;) {
    size_t step = text[i] < 0x80 ? 1 : tr_utf8_sequence(text + i, length - i);
    memcpy(o, step ? text + i : (const unsigned char *)"\xEF\xBF\xBD", step ? step : 3);
    o += step ? step : 3;
    i += step ? step : 1;
  }
  return (size_t)(o - out);
}

static inline size_t put_utf8(uint32_t code, unsigned char *out) {
  if (code < 0x80) {
    out[0] = (unsigned char)code;
    return 1;
  }
  if (code < 0x800) {
    out[0] = (unsigned char)(0xC0 | code >> 6);
    out[1] = (unsigned char)(0x80 | (code & 0x3F));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = (unsigned char)(0xE0 | code >> 12);
    out[1] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
    out[2] = (unsigned char)(0x80 | (code & 0x3F));
    return 3;
  }
  out[0] = (unsigned char)(0xF0 | code >> 18);
  out[1] = (unsigned char)(0x80 | (code >> 12 & 0x3F));
  out[2] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
  out[3] = (unsigned char)(0x80 | (code & 0x3F));
  return 4;
}

size_t tr_utf8_put(uint32_t code, unsigned char *out) {
  return put_utf8(code, out);
}

/* p is behind "\u". Sets *code and returns the bytes taken, a following low surrogate included. */
static size_t decode_unicode(const unsigned char *p, const unsigned char *end, uint32_t *code) {
  *code = tr_hex4(p);
  if (tr_is_high_surrogate(*code) && end - p >= 10 && p[4] == '\\' && p[5] == 'u') {
    uint32_t low = tr_hex4(p + 6);
    if (tr_is_low_surrogate(low)) {
      *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
      return 10;
    }
  }
  if (tr_is_high_surrogate(*code) || tr_is_low_surrogate(*code)) *code = 0xFFFD;
  return 4;
}

/* Copies up to the first backslash, or to the end; returns where that is. Sixteen bytes at a step, the same on every
** processor: texts are full of escapes, and a call of memchr() and memcpy() for each costs more than it copies. */
static const unsigned char *copy_plain(const unsigned char *p, const unsigned char *end, unsigned char **out) {
  typedef unsigned char Block __attribute__((vector_size(16)));
  static const Block backslash = {'\\', '\\', '\\', '\\', '\\', '\\', '\\', '\\',
                                  '\\', '\\', '\\', '\\', '\\', '\\', '\\', '\\'};
  unsigned char *o = *out;
  for (; end - p >= 16; p += 16, o += 16) {
    Block block;
    uint64_t found[2];
    memcpy(&block, p, 16);
    memcpy(o, &block, 16); /* also what follows a backslash: the caller overwrites it */
    block = (Block)(block == backslash);
    memcpy(found, &block, 16);
    if ((found[0] | found[1]) == 0) continue;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    unsigned at = (unsigned)(found[0] ? __builtin_ctzll(found[0]) : 64 + __builtin_ctzll(found[1])) / 8;
    *out = o + at;
    return p + at;
#else
    break;
#endif
  }
  while (p < end && *p != '\\') *o++ = *p++;
  *out = o;
  return p;
}

size_t tr_decode_string(const unsigned char *text, size_t length, unsigned char *out) {
  const unsigned char *p = text, *end = text + length;
  unsigned char *o = out;
  while ((p = copy_plain(p, end, &o)) < end) {
    unsigned char escape = p[1];
    p += 2;
    uint32_t code;
    switch (escape) {
    case 'b': *o++ = '\b'; break;
    case 'f': *o++ = '\f'; break;
    case 'n': *o++ = '\n'; break;
    case 'r': *o++ = '\r'; break;
    case 't': *o++ = '\t'; break;
    case 'u':
      p += decode_unicode(p, end, &code);
      o += put_utf8(code, o);
      break;
    default: *o++ = escape; break; /* quote, slash, backslash */
    }
  }
  return (size_t)(o - out);
}

/*
** fast.c - the fast lane: flat objects of scalars, which is what nearly every line is.
**
** Any key order, any white space, unknown keys, both separator styles, all escapes, raw UTF-8. It validates every byte,
** decodes nothing, and answers "a record" or "not mine"; it never refuses a line. Nested values, NaN and Infinity, keys
** with escapes and whatever is odd are not its business. The differential tests hold it to the slow lane: wherever it
** says "a record", the slow lane must say so too, with the same spans.
**
** Two ideas make it fast. Strings are searched 64 bytes at a step for the few bytes that matter. And since the lines of
** a file are written by one program, the bytes between the values are those of the line before: comparing them is
** cheaper than parsing them, and proves as much.
*/
#include "../tr.h"

#include <string.h>

/* p is at a backslash. The length of a valid escape, or 0. */
static inline unsigned fast_escape_length(const unsigned char *p) {
  static const uint8_t simple['z'] = {
      ['"'] = 1, ['/'] = 1, ['\\'] = 1, ['b'] = 1, ['f'] = 1, ['n'] = 1, ['r'] = 1, ['t'] = 1, ['u'] = 2};
  static const uint8_t hex[256] = {
      ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1,
      ['8'] = 1, ['9'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1,
      ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1,
  };
  unsigned kind = p[1] < sizeof simple ? simple[p[1]] : 0;
  if (kind == 1) return 2;
  if (kind == 2 && (hex[p[2]] & hex[p[3]] & hex[p[4]] & hex[p[5]])) return 6;
  return 0;
}

static inline const unsigned char *fast_space(const unsigned char *p) {
  while (*p == ' ' || *p == '\t' || *p == '\r') p++;
  return p;
}

static inline const unsigned char *fast_digits(const unsigned char *p) {
  while (*p >= '0' && *p <= '9') p++;
  return p;
}

static const unsigned char *fast_number(const unsigned char *p, uint8_t *kind) {
  *kind = TR_INTEGER;
  if (*p == '-') p++;
  const unsigned char *digits = p;
  p = fast_digits(p);
  if (p == digits || (*digits == '0' && p > digits + 1) || p - digits > TR_MAX_INT_DIGITS) return NULL;
  if (*p == '.') {
    *kind = TR_REAL;
    const unsigned char *fraction = p + 1;
    p = fast_digits(fraction);
    if (p == fraction) return NULL;
  }
  if (*p == 'e' || *p == 'E') {
    *kind = TR_REAL;
    p++;
    if (*p == '+' || *p == '-') p++;
    const unsigned char *exponent = p;
    p = fast_digits(exponent);
    if (p == exponent) return NULL;
  }
  return p;
}

/* A value that is not a string. Returns what follows it, or NULL: not mine. */
static const unsigned char *fast_plain_value(const unsigned char *p, uint8_t *kind) {
  switch (*p) {
  case 't': *kind = TR_TRUE; return memcmp(p, "true", 4) == 0 ? p + 4 : NULL;
  case 'f': *kind = TR_FALSE; return memcmp(p, "false", 5) == 0 ? p + 5 : NULL;
  case 'n': *kind = TR_NULL; return memcmp(p, "null", 4) == 0 ? p + 4 : NULL;
  default: return fast_number(p, kind);
  }
}

/* Nothing but the closing brace and white space may follow the last value. Returns the line's end, or NULL. */
static inline const unsigned char *fast_close(const unsigned char *p, const unsigned char *end) {
  p = fast_space(p);
  if (*p != '}' || p >= end) return NULL;
  p = fast_space(p + 1);
  return p >= end ? end : NULL;
}

static inline void fast_clear(TrRecord *record) {
  for (int i = 0; i < TR_FIELD_COUNT; i++) record->field[i].kind = TR_ABSENT;
}

/* False when the layout cannot be kept: too many members, or too much text between two values. */
static bool fast_note_member(TrLayout *layout, const unsigned char *from, const unsigned char *to, TrField field) {
  size_t length = (size_t)(to - from);
  if (layout->count == TR_LAYOUT_MEMBERS || length > TR_LAYOUT_TEXT) return false;
  memcpy(layout->member[layout->count].text, from, length);
  layout->member[layout->count].length = (uint8_t)length;
  layout->member[layout->count].field = (uint8_t)field;
  layout->count++;
  return true;
}

/* --- any processor: eight bytes at a step ------------------------------------------------------------------------- */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of each byte of the result says: that byte of x is zero. Exact, without carries between bytes. */
static inline uint64_t zero_bytes(uint64_t x) {
  return ~(((x & EACH(0x7F)) + EACH(0x7F)) | x | EACH(0x7F));
}

static inline uint64_t portable_specials(const unsigned char *p) {
  uint64_t result = 0;
  for (unsigned i = 0; i < 64; i += 8) {
    uint64_t x = 0;
    for (unsigned k = 0; k < 8; k++) x |= (uint64_t)p[i + k] << (8 * k); /* one load on a little-endian machine */
    uint64_t found =
        zero_bytes(x ^ EACH('"')) | zero_bytes(x ^ EACH('\\')) | zero_bytes(x & EACH(0xE0)) | (x & EACH(0x80));
    /* Gather the eight high bits into one byte: each product bit lands in a place of its own. */
    result |= ((found >> 7) * UINT64_C(0x0102040810204080) >> 56) << i;
  }
  return result;
}

static inline bool portable_same(const unsigned char *p, const unsigned char *text, unsigned length) {
  return memcmp(p, text, length) == 0;
}

#define WALK tr_fast_lane_portable
#define WALK_TARGET
#define WALK_SPECIALS portable_specials
#define WALK_SAME portable_same
#include "fast_walk.h"

/* --- x86 with AVX2: 32 bytes at a step ---------------------------------------------------------------------------- */

#ifdef TR_HAVE_AVX2
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

AVX2 static inline uint32_t avx2_specials_32(const unsigned char *p) {
  __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)p);
  __m256i quote = _mm256_cmpeq_epi8(x, _mm256_set1_epi8('"'));
  __m256i backslash = _mm256_cmpeq_epi8(x, _mm256_set1_epi8('\\'));
  /* As signed bytes, control characters and everything that is not ASCII are both less than a space. */
  __m256i outside = _mm256_cmpgt_epi8(_mm256_set1_epi8(' '), x);
  return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quote, backslash), outside));
}

AVX2 static inline uint64_t avx2_specials(const unsigned char *p) {
  return avx2_specials_32(p) | (uint64_t)avx2_specials_32(p + 32) << 32;
}

AVX2 static inline bool avx2_same(const unsigned char *p, const unsigned char *text, unsigned length) {
  __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
  __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)text);
  uint32_t different = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b));
  return _bzhi_u32(different, length) == 0;
}

#define WALK tr_fast_lane_avx2
#define WALK_TARGET AVX2
#define WALK_SPECIALS avx2_specials
#define WALK_SAME avx2_same
#include "fast_walk.h"
#endif

TrFastLane tr_fast_lane(void) {
#ifdef TR_HAVE_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) return tr_fast_lane_avx2;
#endif
  return tr_fast_lane_portable;
}

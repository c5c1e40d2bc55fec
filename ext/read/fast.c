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
#include "read.h"

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

/* Nothing but the closing brace and white space may follow the last value. Returns the newline or NUL behind, or
** NULL. */
static inline const unsigned char *fast_close(const unsigned char *p) {
  p = fast_space(p);
  if (*p != '}') return NULL;
  p = fast_space(p + 1);
  return *p == '\n' || *p == '\0' ? p : NULL;
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

/* p is at the start of a block of 64 bytes inside a string, `specials` its bits, of which it goes through all, one by
** one. Returns the closing quote; or NULL with *past telling how far the walk came (an escape may straddle the end), 0
** for a bad string. */
static inline const unsigned char *fast_step_through(const unsigned char *p, uint64_t specials, bool *escaped,
                                                     unsigned *past) {
  *past = 64;
  while (specials) {
    unsigned at = (unsigned)__builtin_ctzll(specials);
    unsigned char byte = p[at];
    if (byte == '"') return p + at;
    unsigned step;
    if (byte == '\\') {
      *escaped = true;
      step = fast_escape_length(p + at);
    } else {
      step = byte < 0x80 ? 0 : tr_utf8_sequence(p + at, 4);
    }
    if (step == 0 || at + step >= 64) {
      *past = step ? at + step : 0;
      break;
    }
    specials &= ~UINT64_C(0) << (at + step);
  }
  return NULL;
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

static const unsigned char *portable_string(const unsigned char *p, bool *escaped) {
  for (;;) {
    unsigned past;
    const unsigned char *quote = fast_step_through(p, portable_specials(p), escaped, &past);
    if (quote || past == 0) return quote;
    p += past;
  }
}

#define WALK tr_fast_lane_portable
#define WALK_TARGET
#define WALK_STRING portable_string
#define WALK_SAME portable_same
#include "fast_walk.inc"

/* --- x86 with AVX2: 32 bytes at a step ---------------------------------------------------------------------------- */

#ifdef TR_HAVE_AVX2
#include <cpuid.h>
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt")))

typedef struct Block {
  __m256i low, high; /* 64 bytes */
} Block;

/* One bit for each byte, from its highest. */
AVX2 static inline uint64_t avx2_bits(__m256i low, __m256i high) {
  return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

AVX2 static inline uint64_t avx2_equal(Block x, char byte) {
  __m256i wanted = _mm256_set1_epi8(byte);
  return avx2_bits(_mm256_cmpeq_epi8(x.low, wanted), _mm256_cmpeq_epi8(x.high, wanted));
}

/* As signed bytes, control characters and everything that is not ASCII are both less than a space. */
AVX2 static inline uint64_t avx2_outside(Block x) {
  __m256i space = _mm256_set1_epi8(' ');
  return avx2_bits(_mm256_cmpgt_epi8(space, x.low), _mm256_cmpgt_epi8(space, x.high));
}

/* The bytes that may stand behind a backslash, u included: found by their halves. Each of the four high halves that
** occur has a bit of its own, and a low half lists those that it goes with. */
AVX2 static inline __m256i avx2_escapable_32(__m256i x) {
  enum { H2 = 1, H5 = 2, H6 = 4, H7 = 8 };
  const __m256i by_low = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 0, H2 | H6 | H7, 0, H7, H7, H6, 0, 0, 0, 0, 0, H5, 0, H6, H2)); /* "br t u f \ n / */
  const __m256i by_high =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, H2, 0, 0, H5, H6, H7, 0, 0, 0, 0, 0, 0, 0, 0));
  __m256i half = _mm256_set1_epi8(0x0F);
  __m256i low = _mm256_shuffle_epi8(by_low, _mm256_and_si256(x, half));
  __m256i high = _mm256_shuffle_epi8(by_high, _mm256_and_si256(_mm256_srli_epi16(x, 4), half));
  return _mm256_cmpgt_epi8(_mm256_and_si256(low, high), _mm256_setzero_si256());
}

AVX2 static inline __m256i avx2_hex_32(__m256i x) {
  __m256i digit = _mm256_sub_epi8(x, _mm256_set1_epi8('0'));
  __m256i letter = _mm256_sub_epi8(_mm256_or_si256(x, _mm256_set1_epi8(0x20)), _mm256_set1_epi8('a'));
  /* Unsigned "at most": the smaller of the two is the byte itself. */
  __m256i is_digit = _mm256_cmpeq_epi8(_mm256_min_epu8(digit, _mm256_set1_epi8(9)), digit);
  __m256i is_letter = _mm256_cmpeq_epi8(_mm256_min_epu8(letter, _mm256_set1_epi8(5)), letter);
  return _mm256_or_si256(is_digit, is_letter);
}

/* The bytes that follow an odd number of backslashes and are none themselves: those that are escaped. A run's carry
** runs to the byte behind it; where a run began at an even place and ends before an odd one, it is of odd length. */
static inline uint64_t escaped_bits(uint64_t backslashes) {
  const uint64_t even = UINT64_C(0x5555555555555555);
  uint64_t starts = backslashes & ~(backslashes << 1);
  uint64_t behind_even = (backslashes + (starts & even)) & ~backslashes;
  uint64_t behind_odd = (backslashes + (starts & ~even)) & ~backslashes;
  return (behind_even & ~even) | (behind_odd & even);
}

/* Which of the bytes that follow a backslash cannot, or begin an escape that is not whole within the block. Not asked
** about quotes and n, which most of them are. */
AVX2 static inline uint64_t avx2_bad_escapes(Block x, uint64_t is_escaped) {
  uint64_t bad = is_escaped & ~avx2_bits(avx2_escapable_32(x.low), avx2_escapable_32(x.high));
  uint64_t unicode = is_escaped & avx2_equal(x, 'u');
  if (unicode) {
    uint64_t hex = avx2_bits(avx2_hex_32(x.low), avx2_hex_32(x.high));
    bad |= unicode & ~(hex >> 1 & hex >> 2 & hex >> 3 & hex >> 4);
  }
  return bad;
}

/* Escapes are validated 64 bytes at a time, not one by one: texts are full of \n, and a branch for each is
** mispredicted. Nothing is carried from block to block: what cannot be validated yet, because it reaches the end,
** begins the next one. How far that is depends on the data only in those cases, so that the processor need not wait for
** it in all others. */
AVX2 static inline __attribute__((always_inline)) const unsigned char *avx2_string(const unsigned char *p,
                                                                                   bool *escaped) {
  for (;;) {
    Block x = {_mm256_loadu_si256((const __m256i *)(const void *)p),
               _mm256_loadu_si256((const __m256i *)(const void *)(p + 32))};
    uint64_t quotes = avx2_equal(x, '"'), backslashes = avx2_equal(x, '\\'), outside = avx2_outside(x);
    if ((_blsmsk_u64(quotes) & (backslashes | outside)) == 0) { /* nothing before the first quote, or at all */
      if (quotes) return p + _tzcnt_u64(quotes);
      p += 64;
      continue;
    }
    uint64_t is_escaped = escaped_bits(backslashes);
    uint64_t ends = quotes & ~is_escaped, inside = _blsmsk_u64(ends);
    if (outside & inside) {
      unsigned past;
      const unsigned char *quote = fast_step_through(p, quotes | backslashes | outside, escaped, &past);
      if (quote || past == 0) return quote;
      p += past;
      continue;
    }
    *escaped = true;
    uint64_t unusual = is_escaped & inside & ~(quotes | avx2_equal(x, 'n'));
    uint64_t bad = unusual ? avx2_bad_escapes(x, unusual) : 0;
    if (bad) {
      unsigned at = (unsigned)_tzcnt_u64(bad);
      if (at < 60 || p[at] != 'u') return NULL;
      p += at - 1;
      continue;
    }
    if (ends) return p + _tzcnt_u64(ends);
    unsigned run = (unsigned)_lzcnt_u64(~backslashes); /* of backslashes that reach the end; 64 are so many pairs */
    if (run && run < 64) {
      p += 64 - run;
      continue;
    }
    p += 64;
  }
}

AVX2 static inline bool avx2_same(const unsigned char *p, const unsigned char *text, unsigned length) {
  __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
  __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)text);
  uint32_t different = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b));
  return _bzhi_u32(different, length) == 0;
}

#define WALK tr_fast_lane_avx2
#define WALK_TARGET AVX2
#define WALK_STRING avx2_string
#define WALK_SAME avx2_same
#include "fast_walk.inc"
#endif

#ifdef TR_HAVE_AVX2
static bool has_lzcnt(void) {
#if defined(__clang__) || __GNUC__ < 11 /* they know no word for it */
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (ecx & 1U << 5) != 0;
#else
  return __builtin_cpu_supports("lzcnt");
#endif
}

/* All that AVX2 names: a virtual machine may have one without the others, and without LZCNT its instruction would count
** from the other end. */
static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         has_lzcnt();
}
#endif

TrFastLane tr_fast_lane(void) {
#ifdef TR_HAVE_AVX2
  if (has_avx2()) return tr_fast_lane_avx2;
#endif
  return tr_fast_lane_portable;
}

/*
** fast.c - the fast lane: flat objects of scalars, which is what nearly every line is.
**
** Any key order, any white space, unknown keys, both separator styles, all escapes, raw UTF-8. It validates every byte,
** decodes nothing, and answers "a record" or "not mine"; it never refuses a line. Nested values, NaN and Infinity, keys
** with escapes and anything unusual are left to the slow lane. The differential tests compare the two lanes: wherever
** it says "a record", the slow lane must say so too, with the same spans.
**
** Two ideas make it fast. Strings are searched 64 bytes at a step for the few bytes that matter. And since one program
** writes all lines of a file, the bytes between the values are usually the same as in the previous line: comparing them
** is cheaper than parsing them, and equal bytes are known to be valid.
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

/* After the last value, only white space and the closing brace are allowed. Returns the newline or NUL after them, or
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

/* --- the layout of a line ----------------------------------------------------------------------------------------- */

/* The layout of a line, noted while the line is parsed. */
typedef struct FastNotes {
  TrLayout *layout;
  const unsigned char *line;
  const unsigned char *step; /* in the line: the start of the last step's text */
  bool fits;                 /* so far */
} FastNotes;

static inline FastNotes fast_notes(TrLayout *layout, const unsigned char *line) {
  if (layout->repeats && layout->lines == 0) layout->varies = true;
  layout->count = layout->lines = 0;
  layout->repeats = false;
  return (FastNotes){.layout = layout, .line = line, .fits = true};
}

/* Guesses whether the next lines have the same value. A wrong guess costs little: it is not made again. */
static inline bool fast_repeats(const TrLayout *layout, TrField field, const TrSpan *value) {
  return !layout->varies && (field == TR_JOB_NAME || field == TR_FIELD_COUNT) && value->kind == TR_STRING &&
         !value->escaped;
}

/* The last step's value becomes part of its text, which ends before the next value. */
static inline void fast_note_repeated(FastNotes *notes, const TrSpan *value) {
  TrLayoutStep *step = &notes->layout->step[notes->layout->count - 1];
  notes->layout->repeats = true;
  if (step->field != TR_JOB_NAME) return; /* the values of other keys are never read */
  step->names_job = true;
  step->name_at = (uint8_t)(notes->line + value->start - notes->step);
  step->name_length = (uint8_t)value->length;
}

/* A value of the field begins at `value`; the previous value ended at `behind`, and its span is in the record. */
static inline void fast_note_value(FastNotes *notes, const unsigned char *behind, const unsigned char *value,
                                   TrField field, const TrRecord *record) {
  TrLayout *layout = notes->layout;
  TrLayoutStep *step = layout->count ? &layout->step[layout->count - 1] : NULL;
  if (step && value - notes->step <= TR_LAYOUT_TEXT && fast_repeats(layout, step->field, &record->field[step->field])) {
    fast_note_repeated(notes, &record->field[step->field]);
  } else {
    notes->fits = notes->fits && layout->count < TR_LAYOUT_STEPS && value - behind <= TR_LAYOUT_TEXT;
    if (!notes->fits) return;
    notes->step = behind;
    step = &layout->step[layout->count++];
    step->names_job = false;
  }
  step->length = (uint8_t)(value - notes->step);
  step->field = (uint8_t)field;
  memcpy(step->text, notes->step, step->length);
}

/* --- under a mapping ---------------------------------------------------------------------------------------------- */

/* Of the values of a key that nobody asks for. */
typedef enum TrOtherValue { OTHER_NEW, OTHER_REPEATS, OTHER_VARIES } TrOtherValue;

#define MAPPED_MANY_WASTED 24 /* layouts: from then on only one is tried for a line, ... */
#define MAPPED_MOST_WASTED 64 /* ... only some lines are looked at, and no value that is asked for is taken for fixed */
#define MAPPED_LOOKS_EVERY 8
#define MAPPED_DEPTH 64 /* a bit for each container; what is nested more deeply is left to the slow lane */

typedef struct MappedWalk {
  const unsigned char *p;
  const unsigned char *text, *behind; /* the line; the end of the previous value */
  const unsigned char *step;          /* the start of the last step's text */
  TrMappedLayouts *layouts;
  TrMappedLayout *layout;
  const TrKeys *keys;
  TrSpan *slot;
  unsigned depth;
  uint64_t objects;             /* a bit for each open container: is it an object? The lowest is the innermost */
  unsigned found, opens;        /* of the member that we are in: its slot, and which keys below it are sought */
  unsigned bucket, last_bucket; /* its key, and that of the previous value, in layouts->other */
  TrSpan last;                  /* the previous value */
  unsigned parent;              /* the `opens` of the member of the record */
  uint32_t seen;                /* parents */
  const unsigned char *nested_start[2]; /* of the containers at depth 1 and 2, */
  unsigned nested_slot[2];              /* and their slots */
  bool fits;                            /* the layout, so far */
} MappedWalk;

static inline void mapped_clear(const TrKeys *keys, TrSpan *slot) {
  for (unsigned i = 0; i < keys->count; i++) slot[i].kind = TR_ABSENT;
}

static inline void mapped_clear_record(TrRecord *record) {
  fast_clear(record);
  record->job.kind = record->started.kind = record->duration.kind = TR_ABSENT;
}

/* The end of a number of at most 15 digits, the first of which is not 0; NULL: it is longer, or no whole number. */
static inline const unsigned char *fast_short_integer(const unsigned char *p) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  const uint64_t each = UINT64_C(0x0101010101010101);
  unsigned digits = 0;
  for (int half = 0; half < 2; half++) {
    uint64_t bytes;
    memcpy(&bytes, p + 8 * half, sizeof bytes);
    bytes ^= each * '0'; /* digits become 0 to 9 */
    uint64_t others = (((bytes & each * 0x7F) + each * (0x7F - 9)) | bytes) & each * 0x80;
    digits += others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
    if (others) break;
  }
#else
  unsigned digits = (unsigned)(fast_digits(p) - p);
#endif
  bool goes_on = digits >= 16 || p[digits] == '.' || (p[digits] | 0x20) == 'e';
  return goes_on ? NULL : p + digits;
}

/* The layout that another one replaces is the one that has not been of use for longest. */
static void mapped_replace(TrMappedLayouts *layouts) {
  unsigned oldest = 0;
  layouts->likely[layouts->latest].used = ++layouts->clock;
  for (unsigned i = 0; i < TR_MAPPED_LAYOUTS; i++) {
    if (layouts->likely[i].count == 0) layouts->likely[i].used = 0;
    if (layouts->likely[i].used < layouts->likely[oldest].used) oldest = i;
  }
  TrMappedLayout *layout = &layouts->likely[oldest];
  if (layout->count > 0) layouts->wasted = layout->lines < 2 ? layouts->wasted + 1 : layouts->wasted / 2;
  if (layouts->wasted > MAPPED_MOST_WASTED) layouts->constants_vary = true;
  layouts->likely[layouts->latest].next = (uint8_t)oldest;
  layouts->latest = oldest;
  layouts->is_direct = false;
}

static void mapped_use(TrMappedLayouts *layouts, unsigned which) {
  layouts->likely[layouts->latest].used = ++layouts->clock;
  layouts->latest = which;
}

static inline MappedWalk mapped_begin(const unsigned char *text, TrMappedLayouts *layouts, const TrKeys *keys,
                                      TrSpan *slot) {
  TrMappedLayout *layout = &layouts->likely[layouts->latest];
  layout->count = layout->lines = layout->fixed_count = 0;
  layout->is_judged = layout->is_direct = false;
  layout->next = (uint8_t)layouts->latest;
  return (MappedWalk){.p = fast_space(text),
                      .text = text,
                      .behind = text,
                      .layouts = layouts,
                      .layout = layout,
                      .keys = keys,
                      .slot = slot,
                      .found = keys->count,
                      .fits = layouts->wasted <= MAPPED_MOST_WASTED || ++layouts->clock % MAPPED_LOOKS_EVERY == 0};
}

static uint32_t mapped_hash(const unsigned char *text, size_t length) {
  const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
  uint64_t hash = length, bytes;
  for (; length >= sizeof bytes; text += sizeof bytes, length -= sizeof bytes) {
    memcpy(&bytes, text, sizeof bytes);
    hash = (hash ^ bytes) * factor;
    hash ^= hash >> 32;
  }
  for (; length > 0; length--) hash = (hash ^ *text++) * factor;
  return (uint32_t)(hash >> 32);
}

/* Where layouts->other has the key. Two keys of one hash share a place: then they vary. */
static unsigned mapped_place_of_key(TrMappedLayouts *layouts, const unsigned char *key, size_t length) {
  uint32_t hash = mapped_hash(key, length) | 1; /* 0: free */
  unsigned place = hash >> 1;
  for (unsigned tries = 0; tries < 8; tries++, place++) {
    uint32_t *known = &layouts->key[place % TR_OTHER_KEYS];
    if (*known == 0) *known = hash;
    if (*known == hash) break;
  }
  return place % TR_OTHER_KEYS;
}

/* Has the key that nobody asks for the same value in each line? It is believed until it had another one. */
static bool mapped_other_repeats(MappedWalk *walk, const TrSpan *value) {
  uint8_t *known = &walk->layouts->other[walk->last_bucket];
  uint32_t *kept = &walk->layouts->value[walk->last_bucket];
  if (*known == OTHER_VARIES) return false;
  bool is_string = value->kind == TR_STRING,
       is_plain = is_string || value->kind == TR_INTEGER || value->kind == TR_REAL;
  uint32_t now = value->kind + (is_plain ? mapped_hash(walk->text + value->start, value->length) : 0);
  bool repeats = *known == OTHER_NEW || *kept == now;
  *known = repeats ? OTHER_REPEATS : OTHER_VARIES;
  *kept = now;
  return repeats;
}

/* Guesses whether the next lines have the same value of the last step, which ends before p. */
static bool mapped_repeats(MappedWalk *walk) {
  const TrMappedStep *step = &walk->layout->step[walk->layout->count - 1];
  const TrSpan *value = &walk->last;
  if (walk->p - walk->step > TR_LAYOUT_TEXT || value->escaped) return false; /* so it is short, too */
  if (step->field == walk->keys->count) return mapped_other_repeats(walk, value);
  return (walk->keys->constants >> step->field & 1) && !walk->layouts->constants_vary &&
         walk->layout->fixed_count < TR_FIXED_VALUES;
}

/* The value of the last step becomes a part of its text. */
static void mapped_fix_value(MappedWalk *walk) {
  TrMappedLayout *layout = walk->layout;
  const TrMappedStep *step = &layout->step[layout->count - 1];
  const TrSpan *value = &walk->last;
  if (step->field == walk->keys->count) return; /* it is never read */
  layout->fixed[layout->fixed_count++] = (TrFixedValue){.step = (uint8_t)(layout->count - 1),
                                                        .at = (uint8_t)(walk->text + value->start - walk->step),
                                                        .length = (uint8_t)value->length,
                                                        .kind = value->kind,
                                                        .slot = step->field};
}

/* The values of slots that are part of this step's text, which begins at `start` of the line. Returns the next one. */
static inline const TrFixedValue *mapped_set_fixed(const TrMappedLayout *layout, const TrFixedValue *fixed,
                                                   unsigned step, uint32_t start, TrSpan *slot) {
  for (; fixed < layout->fixed + layout->fixed_count && fixed->step == step; fixed++)
    slot[fixed->slot] = (TrSpan){.start = start + fixed->at, .length = fixed->length, .kind = fixed->kind};
  return fixed;
}

/* As fast_note_value(): a value begins at p. */
static inline void mapped_note_value(MappedWalk *walk) {
  TrMappedLayout *layout = walk->layout;
  if (!walk->fits) return;
  if (layout->count > 0 && mapped_repeats(walk)) {
    mapped_fix_value(walk);
  } else {
    walk->fits = layout->count < TR_MAPPED_STEPS && walk->p - walk->behind <= TR_LAYOUT_TEXT;
    if (!walk->fits) return;
    walk->step = walk->behind;
    layout->count++;
  }
  TrMappedStep *step = &layout->step[layout->count - 1];
  step->length = (uint8_t)(walk->p - walk->step);
  step->field = (uint8_t)walk->found;
  walk->last_bucket = walk->bucket;
  memcpy(step->text, walk->step, step->length);
}

/* If a key with keys below it is there twice, the second one replaces all of the first: that is left to the slow
** lane. */
static inline bool mapped_find_key(MappedWalk *walk, const unsigned char *text, size_t length) {
  unsigned parent = walk->depth == 1 ? 0 : walk->parent;
  if (walk->depth > 2 || (walk->depth == 2 && parent == 0)) return true;
  const TrKey *key = tr_keys_find(walk->keys, parent, text, length);
  if (key == NULL) return true;
  walk->found = key->slot;
  walk->opens = key->opens;
  if (key->opens == 0) return true;
  uint32_t bit = UINT32_C(1) << key->opens;
  bool is_first = (walk->seen & bit) == 0;
  walk->seen |= bit;
  return is_first;
}

static inline bool mapped_closes(const MappedWalk *walk) {
  return *walk->p == (walk->objects & 1 ? '}' : ']');
}

/* p is behind a value, or at the bracket that closes a container: moves to the next value or key. At the end of the
** record, p stays at its brace. */
static bool mapped_after_value(MappedWalk *walk) {
  for (;;) {
    walk->p = fast_space(walk->p);
    if (*walk->p == ',') {
      walk->p = fast_space(walk->p + 1);
      return true;
    }
    if (!mapped_closes(walk)) return false;
    walk->depth--;
    walk->objects >>= 1;
    if (walk->depth == 0) return true;
    walk->p++;
    if (walk->depth > 2) continue;
    if (walk->depth == 1) walk->parent = 0;
    unsigned slot = walk->nested_slot[walk->depth - 1];
    const unsigned char *start = walk->nested_start[walk->depth - 1];
    walk->slot[slot] =
        (TrSpan){.start = (uint32_t)(start - walk->text), .length = (uint32_t)(walk->p - start), .kind = TR_NESTED};
  }
}

/* p is at the bracket that opens a container: moves into it, and past it if it is empty. */
static bool mapped_open(MappedWalk *walk) {
  if (walk->depth == MAPPED_DEPTH) return false;
  bool is_object = *walk->p == '{';
  if (walk->depth == 1 || walk->depth == 2) {
    walk->nested_start[walk->depth - 1] = walk->p;
    walk->nested_slot[walk->depth - 1] = walk->found;
    if (walk->found != walk->keys->count) walk->fits = false;
  }
  if (walk->depth == 1) walk->parent = is_object ? walk->opens : 0;
  walk->objects = walk->objects << 1 | is_object;
  walk->depth++;
  walk->p = fast_space(walk->p + 1);
  return !mapped_closes(walk) || mapped_after_value(walk);
}

/* The brace that closes the record, or NULL. What is behind the last value that may differ is the tail. */
static const unsigned char *mapped_end(MappedWalk *walk) {
  TrMappedLayout *layout = walk->layout;
  bool is_whole = walk->depth == 0 && walk->p && *walk->p == '}';
  const unsigned char *tail = walk->behind;
  if (is_whole && walk->fits && layout->count > 1 && mapped_repeats(walk)) {
    mapped_fix_value(walk);
    tail = walk->step;
    layout->count--;
  }
  if (!is_whole || !walk->fits || walk->p - tail > TR_LAYOUT_TEXT) {
    layout->count = 0;
    return is_whole ? walk->p : NULL;
  }
  layout->tail_length = (uint8_t)(walk->p - tail);
  memcpy(layout->tail, tail, layout->tail_length);
  return walk->p;
}

/* --- strings ------------------------------------------------------------------------------------------------------ */

/* p is at the start of a block of 64 bytes inside a string; `specials` has a bit for each byte to look at, one by one.
** Returns the closing quote; or NULL, with *past = the bytes dealt with (an escape may reach into the next block), 0
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

/* --- 64 bytes at a step: one bit for each, the first byte's lowest ------------------------------------------------ */

/* The bits up to the lowest one and that one itself; all of them if there is none. */
static inline uint64_t through_first(uint64_t bits) {
  return bits ^ (bits - 1);
}

/* The escaped bytes: those that follow an odd number of backslashes and are not backslashes themselves. Adding to a
** run's first bit carries to the byte behind the run; so there the sum tells whether the run began at an even place. It
** is of odd length if the byte behind is at an odd place then, or at an even place otherwise. */
static inline uint64_t escaped_bits(uint64_t backslashes) {
  const uint64_t even = UINT64_C(0x5555555555555555);
  uint64_t behind = backslashes << 1, starts = backslashes & ~behind;
  uint64_t carried = backslashes + (starts & even);
  return behind & ~backslashes & (carried ^ even);
}

/* The last of 64 bytes is a backslash: where the run of them begins that it ends. 64 of them are 32 pairs: then 64. */
static inline unsigned last_run(uint64_t backslashes) {
  return ~backslashes ? 64 - (unsigned)__builtin_clzll(~backslashes) : 64;
}

#include "fast_portable.inc"

#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
#define HAVE_NEON 1 /* in each of these processors */
#include <arm_neon.h>

#include "fast_neon.inc"
#endif
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

#include "fast_avx2.inc"
#include "fast_avx512.inc"
#include "fast_sse2.inc"
#endif

/* --- which one ---------------------------------------------------------------------------------------------------- */

#ifdef __x86_64__
static bool has_lzcnt(void) {
#if defined(__clang__) || __GNUC__ < 11 /* these compilers cannot test for it by name */
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (ecx & 1U << 5) != 0;
#else
  return __builtin_cpu_supports("lzcnt");
#endif
}

/* Everything that the target selects beside AVX2: a virtual machine may lack some of it, and without LZCNT the
** processor runs BSR instead, which counts from the other end. */
static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         has_lzcnt();
}

/* Also VBMI: the first processors with AVX-512 lack it, and slow down where it is used. */
static bool has_avx512(void) {
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi") && has_avx2();
}
#endif

const TrLane *tr_fast_lane(unsigned rank) {
  static const struct {
    bool (*is_here)(void); /* NULL: every processor that this is compiled for can run it */
    TrLane lane;
  } all[] = {
#ifdef __x86_64__
      {has_avx512, {"AVX-512", avx512_lane, avx512_mapped_lane}},
      {has_avx2, {"AVX2", avx2_lane, avx2_mapped_lane}},
      {NULL, {"SSE2", sse2_lane, sse2_mapped_lane}},
#endif
#ifdef HAVE_NEON
      {NULL, {"NEON", neon_lane, neon_mapped_lane}},
#endif
      {NULL, {"portable", portable_lane, portable_mapped_lane}},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if ((all[i].is_here == NULL || all[i].is_here()) && rank-- == 0) return &all[i].lane;
  }
  return NULL;
}

/*
** verdict.c - the slow lane: decides for any line whether it is a record, and if not, why.
**
** The grammar is what Python's json.loads() accepts, which is neither RFC 8259 (NaN, Infinity and lone surrogates pass)
** nor cJSON's (which takes `01` and text after the value, refuses lone surrogates and NaN, cuts strings at \u0000 and
** rounds integers to doubles: tests/unit/cjson_limits.c shows each). So the parser is our own. Like the fast lane it
** returns spans of the line, which keep every value exact. cJSON only serves to shorten nested values, in value.c.
**
** It is not recursive: open containers are kept in an array, so that 900 levels of hostile nesting cannot exhaust the
** host's stack.
*/
#include "read.h"

#include <string.h>

typedef struct Slow {
  const unsigned char *text, *end;
  const unsigned char *p;
  TrReason reason;
  TrSpan *field;                     /* of the record; or the slots of a mapping */
  unsigned member;                   /* of the record: the member that we are in */
  const unsigned char *member_start; /* the start of its value */
  const TrKeys *keys;                /* of a mapping; NULL: none. Then, of the member of the member: */
  unsigned inner, parent;            /* its slot, and the parent of its key */
  const unsigned char *inner_start;
  unsigned depth;
  char open[TR_MAX_NESTING]; /* '{' or '[' of each container we are in */
} Slow;

static bool slow_refuse(Slow *slow, TrReason reason) {
  slow->reason = slow->p >= slow->end ? TR_CUT_SHORT : reason;
  return false;
}

static void skip_space(Slow *slow) {
  while (slow->p < slow->end && (*slow->p == ' ' || *slow->p == '\t' || *slow->p == '\r')) slow->p++;
}

static int peek(const Slow *slow) {
  return slow->p < slow->end ? *slow->p : -1;
}

static bool slow_take(Slow *slow, char wanted) {
  if (peek(slow) != wanted) return slow_refuse(slow, TR_MALFORMED);
  slow->p++;
  return true;
}

/* p is just after a backslash. */
static bool take_escape(Slow *slow) {
  int c = peek(slow);
  if (c < 0 || strchr("\"\\/bfnrtu", c) == NULL || c == 0) return slow_refuse(slow, TR_BAD_ESCAPE);
  slow->p++;
  for (int i = 0; c == 'u' && i < 4; i++) {
    if (!tr_is_hex(peek(slow))) return slow_refuse(slow, TR_BAD_ESCAPE);
    slow->p++;
  }
  return true;
}

/* p is just after the opening quote; moves it just past the closing one. The line is known to be UTF-8. */
static bool take_string(Slow *slow, bool *escaped) {
  *escaped = false;
  for (;;) {
    int c = peek(slow);
    if (c < 0x20) return slow_refuse(slow, TR_CONTROL_CHARACTER);
    slow->p++;
    if (c == '"') return true;
    if (c == '\\') {
      *escaped = true;
      if (!take_escape(slow)) return false;
    }
  }
}

static size_t slow_take_digits(Slow *slow) {
  const unsigned char *start = slow->p;
  while (tr_is_digit(peek(slow))) slow->p++;
  return (size_t)(slow->p - start);
}

static bool slow_take_word(Slow *slow, const char *word, TrKind kind, TrSpan *span) {
  size_t length = strlen(word), left = (size_t)(slow->end - slow->p);
  if (memcmp(slow->p, word, left < length ? left : length) != 0) return slow_refuse(slow, TR_MALFORMED);
  slow->p += left < length ? left : length;
  span->kind = (uint8_t)kind;
  return left >= length || slow_refuse(slow, TR_MALFORMED);
}

static bool slow_take_number(Slow *slow, TrSpan *span) {
  if (peek(slow) == '-') {
    slow->p++;
    if (peek(slow) == 'I') return slow_take_word(slow, "Infinity", TR_MINUS_INFINITY, span);
  }
  span->kind = TR_INTEGER;
  bool zero = peek(slow) == '0';
  size_t digits = slow_take_digits(slow);
  if (digits == 0 || (zero && digits > 1)) return slow_refuse(slow, digits ? TR_BAD_NUMBER : TR_MALFORMED);
  if (peek(slow) == '.') {
    span->kind = TR_REAL;
    slow->p++;
    if (slow_take_digits(slow) == 0) return slow_refuse(slow, TR_BAD_NUMBER);
  }
  if (peek(slow) == 'e' || peek(slow) == 'E') {
    span->kind = TR_REAL;
    slow->p++;
    if (peek(slow) == '+' || peek(slow) == '-') slow->p++;
    if (slow_take_digits(slow) == 0) return slow_refuse(slow, TR_BAD_NUMBER);
  }
  if (span->kind == TR_INTEGER && digits > TR_MAX_INT_DIGITS) {
    slow->reason = TR_TOO_MANY_DIGITS;
    return false;
  }
  return true;
}

static bool take_scalar(Slow *slow, TrSpan *span) {
  switch (peek(slow)) {
  case '"': {
    bool escaped;
    slow->p++;
    if (!take_string(slow, &escaped)) return false;
    span->kind = TR_STRING;
    span->escaped = escaped;
    return true;
  }
  case 't': return slow_take_word(slow, "true", TR_TRUE, span);
  case 'f': return slow_take_word(slow, "false", TR_FALSE, span);
  case 'n': return slow_take_word(slow, "null", TR_NULL, span);
  case 'N': return slow_take_word(slow, "NaN", TR_NAN, span);
  case 'I': return slow_take_word(slow, "Infinity", TR_PLUS_INFINITY, span);
  default: return slow_take_number(slow, span);
  }
}

/* The key's column; keys may be spelled with escapes. */
static TrField key_field(const unsigned char *key, size_t length, bool escaped) {
  unsigned char decoded[64];
  if (!escaped) return tr_field_named(key, length);
  if (length > sizeof decoded) return TR_FIELD_COUNT; /* at most six bytes for each of a column's letters */
  return tr_field_named(decoded, tr_decode_string(key, length, decoded));
}

/* The slot of a key of the mapping. What an earlier member of the same name had is replaced, with all that is in it. */
static unsigned slow_mapped_key(Slow *slow, const unsigned char *text, size_t length, bool escaped) {
  const TrKeys *keys = slow->keys;
  unsigned char decoded[6 * TR_MAX_KEY_BYTES];
  bool is_inner = slow->depth == 2;
  if (slow->depth == 1) slow->parent = 0;
  if (slow->depth > 2 || (is_inner && slow->parent == 0) || length > sizeof decoded) return keys->count;
  if (escaped) {
    length = tr_decode_string(text, length, decoded);
    text = decoded;
  }
  const TrKey *key = tr_keys_find(keys, is_inner ? slow->parent : 0, text, length);
  if (key == NULL) return keys->count;
  if (!is_inner) slow->parent = key->opens;
  for (unsigned i = 0; !is_inner && key->opens && i < keys->names; i++) {
    if (keys->key[i].parent == key->opens) slow->field[keys->key[i].slot].kind = TR_ABSENT;
  }
  return key->slot;
}

/* p is at a key; moves it to the value. */
static bool take_key(Slow *slow, unsigned *field) {
  if (!slow_take(slow, '"')) return false;
  const unsigned char *key = slow->p;
  bool escaped;
  if (!take_string(slow, &escaped)) return false;
  size_t length = (size_t)(slow->p - 1 - key);
  *field = slow->keys ? slow_mapped_key(slow, key, length, escaped) : key_field(key, length, escaped);
  skip_space(slow);
  if (!slow_take(slow, ':')) return false;
  skip_space(slow);
  return true;
}

/* p is at a member of an object or an element of an array; moves it to the value. */
static bool begin_element(Slow *slow) {
  unsigned field = slow->keys ? slow->keys->count : TR_FIELD_COUNT;
  if (slow->open[slow->depth - 1] == '{' && !take_key(slow, &field)) return false;
  if (slow->depth == 1) {
    slow->member = field;
    slow->member_start = slow->p;
  } else if (slow->depth == 2) {
    slow->inner = field;
    slow->inner_start = slow->p;
  }
  return true;
}

static bool open_container(Slow *slow) {
  if (slow->depth == TR_MAX_NESTING) {
    slow->reason = TR_TOO_DEEP;
    return false;
  }
  slow->open[slow->depth++] = (char)*slow->p++;
  skip_space(slow);
  return true;
}

/* p is just after a member's value. Of duplicate keys the last one wins, as it overwrites the others. */
static void note_member(Slow *slow, unsigned field, const unsigned char *start, TrSpan span) {
  ptrdiff_t quote = span.kind == TR_STRING ? 1 : 0;
  span.start = (uint32_t)(start - slow->text + quote);
  span.length = (uint32_t)(slow->p - start - 2 * quote);
  slow->field[field] = span;
}

/* Does the container that we are in end here? */
static bool closes(const Slow *slow) {
  return peek(slow) == (slow->open[slow->depth - 1] == '{' ? '}' : ']');
}

/* p is just after a value: closes the containers that end here. Sets *more if another element follows. */
static bool finish_value(Slow *slow, TrSpan span, bool *more) {
  *more = false;
  while (slow->depth > 0) {
    if (slow->depth == 1) note_member(slow, slow->member, slow->member_start, span);
    if (slow->depth == 2 && slow->keys) note_member(slow, slow->inner, slow->inner_start, span);
    skip_space(slow);
    if (closes(slow)) {
      slow->p++;
      slow->depth--;
      span = (TrSpan){.kind = TR_NESTED};
      continue;
    }
    if (!slow_take(slow, ',')) return false;
    skip_space(slow);
    *more = true;
    return true;
  }
  return true;
}

/* Parses one value of any kind; if it is the record itself, its members are noted. */
static bool take_value(Slow *slow) {
  for (bool more = true; more;) {
    if (slow->depth > 0 && !begin_element(slow)) return false;
    TrSpan span = {.kind = TR_NESTED};
    bool empty = false;
    while (!empty && (peek(slow) == '{' || peek(slow) == '[')) { /* down to the first scalar or empty container */
      if (!open_container(slow)) return false;
      empty = closes(slow);
      if (!empty && !begin_element(slow)) return false;
    }
    if (empty) {
      slow->p++;
      slow->depth--;
    } else if (!take_scalar(slow, &span)) {
      return false;
    }
    if (!finish_value(slow, span, &more)) return false;
  }
  return true;
}

static void clear_fields(const Slow *slow) {
  unsigned count = slow->keys ? slow->keys->count : TR_FIELD_COUNT;
  for (unsigned i = 0; i <= count; i++) slow->field[i] = (TrSpan){.kind = TR_ABSENT};
}

/* Leaves slow->p at the byte that shows the reason; at the beginning if the reason concerns the whole line. */
static TrReason slow_classify(Slow *slow) {
  size_t length = (size_t)(slow->end - slow->text);
  clear_fields(slow);
  if (!tr_utf8_is_valid(slow->text, length)) return TR_NOT_UTF8;
  if (length >= 3 && memcmp(slow->text, "\xEF\xBB\xBF", 3) == 0) return TR_BOM;
  skip_space(slow);
  if (slow->p == slow->end) return TR_BLANK;
  bool object = *slow->p == '{';
  if (!take_value(slow)) return slow->reason;
  skip_space(slow);
  if (slow->p < slow->end) return TR_EXTRA_DATA;
  return object ? TR_OK : TR_NOT_AN_OBJECT;
}

/* `keys` NULL: the fields of a record. */
static Slow slow_begin(const unsigned char *text, size_t length, const TrKeys *keys, TrSpan *field) {
  return (Slow){.text = text,
                .end = text + length,
                .p = text,
                .field = field,
                .member = keys ? keys->count : TR_FIELD_COUNT,
                .keys = keys};
}

TrReason tr_slow_lane(const unsigned char *text, size_t length, TrRecord *record) {
  Slow slow = slow_begin(text, length, NULL, record->field);
  return slow_classify(&slow);
}

TrReason tr_slow_mapped_lane(const unsigned char *text, size_t length, const TrKeys *keys, TrSpan *slot) {
  Slow slow = slow_begin(text, length, keys, slot);
  return slow_classify(&slow);
}

TrReason tr_slow_lane_at(const unsigned char *text, size_t length, size_t *at) {
  TrRecord unused;
  Slow slow = slow_begin(text, length, NULL, unused.field);
  TrReason reason = slow_classify(&slow);
  *at = (size_t)(slow.p - text);
  if (reason != TR_NOT_UTF8) return reason;
  for (*at = 0; *at < length;) {
    unsigned step = text[*at] < 0x80 ? 1 : tr_utf8_sequence(text + *at, length - *at);
    if (step == 0) break;
    *at += step;
  }
  return reason;
}

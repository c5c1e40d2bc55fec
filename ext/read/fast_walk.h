/*
** fast_walk.h - the fast lane's walk over one line, as a template: fast.c includes it once for each kind of processor.
**
** Before including, define
**   WALK            the name of the lane function to make
**   WALK_TARGET     function attribute that selects the instruction set (may be empty)
**   WALK_STRING     const unsigned char *(const unsigned char *p, bool *escaped): p is behind an opening quote. Returns
**                   the closing quote, or NULL: a bad string (or one that the line ends in: a newline, or the zeros
**                   behind the last line, are control characters). Sets *escaped if it holds a backslash
**   WALK_SAME       bool (const unsigned char *p, const unsigned char *text, unsigned length): the first `length` (at
**                   most 32) bytes are equal; both have 32 readable bytes
**
** Every byte of the line is looked at: inside strings by WALK_STRING, between them either one by one, or by being
** equal to bytes of an earlier line that were. Nothing is decoded here.
*/

#define WALK_PASTE_(a, b) a##_##b
#define WALK_PASTE(a, b) WALK_PASTE_(a, b)
#define WALK_FN(name) WALK_PASTE(WALK, name)

/* p is at a value. Returns what follows it, or NULL: not a scalar, or not valid. */
WALK_TARGET static inline __attribute__((always_inline)) const unsigned char *
WALK_FN(value)(const unsigned char *p, const unsigned char *text, TrSpan *span) {
  const unsigned char *start = p;
  span->escaped = false;
  if (*p == '"') {
    bool escaped = false;
    start = p + 1;
    p = WALK_STRING(start, &escaped);
    if (p == NULL) return NULL;
    span->kind = TR_STRING;
    span->escaped = escaped;
    span->start = (uint32_t)(start - text);
    span->length = (uint32_t)(p - start);
    return p + 1;
  }
  p = fast_plain_value(p, &span->kind);
  if (p == NULL) return NULL;
  span->start = (uint32_t)(start - text);
  span->length = (uint32_t)(p - start);
  return p;
}

/* The line has the layout of the line before it: keys and separators are compared, not parsed. Returns what follows the
** last value, or NULL: it has another layout. */
WALK_TARGET static inline const unsigned char *WALK_FN(predicted)(const unsigned char *text, const TrLayout *layout,
                                                                  TrRecord *record) {
  const unsigned char *p = text;
  for (unsigned i = 0; i < layout->count; i++) {
    if (!WALK_SAME(p, layout->member[i].text, layout->member[i].length)) return NULL;
    p = WALK_FN(value)(p + layout->member[i].length, text, &record->field[layout->member[i].field]);
    if (p == NULL) return NULL;
  }
  return p;
}

/* Parses keys and separators, and notes them as the layout to expect next. Returns what follows the last value, or
** NULL: not mine. */
WALK_TARGET static const unsigned char *WALK_FN(parsed)(const unsigned char *text, TrLayout *layout, TrRecord *record) {
  const unsigned char *p = fast_space(text), *behind_value = text;
  layout->count = 0;
  bool noting = true;
  if (*p++ != '{') return NULL;
  p = fast_space(p);
  if (*p == '}') return p;
  for (;;) {
    if (*p++ != '"') return NULL;
    bool escaped = false;
    const unsigned char *key = p;
    p = WALK_STRING(p, &escaped);
    if (p == NULL || escaped) return NULL; /* "\u0061" is "a": the slow lane decodes keys */
    TrField field = tr_field_named(key, (size_t)(p - key));
    p = fast_space(p + 1);
    if (*p++ != ':') return NULL;
    p = fast_space(p);
    noting = noting && fast_note_member(layout, behind_value, p, field);
    p = WALK_FN(value)(p, text, &record->field[field]);
    if (p == NULL) break;
    behind_value = p;
    p = fast_space(p);
    if (*p == '}') {
      if (!noting) layout->count = 0;
      return behind_value;
    }
    if (*p++ != ',') break;
    p = fast_space(p);
  }
  layout->count = 0;
  return NULL;
}

WALK_TARGET const unsigned char *WALK(const unsigned char *text, TrLayout *layout, TrRecord *record) {
  fast_clear(record);
  const unsigned char *p = NULL;
  if (layout->count) p = WALK_FN(predicted)(text, layout, record);
  if (p) p = fast_close(p);
  if (p) return p;
  fast_clear(record);
  p = WALK_FN(parsed)(text, layout, record);
  return p ? fast_close(p) : NULL;
}

#undef WALK_FN
#undef WALK_PASTE
#undef WALK_PASTE_
#undef WALK
#undef WALK_TARGET
#undef WALK_STRING
#undef WALK_SAME

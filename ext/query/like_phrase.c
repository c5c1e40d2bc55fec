/*
** like_phrase.c - a LIKE pattern -> bytes that a text must hold to match it; and the search for them in a text as it is
** stored.
**
** The phrase is the longest part of the pattern without wildcards, of characters that JSON rarely escapes. A text that
** matches the pattern contains the phrase, in upper or lower case. If the stored text does not contain it, the decoded
** one does not either, unless it is written with escapes such as \u0041; with such an escape, SQLite decides. So most
** texts without the phrase need not be decoded.
**
** Only for the built-in like(): host_like.c.
*/
#include "query.h"

#include <string.h>

#define LONGEST_PATTERN 1000 /* bytes; a very long one is an error that SQLite has to raise */

static unsigned char folded(unsigned char c) {
  return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 'a' - 'A') : c;
}

/* Is the character no wildcard, and is it stored without an escape? */
static bool is_plain(unsigned char c) {
  return c >= ' ' && c < 0x7F && strchr("%_\"\\/", c) == NULL;
}

bool tr_like_phrase_set(TrLikePhrase *phrase, TrField field, const char *pattern) {
  size_t length = strnlen(pattern, LONGEST_PATTERN + 1), best = 0, best_length = 0;
  if (length > LONGEST_PATTERN) return false;
  for (size_t from = 0; from < length;) {
    size_t to = from;
    while (to < length && to - from < TR_LIKE_PHRASE_BYTES && is_plain((unsigned char)pattern[to])) to++;
    if (to - from > best_length) best = from, best_length = to - from;
    from = to + (to == from);
  }
  phrase->field = (uint8_t)field;
  phrase->length = (uint8_t)best_length;
  if (best_length == 0) return false;
  memset(phrase->shift, (int)best_length, sizeof phrase->shift);
  for (size_t i = 0; i < best_length; i++) {
    unsigned char c = folded((unsigned char)pattern[best + i]);
    phrase->bytes[i] = c;
    if (i + 1 == best_length) break;
    phrase->shift[c] = (uint8_t)(best_length - 1 - i);
    if (c >= 'a' && c <= 'z') phrase->shift[c - 'a' + 'A'] = phrase->shift[c];
  }
  return true;
}

static bool is_there(const TrLikePhrase *phrase, const unsigned char *text) {
  for (unsigned i = 0; i < phrase->length; i++) {
    if (folded(text[i]) != phrase->bytes[i]) return false;
  }
  return true;
}

/* Horspool's search: the byte under the phrase's end tells how far to move the phrase. */
static bool is_found(const TrLikePhrase *phrase, const unsigned char *text, size_t length) {
  for (size_t at = 0; at + phrase->length <= length;) {
    if (is_there(phrase, text + at)) return true;
    at += phrase->shift[text[at + phrase->length - 1]];
  }
  return false;
}

/* May the text hold an escape for a character that is_plain() accepts? */
static bool has_plain_escape(const unsigned char *text, size_t length) {
  const unsigned char *end = text + length, *p = text;
  while ((p = memmem(p, (size_t)(end - p), "\\u00", 4)) != NULL) {
    if (p[4] >= '2' && p[4] <= '7') return true; /* four hexadecimal digits follow the u */
    p += 4;
  }
  return false;
}

bool tr_like_phrase_is_missing(const TrLikePhrase *phrase, const TrLine *line, const TrRecord *record) {
  const TrSpan *span = &record->field[phrase->field];
  if (span->kind != TR_STRING) return false;
  const unsigned char *text = line->text + span->start;
  if (is_found(phrase, text, span->length)) return false;
  return !span->escaped || !has_plain_escape(text, span->length);
}

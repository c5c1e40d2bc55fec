/*
** signature.c - taskresults_signature(error): the kind of failure that an error text describes, so that failures can be
** counted by kind: SELECT taskresults_signature(error) AS kind, count(*) FROM task_results WHERE ok = 0 GROUP BY 1.
**
** It takes the line that tells most (the last one of a Python traceback, else the first that is not blank), and folds
** in it what differs from run to run: times become <time>, identifiers <id>, other numbers <n>.
** It works on bytes: only ASCII is folded, so UTF-8 characters stay intact.
*/
#include "figures.h"

#include <string.h>

#define LINE_BYTES 300 /* of the line; the rest rarely matters for the kind */

typedef struct Text {
  const char *at, *end;
} Text;

static bool is_word_letter(char c) {
  return tr_is_letter(c) || c == '_';
}

/* --- which line -------------------------------------------------------------------------------------------------- */

static Text trimmed(Text text) {
  while (text.at < text.end && tr_is_blank(*text.at)) text.at++;
  while (text.at < text.end && tr_is_blank(text.end[-1])) text.end--;
  return text;
}

static Text telling_line(Text text) {
  static const char traceback[] = "Traceback (most recent call last)";
  text = trimmed(text);
  size_t length = (size_t)(text.end - text.at);
  if (length > sizeof traceback && memcmp(text.at, traceback, sizeof traceback - 1) == 0) {
    const char *newline = tr_last_byte(text.at, '\n', length);
    if (newline) text.at = newline + 1;
  } else {
    const char *newline = memchr(text.at, '\n', length);
    if (newline) text.end = newline;
  }
  text = trimmed(text);
  if (text.end - text.at > LINE_BYTES) {
    text.end = text.at + LINE_BYTES;
    while (text.end > text.at && ((unsigned char)*text.end & 0xC0) == 0x80) text.end--; /* do not cut a character */
  }
  return text;
}

/* --- what is folded ---------------------------------------------------------------------------------------------- */

/* Returns the end of the part that matches the pattern, or NULL. 9: a digit; h: a hexadecimal digit; T: 'T' or a space;
** +: a sign; else the character itself. */
static const char *match(Text text, const char *pattern) {
  for (; *pattern; pattern++, text.at++) {
    if (text.at == text.end) return NULL;
    char c = *text.at;
    bool fits = *pattern == '9'   ? tr_is_digit(c)
                : *pattern == 'h' ? tr_is_hex(c)
                : *pattern == 'T' ? c == 'T' || c == ' '
                : *pattern == '+' ? c == '+' || c == '-'
                                  : c == *pattern;
    if (!fits) return NULL;
  }
  return text.at;
}

/* Skips the pattern, if the text begins with it. */
static bool take(Text *text, const char *pattern) {
  const char *end = match(*text, pattern);
  if (end) text->at = end;
  return end != NULL;
}

static void take_digits(Text *text) {
  while (text->at < text->end && tr_is_digit(*text->at)) text->at++;
}

/* A day, with or without a time of day, a fraction and a zone. */
static bool take_time(Text *text) {
  if (!take(text, "9999-99-99")) return false;
  if (!take(text, "T99:99")) return true;
  if (take(text, ":99") && (take(text, ".9") || take(text, ",9"))) take_digits(text);
  if (!take(text, "Z") && !take(text, "+99:99")) take(text, "+9999");
  return true;
}

/* A word of hexadecimal digits that is neither a number nor an ordinary word: 0x7f…, a commit, a digest, a
** container. */
static bool take_identifier(Text *text) {
  Text rest = *text;
  if (take(text, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh")) return true;
  bool prefixed = take(&rest, "0x"), digits = false, letters = false;
  const char *start = rest.at;
  for (; rest.at < rest.end && tr_is_hex(*rest.at); rest.at++) *(tr_is_digit(*rest.at) ? &digits : &letters) = true;
  if (rest.at < rest.end && is_word_letter(*rest.at)) return false; /* the word goes on with another letter */
  if (prefixed ? rest.at == start : rest.at - start < 8 || !digits || !letters) return false;
  text->at = rest.at;
  return true;
}

/* Digits, and more digits after a point, comma or colon: 3, 1.5, 10,000, 10.0.0.1:443, 12:30:45. */
static void take_number(Text *text) {
  do take_digits(text);
  while (take(text, ".9") || take(text, ",9") || take(text, ":9"));
}

static size_t fold(Text text, char *out) {
  char *begin = out;
  bool in_word = false;
  while (text.at < text.end) {
    const char *folded = NULL;
    bool may_begin = !in_word && tr_is_hex(*text.at); /* as all times and identifiers do */
    if (may_begin && take_identifier(&text))
      folded = "<id>";
    else if (may_begin && take_time(&text))
      folded = "<time>";
    else if (tr_is_digit(*text.at))
      take_number(&text), folded = "<n>";
    if (folded) {
      size_t length = strlen(folded);
      memcpy(out, folded, length);
      out += length;
      in_word = true;
    } else {
      in_word = is_word_letter(*text.at);
      *out++ = *text.at++;
    }
  }
  return (size_t)(out - begin);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

_Static_assert(TR_SIGNATURE_SIZE >= 3 * LINE_BYTES, "what grows most is a digit, to <n>; times and identifiers shrink");

size_t tr_signature_of(TrBytes error, char out[TR_SIGNATURE_SIZE]) {
  return fold(telling_line((Text){error.text, error.text + error.length}), out);
}

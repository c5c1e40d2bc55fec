/*
** line.c - texts -> one line of bounded length, for a job's log: characters that would end the line or control a
** terminal are escaped, and no character or escape is cut in the middle.
*/
#include "base/base.h"
#include "runner.h"

#include <stdio.h>
#include <string.h>

/* Adds one character, or one escape of several characters. Once something did not fit, nothing more is added. */
static void line_put(Line *line, const char *text, size_t length, size_t characters) {
  if (line->left < characters || line->length + length > sizeof line->text) line->left = 0;
  if (line->left == 0) return;
  memcpy(line->text + line->length, text, length);
  line->length += length;
  line->left -= characters;
}

static void line_put_ascii(Line *line, const char *text) {
  line_put(line, text, strlen(text), strlen(text));
}

/* The code point of a valid sequence of two or three bytes. */
static unsigned code_point(const unsigned char *text, size_t length) {
  unsigned last = text[length - 1] & 0x3fU;
  return length == 2 ? (text[0] & 0x1fU) << 6 | last : (text[0] & 0x0fU) << 12 | (text[1] & 0x3fU) << 6 | last;
}

static void put_escape(Line *line, const unsigned char *text, size_t length) {
  static const char named[] = "abtnvfr"; /* from 7 on */
  char escape[8];
  if (length > 1) {
    snprintf(escape, sizeof escape, "\\u%04x", code_point(text, length));
  } else if (*text >= 7 && *text <= 13) {
    snprintf(escape, sizeof escape, "\\%c", named[*text - 7]);
  } else {
    snprintf(escape, sizeof escape, "\\x%02x", *text);
  }
  line_put_ascii(line, escape);
}

static bool is_control(unsigned char byte) {
  return byte < 0x20 || byte == 0x7f;
}

/* The length of the next character. *odd: it must be escaped. An invalid byte counts as a character. */
static size_t next_character(const unsigned char *text, size_t left, bool *odd) {
  size_t length = *text < 0x80 ? 1 : tr_utf8_sequence(text, left);
  *odd = length == 0 || (length == 1 ? is_control(*text) : steers_terminal(text, length));
  return length ? length : 1;
}

void line_add(Line *line, const char *text, size_t length) {
  bool odd;
  for (size_t at = 0, step; at < length && line->left; at += step) {
    const unsigned char *here = (const unsigned char *)text + at;
    step = next_character(here, length - at, &odd);
    if (odd) {
      put_escape(line, here, step);
    } else {
      line_put(line, text + at, step, 1);
    }
  }
}

/* --- a command's words -------------------------------------------------------------------------------------------- */

static bool is_plain(const char *word) {
  static const char special[] = "_@%+=:,./-";
  for (const char *p = word; *p; p++) {
    bool plain = (unsigned char)*p >= 0x80 || tr_is_letter(*p) || tr_is_digit(*p) || strchr(special, *p);
    if (!plain) return false;
  }
  return *word != '\0';
}

static bool has_odd(const char *word) {
  bool odd = false;
  for (size_t left = strlen(word), step; left && !odd; word += step, left -= step) {
    step = next_character((const unsigned char *)word, left, &odd);
  }
  return odd;
}

/* As $'...', the shell's quotes with escapes. */
static void add_escaped_word(Line *line, const char *word) {
  line_put_ascii(line, "$'");
  for (const char *p = word; *p && line->left;) {
    size_t plain = strcspn(p, "\\'");
    line_add(line, p, plain);
    p += plain;
    if (*p == '\\') line_put_ascii(line, "\\\\");
    if (*p == '\'') line_put_ascii(line, "\\'");
    if (*p) p++;
  }
  line_put_ascii(line, "'");
}

static void add_quoted_word(Line *line, const char *word) {
  line_put_ascii(line, "'");
  for (const char *p = word; *p && line->left;) {
    size_t plain = strcspn(p, "'");
    line_add(line, p, plain);
    p += plain;
    if (*p) {
      line_put_ascii(line, "'\\''");
      p++;
    }
  }
  line_put_ascii(line, "'");
}

void line_add_words(Line *line, char *const *words) {
  for (size_t i = 0; words[i] && line->left; i++) {
    if (i) line_put_ascii(line, " ");
    if (has_odd(words[i])) {
      add_escaped_word(line, words[i]);
    } else if (is_plain(words[i])) {
      line_add(line, words[i], strlen(words[i]));
    } else {
      add_quoted_word(line, words[i]);
    }
  }
}

/*
** say.c - messages on standard error. Names are in them as they were given, so what would control a terminal is shown and
** not obeyed, in the way of shell/terminal/visible.bash.
*/
#define _GNU_SOURCE
#include "runner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of the sequence that begins there; 0 if it is no UTF-8. `point` is its code point. */
static size_t sequence(const unsigned char *text, uint32_t *point) {
  size_t length = *text < 0x80 ? 1 : *text < 0xc2 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : *text < 0xf5 ? 4 : 0;
  *point = length == 1 ? *text : length == 0 ? 0 : *text & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((text[i] & 0xc0) != 0x80) return 0; /* the NUL at the end as well */
    *point = *point << 6 | (text[i] & 0x3f);
  }
  bool is_overlong = (length == 3 && *point < 0x800) || (length == 4 && *point < 0x10000);
  bool is_none = is_overlong || (*point >= 0xd800 && *point < 0xe000) || *point > 0x10ffff;
  return is_none ? 0 : length;
}

static bool reorders(uint32_t point) {
  return (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

static void show(FILE *out, const unsigned char *text) {
  while (*text) {
    uint32_t point;
    size_t length = sequence(text, &point);
    if (length == 1 && (point < 0x20 || point == 0x7f) && point != '\t' && point != '\n') {
      fprintf(out, "\xe2\x90%c", point == 0x7f ? 0xa1 : (int)(0x80 + point)); /* its picture, from U+2400 on */
    } else if (length == 0 || (point >= 0x80 && point < 0xa0) || reorders(point)) {
      fputs("\xef\xbf\xbd", out); /* U+FFFD */
    } else {
      fwrite(text, 1, length, out);
    }
    text += length ? length : 1;
  }
}

void say(const char *format, ...) {
  va_list arguments;
  char *text = NULL;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  fputs("taskresults: ", stderr);
  show(stderr, (const unsigned char *)(length < 0 ? "out of memory" : text));
  fputc('\n', stderr);
  if (length >= 0) free(text);
}

/*
** say.c - messages on standard error. They contain names as the user gave them, so control characters are made visible,
** as in shell/terminal/visible.bash.
*/
#include "base/base.h"
#include "runner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* C1 control characters, U+0080 to U+009F, and those that reorder text: U+202A to U+202E, U+2066 to U+2069. */
bool steers_terminal(const unsigned char *text, size_t length) {
  if (length == 2) return text[0] == 0xc2 && text[1] < 0xa0;
  return length == 3 && text[0] == 0xe2 &&
         ((text[1] == 0x80 && text[2] >= 0xaa && text[2] <= 0xae) ||
          (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9));
}

static void show(FILE *out, const unsigned char *text) {
  for (size_t left = strlen((const char *)text); *text;) {
    size_t length = *text < 0x80 ? 1 : tr_utf8_sequence(text, left);
    if ((*text < 0x20 || *text == 0x7f) && *text != '\t' && *text != '\n') {
      fprintf(out, "\xe2\x90%c", *text == 0x7f ? 0xa1 : 0x80 + *text); /* its picture, from U+2400 on */
    } else if (length == 0 || steers_terminal(text, length)) {
      fputs("\xef\xbf\xbd", out); /* U+FFFD */
    } else {
      fwrite(text, 1, length, out);
    }
    if (length == 0) length = 1;
    text += length;
    left -= length;
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

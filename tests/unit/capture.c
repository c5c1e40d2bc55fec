/* capture.c - a command's output -> the text that is recorded, however the output is split into pieces. */
#include "runner.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "random.h"

/* The output comes in pieces of 1 to `piece` bytes. The caller frees it. */
static Capture *captured(const void *bytes, size_t length, size_t piece) {
  Capture *capture = calloc(1, sizeof *capture);
  const unsigned char *at = bytes, *end = at + length;
  while (at < end) {
    size_t count = 1 + random_below(piece);
    if (count > (size_t)(end - at)) count = (size_t)(end - at);
    capture_bytes(capture, at, count);
    at += count;
  }
  capture_end(capture);
  return capture;
}

static bool has_whole(const char *bytes, const char *expected) {
  Capture *capture = captured(bytes, strlen(bytes), 3);
  bool same = capture->whole.length == strlen(expected) && memcmp(capture->whole.text, expected, strlen(expected)) == 0;
  free(capture);
  return same;
}

static bool has_stripped(const char *bytes, const char *expected) {
  Capture *capture = captured(bytes, strlen(bytes), 3);
  size_t length = capture_stripped_length(capture);
  bool same = length == strlen(expected) && memcmp(capture->stripped.text, expected, length) == 0;
  free(capture);
  return same;
}

#define BAD "\xef\xbf\xbd"

/* The examples are Python's: bytes.decode(errors="replace"). */
static void each_maximal_part_of_a_broken_sequence_is_replaced_once(void) {
  CHECK(has_whole("caf\xe9\n", "caf" BAD "\n"));
  CHECK(has_whole("\xe2\x82", BAD));
  CHECK(has_whole("\xe2\x82x", BAD "x"));
  CHECK(has_whole("\xe2\x82\xe2\x82\xac", BAD "\xe2\x82\xac"));
  CHECK(has_whole("\xed\xa0\x80", BAD BAD BAD)); /* a surrogate */
  CHECK(has_whole("\xc0\xaf", BAD BAD));         /* overlong */
  CHECK(has_whole("\xe0\x80\x80", BAD BAD BAD));
  CHECK(has_whole("\xf4\x90\x80\x80", BAD BAD BAD BAD)); /* above U+10FFFF */
  CHECK(has_whole("\xf0\x9f\x98", BAD));
  CHECK(has_whole("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"));
  CHECK(has_whole("\xff\xfe\x80", BAD BAD BAD));
}

static void line_ends_become_newlines(void) {
  CHECK(has_whole("a\r\nb\rc\n\r\r\n", "a\nb\nc\n\n\n"));
}

static void white_space_is_that_of_python(void) {
  CHECK(has_stripped(" \t\n\v\f\r\x1c\x1d\x1e\x1f x y \x1c\n", "x y"));
  CHECK(has_stripped("\xc2\x85\xc2\xa0\xe1\x9a\x80\xe2\x80\x80\xe2\x80\x8a\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf\xe2\x81"
                     "\x9f\xe3\x80\x80x",
                     "x"));
  CHECK(has_stripped("\xe2\x80\x8bx\xef\xbb\xbf", "\xe2\x80\x8bx\xef\xbb\xbf")); /* a zero-width space is none */
  CHECK(has_stripped(" \n ", ""));
  CHECK(has_stripped("", ""));
}

static void a_nul_is_a_character(void) {
  Capture *capture = captured(" a\0b\0", 5, 2);
  CHECK(capture_stripped_length(capture) == 4 && memcmp(capture->stripped.text, "a\0b\0", 4) == 0);
  free(capture);
}

/* Whether white space at the end goes depends on what comes after the cut. */
static void the_cut_comes_after_the_stripping(void) {
  size_t length = 3 * 1000 * 1000, letters = CAPTURE_POINTS - 2;
  char *text = malloc(length);
  memset(text, ' ', length);
  memset(text + 1000 * 1000, 'x', letters);
  Capture *capture = captured(text, length, 70000);
  CHECK(capture_stripped_length(capture) == letters);
  CHECK(capture->whole.length == CAPTURE_POINTS && capture->whole.solid_length == 0);
  free(capture);
  text[length - 1] = 'y';
  capture = captured(text, length, 70000);
  CHECK(capture_stripped_length(capture) == CAPTURE_POINTS && memcmp(capture->stripped.text + letters, "  ", 2) == 0);
  free(capture);
  free(text);
}

static void five_thousand_code_points_are_kept_whatever_their_length(void) {
  static const char *const letters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
  for (size_t i = 0; i < 4; i++) {
    size_t size = strlen(letters[i]);
    char *text = malloc(6000 * size);
    for (size_t at = 0; at < 6000; at++) memcpy(text + at * size, letters[i], size);
    Capture *capture = captured(text, 6000 * size, 100);
    CHECK(capture->whole.length == CAPTURE_POINTS * size &&
          memcmp(capture->whole.text, text, capture->whole.length) == 0);
    CHECK(capture_stripped_length(capture) == CAPTURE_POINTS * size);
    free(capture);
    free(text);
  }
}

int main(void) {
  RUN(each_maximal_part_of_a_broken_sequence_is_replaced_once);
  RUN(line_ends_become_newlines);
  RUN(white_space_is_that_of_python);
  RUN(a_nul_is_a_character);
  RUN(the_cut_comes_after_the_stripping);
  RUN(five_thousand_code_points_are_kept_whatever_their_length);
  return check_result();
}

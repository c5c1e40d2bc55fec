/* encode.c - row -> line: the same bytes as Python, texts cut to their limit, and no line longer than its bound. */
#include "tr.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "random.h"

static TrBytes bytes(const char *text) {
  return (TrBytes){text, strlen(text)};
}

/* The text as it is written between the quotes of "output". Valid until the next call. */
static const char *encoded(TrBytes text) {
  static char line[1 << 20];
  TrRow row = {
      .timestamp = bytes("T"), .job_id = bytes("j"), .job_name = bytes("n"), .output = text, .error = bytes("")};
  static const char before[] = "{\"timestamp\": \"T\", \"job_id\": \"j\", \"job_name\": \"n\", \"success\": false, "
                               "\"output\": \"";
  static const char after[] = "\", \"error\": \"\"}\n";
  size_t length = tr_encode(&row, line), end = length - strlen(after);
  CHECK(length <= tr_encode_bound(&row) && length > tr_encode_least(&row));
  CHECK(memcmp(line, before, strlen(before)) == 0 && memcmp(line + end, after, strlen(after)) == 0);
  line[end] = '\0';
  return line + strlen(before);
}

static void a_row_is_spelled_as_python_spells_it(void) {
  char line[1024];
  TrRow row = {.timestamp = bytes("2026-02-15T01:44:15Z"),
               .job_id = bytes("a-b"),
               .job_name = bytes("A B"),
               .output = bytes("done"),
               .error = bytes("none"),
               .success = true};
  line[tr_encode(&row, line)] = '\0';
  CHECK(strcmp(line, "{\"timestamp\": \"2026-02-15T01:44:15Z\", \"job_id\": \"a-b\", \"job_name\": \"A B\", "
                     "\"success\": true, \"output\": \"done\", \"error\": \"none\"}\n") == 0);
}

static void escapes_are_the_shortest_that_python_knows(void) {
  CHECK(strcmp(encoded(bytes("\"\\/\b\f\n\r\t")), "\\\"\\\\/\\b\\f\\n\\r\\t") == 0);
  CHECK(strcmp(encoded((TrBytes){"a\0b", 3}), "a\\u0000b") == 0);
  CHECK(strcmp(encoded(bytes("\x01\x1f\x7f ~")), "\\u0001\\u001f\\u007f ~") == 0);
  CHECK(strcmp(encoded(bytes("\xc2\x80\xdf\xbf\xe0\xa0\x80\xe2\x80\xa8\xef\xbf\xbf")),
               "\\u0080\\u07ff\\u0800\\u2028\\uffff") == 0);
  CHECK(strcmp(encoded(bytes("\xf0\x90\x80\x80\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf")),
               "\\ud800\\udc00\\ud83d\\ude00\\udbff\\udfff") == 0);
}

/* Each ASCII character at each place of an eight-byte step, alone and in company. */
static void a_character_is_escaped_wherever_it_stands(void) {
  for (unsigned c = 0; c < 128; c++) {
    char alone[16];
    strcpy(alone, encoded((TrBytes){&(char){(char)c}, 1}));
    for (size_t at = 0; at < 20; at++) {
      char text[20], expected[64] = "";
      memset(text, 'x', sizeof text);
      text[at] = (char)c;
      memset(expected, 'x', at);
      strcpy(expected + at, alone);
      memset(expected + strlen(expected), 'x', sizeof text - 1 - at);
      bool same = strcmp(encoded((TrBytes){text, sizeof text}), expected) == 0;
      if (!same) printf("# character %u at %zu\n", c, at);
      CHECK(same);
    }
  }
}

static size_t put_utf8(uint32_t code, char *out) {
  unsigned char *o = (unsigned char *)out;
  size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = length - 1; i > 0; i--, code >>= 6) o[i] = (unsigned char)(0x80 | (code & 0x3F));
  o[0] = (unsigned char)(lead[length] | code);
  return length;
}

static void every_code_point_is_read_back_as_itself(void) {
  char text[8];
  unsigned char back[8];
  for (uint32_t code = 1; code < 0x110000; code++) {
    if (code >= 0xD800 && code < 0xE000) continue;
    size_t length = put_utf8(code, text);
    const char *line = encoded((TrBytes){text, length});
    size_t got = tr_decode_string((const unsigned char *)line, strlen(line), back);
    if (got != length || memcmp(back, text, length) != 0) {
      printf("# U+%04X: %s\n", code, line);
      CHECK(false);
      return;
    }
  }
}

static void a_text_is_cut_at_5000_code_points_of_any_length(void) {
  static const char *const points[] = {"x", "\xc3\xa9", "\xe2\x80\xa8", "\xf0\x9f\x98\x80"};
  static char text[4 * (TR_MAX_TEXT + 1)];
  for (size_t kind = 0; kind < 4; kind++) {
    size_t size = strlen(points[kind]);
    for (size_t i = 0; i <= TR_MAX_TEXT; i++) memcpy(text + i * size, points[kind], size);
    for (size_t count = TR_MAX_TEXT - 1; count <= TR_MAX_TEXT + 1; count++) {
      size_t kept = count < TR_MAX_TEXT ? count : TR_MAX_TEXT;
      CHECK(tr_cut_text((TrBytes){text, count * size}).length == kept * size);
    }
  }
}

/* The reader takes each written line as one record, whatever the texts are. */
static void every_written_line_is_read_as_one_record(void) {
  static char text[400], line[16384 + TR_PADDING];
  TrParser parser;
  tr_parser_init(&parser);
  for (int round = 0; round < 20000; round++) {
    size_t length = 0;
    for (size_t left = random_below(90); left > 0; left--) {
      static const uint32_t limits[] = {0x80, 0x80, 0x20, 0x800, 0xD800, 0x110000};
      uint32_t code = (uint32_t)random_below(limits[random_below(6)]);
      if (code < 0xD800 || code >= 0xE000) length += put_utf8(code, text + length);
    }
    TrRow row = {.timestamp = bytes("2026-02-15T01:44:15Z"),
                 .job_id = bytes("j"),
                 .job_name = {text, length / 2 && tr_utf8_is_valid(text, length / 2) ? length / 2 : 0},
                 .output = {text, length},
                 .error = bytes("")};
    size_t size = tr_encode(&row, line);
    TrLine read = {.text = (unsigned char *)line, .length = size - 1, .terminated = true};
    TrRecord record;
    CHECK(line[size - 1] == '\n' && memchr(line, '\n', size - 1) == NULL && size <= tr_encode_bound(&row));
    CHECK(tr_parse(&parser, &read, &record) == TR_OK && record.field[TR_OUTPUT].kind == TR_STRING);
  }
}

int main(void) {
  RUN(a_row_is_spelled_as_python_spells_it);
  RUN(escapes_are_the_shortest_that_python_knows);
  RUN(a_character_is_escaped_wherever_it_stands);
  RUN(every_code_point_is_read_back_as_itself);
  RUN(a_text_is_cut_at_5000_code_points_of_any_length);
  RUN(every_written_line_is_read_as_one_record);
  return check_result();
}

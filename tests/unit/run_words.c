/* run_words.c - line.c, delay.c, tail.c, ping_text.c: what `run` writes into a job's log and tells curl,
** and how long it waits. */
#include "runner.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static bool is_line(size_t most, const char *text, size_t length, const char *expected) {
  Line line = {.left = most};
  line_add(&line, text, length);
  bool same = line.length == strlen(expected) && memcmp(line.text, expected, line.length) == 0;
  if (!same) printf("# %.*s\n# %s\n", (int)line.length, line.text, expected);
  return same;
}
#define LINE(most, text, expected) CHECK(is_line(most, text, sizeof text - 1, expected))

static void a_line_has_no_control_characters_and_is_not_cut_within_a_character_or_an_escape(void) {
  LINE(200, "a\nb\r\tc\0d\x1b[31m\x7f", "a\\nb\\r\\tc\\x00d\\x1b[31m\\x7f");
  LINE(200, "\xc2\x85 \xc2\xa0 \xe2\x80\xae \xe2\x81\xa6", "\\u0085 \xc2\xa0 \\u202e \\u2066");
  LINE(200, "\xff\xe2\x82 \xe2\x82\xac", "\\xff\\xe2\\x82 \xe2\x82\xac");
  LINE(3, "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
  LINE(3, "ab\nc", "ab"); /* and nothing after the word that did not fit */
  LINE(4, "ab\nc", "ab\\n");
  LINE(5, "ab\x1b", "ab");
  LINE(0, "a", "");
}

static void no_line_is_longer_than_its_buffer(void) {
  char *text = malloc(100000);
  memset(text, 'x', 100000);
  Line line = {.left = SIZE_MAX};
  line_add(&line, text, 100000);
  CHECK(line.length == sizeof line.text);
  memset(text, '\xff', 100000);
  line = (Line){.left = SIZE_MAX};
  line_add(&line, text, 100000);
  CHECK(line.length <= sizeof line.text && line.length > sizeof line.text - 4);
  free(text);
}

static bool are_words(size_t most, char *const *words, const char *expected) {
  Line line = {.left = most};
  line_add_words(&line, words);
  bool same = line.length == strlen(expected) && memcmp(line.text, expected, line.length) == 0;
  if (!same) printf("# %.*s\n# %s\n", (int)line.length, line.text, expected);
  return same;
}
#define WORDS(most, expected, ...) CHECK(are_words(most, (char *[]){__VA_ARGS__, NULL}, expected))

static void a_command_is_quoted_for_the_shell(void) {
  WORDS(200, "/bin/x -a=b %1 \xc3\xa9", "/bin/x", "-a=b", "%1", "\xc3\xa9");
  WORDS(200, "sh -c 'echo $x' '' 'it'\\''s'", "sh", "-c", "echo $x", "", "it's");
  WORDS(200, "$'a\\nb' $'\\'\\\\\\x01' $'\\xff'", "a\nb", "'\\\x01", "\xff");
  WORDS(4, "a 'b", "a", "b c");
}

static void a_delay_is_between_0_and_the_maximum(void) {
  CHECK(delay_choose(0, 0) == 0 && delay_choose(UINT64_MAX, 0) == 0);
  for (int64_t most = 1; most < 50; most++) {
    bool met[51] = {false};
    for (uint64_t random = 0; random < 100; random++) {
      int64_t chosen = delay_choose(random, most);
      CHECK(chosen >= 0 && chosen <= most);
      met[chosen] = true;
    }
    for (int64_t i = 0; i <= most; i++) CHECK(met[i]);
  }
  CHECK(delay_choose(UINT64_MAX, INT64_MAX / 1000) <= INT64_MAX / 1000 && delay_choose(UINT64_MAX, INT64_MAX) >= 0);
}

static void the_tail_is_the_last_bytes_whatever_pieces_they_come_in(void) {
  static unsigned char all[300000];
  for (size_t i = 0; i < sizeof all; i++) all[i] = (unsigned char)('a' + i * 7 % 26);
  for (size_t piece = 1; piece <= TAIL_BYTES; piece = piece * 3 + 1) {
    Tail *tail = calloc(1, sizeof *tail);
    for (size_t at = 0; at < sizeof all; at += piece) {
      size_t left = sizeof all - at;
      tail_add(tail, all + at, left < piece ? left : piece);
    }
    size_t length;
    const unsigned char *text = tail_text(tail, &length);
    CHECK(length == TAIL_BYTES && memcmp(text, all + sizeof all - length, length) == 0);
    free(tail);
  }
}

static void the_tail_begins_with_a_complete_character(void) {
  for (size_t before = 0; before < 8; before++) {
    Tail *tail = calloc(1, sizeof *tail);
    for (int i = 0; i < TAIL_BYTES / 4 + 4; i++) tail_add(tail, (const unsigned char *)"\xf0\x9f\x98\x80", 4);
    tail_add(tail, (const unsigned char *)"12345678", before);
    size_t length;
    const unsigned char *text = tail_text(tail, &length);
    CHECK(*text == 0xf0 && (length - before) % 4 == 0 && length > TAIL_BYTES - 4 && length <= TAIL_BYTES);
    free(tail);
  }
}

/* Does the config begin with that URL, and end with that body? */
static bool tells(const char *url, const char *action, const char *body, size_t length, const char *expected_url,
                  const char *expected_body) {
  char *config = NULL, begin[4096], end[4096];
  size_t size;
  FILE *out = open_memstream(&config, &size);
  ping_write(out, url, action, (const unsigned char *)body, length);
  fclose(out);
  snprintf(begin, sizeof begin, "url = \"%s\"\n", expected_url);
  snprintf(end, sizeof end, "\ndata-raw = \"%s\"\n", expected_body);
  bool same = strncmp(config, begin, strlen(begin)) == 0 && strlen(config) == size;
  if (body) same = same && size > strlen(end) && strcmp(config + size - strlen(end), end) == 0;
  if (!body) same = same && strstr(config, "data-raw") == NULL;
  if (!same) printf("# %s", config);
  free(config);
  return same;
}

static void a_ping_goes_below_the_path_and_is_quoted_for_curl(void) {
  CHECK(tells("https://h/k", "start", NULL, 0, "https://h/k/start", ""));
  CHECK(tells("https://h/k//", "0", "", 0, "https://h/k/0", ""));
  CHECK(tells("https://h/k/s?create=1&x=/", "143", "o", 1, "https://h/k/s/143?create=1&x=/", "o"));
  CHECK(tells("http://h/\"\\{a}#f", "1", "a\"\\\n\r\t\0\xff.", 9, "http://h/\\\"\\\\{a}/1#f",
              "a\\\"\\\\\\n\\r\\t\xef\xbf\xbd\xef\xbf\xbd."));
  CHECK(tells("https://h", "start", "url = \"http://evil\"", 19, "https://h/start", "url = \\\"http://evil\\\""));
}

static void only_http_and_https_urls_are_pinged(void) {
  static const char *const wrong[] = {
      "", "ftp://h/", "h/k", "https://h/ k", "https://h/\nk", "file:///etc/passwd", "HTTP", "-o x", "https://h/\x7f"};
  const char *fault;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    setenv("TASKRESULTS_PING_URL", wrong[i], 1);
    CHECK(ping_url("env", &fault) == NULL && fault);
  }
  unsetenv("TASKRESULTS_PING_URL");
  CHECK(ping_url("env", &fault) == NULL && fault);
  CHECK(ping_url("@/nowhere/x", &fault) == NULL && strcmp(fault, "No such file or directory") == 0);
  setenv("TASKRESULTS_PING_URL", "https://user:word@h/k", 1);
  char *url = ping_url("env", &fault);
  CHECK(url && fault == NULL && strcmp(url, "https://user:word@h/k") == 0);
  free(url);
}

int main(void) {
  RUN(a_line_has_no_control_characters_and_is_not_cut_within_a_character_or_an_escape);
  RUN(no_line_is_longer_than_its_buffer);
  RUN(a_command_is_quoted_for_the_shell);
  RUN(a_delay_is_between_0_and_the_maximum);
  RUN(the_tail_is_the_last_bytes_whatever_pieces_they_come_in);
  RUN(the_tail_begins_with_a_complete_character);
  RUN(a_ping_goes_below_the_path_and_is_quoted_for_curl);
  RUN(only_http_and_https_urls_are_pinged);
  return check_result();
}

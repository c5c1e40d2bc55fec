/* outcome.c, timeout.c, keep.c - what is recorded of a command, and what --quiet keeps of it. */
#define _GNU_SOURCE
#include "runner.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "check.h"

#define TEXT_BYTES 65536

static char text[TEXT_BYTES];

static int hex_digit(int c) {
  return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* The next line of the report, without its hexadecimal. */
static const char *next_text(FILE *report) {
  size_t length = 0;
  int high, low;
  while ((high = getc(report)) != '\n' && high != EOF && (low = getc(report)) != EOF) {
    text[length++] = (char)(hex_digit(high) << 4 | hex_digit(low));
  }
  text[length] = '\0';
  return text;
}

/* The report about a command that printed these. */
static bool is_told(Ending ending, const char *printed, const char *complaint, const char *success, const char *output,
                    const char *error) {
  Capture *out = calloc(1, sizeof *out), *err = calloc(1, sizeof *err);
  Outcome *outcome = calloc(1, sizeof *outcome);
  FILE *report = tmpfile();
  capture_bytes(out, (const unsigned char *)printed, strlen(printed));
  capture_bytes(err, (const unsigned char *)complaint, strlen(complaint));
  capture_end(out);
  capture_end(err);
  ending.out = out;
  ending.err = err;
  outcome_judge(&ending, outcome);
  report_write(outcome, report);
  rewind(report);
  bool same = getc(report) == *success && getc(report) == '\n';
  same = strcmp(next_text(report), output) == 0 && same;
  same = strcmp(next_text(report), error) == 0 && same;
  same = getc(report) == EOF && same;
  fclose(report);
  free(outcome);
  free(out);
  free(err);
  return same;
}

#define EXITED(status) ((status) << 8) /* as wait() tells it */

static void the_texts_are_those_that_the_scheduler_chooses(void) {
  CHECK(is_told((Ending){.is_success = true}, " out\n", "err\n", "1", "out", ""));
  CHECK(is_told((Ending){.is_success = true}, "", "err\n", "1", "", ""));
  CHECK(is_told((Ending){.wait_status = EXITED(3)}, " out\n", " err\n", "0", "", " err\n"));
  CHECK(is_told((Ending){.wait_status = EXITED(3)}, " out\n", "", "0", "", " out\n"));
  CHECK(is_told((Ending){.command = "caf\xe9", .start_error = 2}, "", "", "0", "",
                "[Errno 2] No such file or directory: 'caf\xef\xbf\xbd'"));
}

static void a_failure_that_printed_nothing_has_an_error(void) {
  CHECK(is_told((Ending){.wait_status = EXITED(42)}, "", "", "0", "", "exit status 42"));
  CHECK(is_told((Ending){.wait_status = EXITED(255)}, "", "", "0", "", "exit status 255"));
  CHECK(is_told((Ending){.wait_status = SIGKILL}, "", "", "0", "", "killed by SIGKILL"));
  CHECK(is_told((Ending){.wait_status = SIGSEGV | 0x80}, "", "", "0", "", "killed by SIGSEGV")); /* and dumped core */
  CHECK(is_told((Ending){.wait_status = SIGTERM, .interrupted_by = SIGHUP}, "", "", "0", "", "Interrupted (SIGHUP)"));
  CHECK(is_told((Ending){.wait_status = 0, .interrupted_by = SIGINT}, "", "", "0", "", "Interrupted (SIGINT)"));
  CHECK(is_told((Ending){.wait_status = SIGTERM, .interrupted_by = SIGTERM}, "so far", "", "0", "", "so far"));
}

static void a_timeout_keeps_what_was_printed_as_the_output(void) {
  Ending ending = {.timed_out = true, .timeout_words = "too long", .wait_status = SIGTERM};
  CHECK(is_told(ending, "", "", "0", "", "too long"));
  CHECK(is_told(ending, " so far\n", "complaint\n", "0", "so far", "too long"));
  CHECK(is_told(ending, "\n", "\tcomplaint\n", "0", "complaint", "too long"));
  ending.interrupted_by = SIGTERM;
  CHECK(is_told(ending, "so far", "", "0", "so far", "too long"));
}

static void timeouts_are_worded_as_the_scheduler_words_them(void) {
  static const char *const examples[][2] = {
      {"5m", "5 minutes"},    {"300", "5 minutes"},           {"60s", "1 minute"},    {"2h", "120 minutes"},
      {"90s", "90 seconds"},  {"1 day 30s", "86430 seconds"}, {"1.5", "1.5 seconds"}, {"1 Month", "43200 minutes"},
      {"1.0009", "1 second"}, {"0.050", "0.05 seconds"}};
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    char words[TIMEOUT_WORDS_SIZE], expected[TIMEOUT_WORDS_SIZE];
    int64_t timeout_ms = 0;
    CHECK(timeout_parse(examples[i][0], &timeout_ms));
    timeout_words(timeout_ms, words);
    snprintf(expected, sizeof expected, "Execution timed out (%s)", examples[i][1]);
    CHECK(strcmp(words, expected) == 0);
  }
}

static unsigned char pattern(size_t at) {
  return (unsigned char)(at * 31 + at / 4099);
}

/* Adds blocks until one fails, or `most` bytes were added; checks that all are read back in order. 0, or errno. */
static int keep_and_take(size_t most, size_t *total) {
  Kept *kept = calloc(1, sizeof *kept);
  unsigned char block[KEPT_TAIL_BYTES];
  int reason = 0;
  for (*total = 0; *total < most && reason == 0; *total += sizeof block) {
    for (size_t i = 0; i < sizeof block; i++) block[i] = pattern(*total + i);
    reason = kept_add(kept, block, sizeof block);
  }
  size_t taken = 0;
  for (ssize_t count; (count = kept_take(kept, block, 1000)) > 0; taken += (size_t)count) {
    for (ssize_t i = 0; i < count; i++) CHECK(block[i] == pattern(taken + (size_t)i));
  }
  CHECK(taken == *total && kept_is_empty(kept));
  free(kept);
  return reason;
}

static void kept_output_comes_back_complete_even_if_no_more_can_be_kept(void) {
  size_t total;
  CHECK(keep_and_take(KEPT_HEAD_BYTES, &total) == 0);
  CHECK(keep_and_take(3 * KEPT_HEAD_BYTES, &total) == 0);
  setenv("TMPDIR", "/nowhere", 1);
  CHECK(keep_and_take(KEPT_HEAD_BYTES, &total) == 0); /* needs no disk */
  CHECK(keep_and_take(3 * KEPT_HEAD_BYTES, &total) != 0 && total == KEPT_HEAD_BYTES + KEPT_TAIL_BYTES);
  unsetenv("TMPDIR");
  signal(SIGXFSZ, SIG_IGN);
  for (rlim_t limit = 0; limit < 20000; limit += 1999) { /* in the middle of a block */
    CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, RLIM_INFINITY}) == 0);
    CHECK(keep_and_take(3 * KEPT_HEAD_BYTES, &total) != 0 && total > KEPT_HEAD_BYTES + limit);
  }
  CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) == 0); /* counters go to a file */
}

int main(void) {
  RUN(the_texts_are_those_that_the_scheduler_chooses);
  RUN(a_failure_that_printed_nothing_has_an_error);
  RUN(a_timeout_keeps_what_was_printed_as_the_output);
  RUN(timeouts_are_worded_as_the_scheduler_words_them);
  RUN(kept_output_comes_back_complete_even_if_no_more_can_be_kept);
  return check_result();
}

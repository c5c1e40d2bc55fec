/*
** outcome.c - how a command ended -> what the recorder is told: three lines, `1` for a success or `0`, and the texts
** that are recorded as output and as error, in hexadecimal.
**
** The texts are those that the scheduler would choose: for a success, standard output; for a failure, standard error,
** or standard output if that is empty. A failure that printed nothing gets an error of ours. After a timeout, the error
** is only the words about the timeout, so that all timeouts are counted as one kind; the output is what was printed
** until then.
*/
#include "runner.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static void set_error(Outcome *outcome, const void *text, size_t length) {
  outcome->error = text;
  outcome->error_length = length;
}

static void set_output(Outcome *outcome, const Capture *capture) {
  outcome->output = (const char *)capture->stripped.text;
  outcome->output_length = capture_stripped_length(capture);
}

static void name_signal(int number, char *out, size_t size) {
  const char *name = signal_name(number);
  if (name) snprintf(out, size, "SIG%s", name);
  if (!name) snprintf(out, size, "signal %d", number);
}

/* Python's words. A name may have any bytes. */
static void judge_not_started(const Ending *ending, Outcome *outcome) {
  static Capture text;
  int length = snprintf(outcome->words, sizeof outcome->words, "[Errno %d] %s: '%s'", ending->start_error,
                        strerror(ending->start_error), ending->command);
  size_t most = sizeof outcome->words - 1;
  capture_bytes(&text, (const unsigned char *)outcome->words, (size_t)length < most ? (size_t)length : most);
  capture_end(&text);
  set_error(outcome, text.whole.text, text.whole.length);
}

static void judge_silent_failure(const Ending *ending, Outcome *outcome) {
  char *words = outcome->words, name[32];
  if (ending->interrupted_by) {
    name_signal(ending->interrupted_by, name, sizeof name);
    snprintf(words, sizeof outcome->words, "Interrupted (%s)", name);
  } else if (WIFSIGNALED(ending->wait_status)) {
    name_signal(WTERMSIG(ending->wait_status), name, sizeof name);
    snprintf(words, sizeof outcome->words, "killed by %s", name);
  } else {
    snprintf(words, sizeof outcome->words, "exit status %d", WEXITSTATUS(ending->wait_status));
  }
  set_error(outcome, words, strlen(words));
}

void outcome_judge(const Ending *ending, Outcome *outcome) {
  const CaptureHead *shown = &ending->out->whole, *complaint = &ending->err->whole;
  outcome->is_success = ending->is_success;
  outcome->timed_out = ending->timed_out;
  outcome->output = outcome->error = "";
  outcome->output_length = outcome->error_length = 0;
  if (ending->start_error) {
    judge_not_started(ending, outcome);
  } else if (ending->timed_out) {
    set_output(outcome, shown->solid_length ? ending->out : ending->err);
    set_error(outcome, ending->timeout_words, strlen(ending->timeout_words));
  } else if (ending->is_success) {
    set_output(outcome, ending->out);
  } else if (complaint->length || shown->length) {
    if (complaint->length == 0) complaint = shown;
    set_error(outcome, complaint->text, complaint->length);
  } else {
    judge_silent_failure(ending, outcome);
  }
}

static void write_hex(FILE *out, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) fprintf(out, "%02x", (unsigned char)text[i]);
  fputc('\n', out);
}

void report_write(const Outcome *outcome, FILE *out) {
  fputs(outcome->is_success ? "1\n" : "0\n", out);
  write_hex(out, outcome->output, outcome->output_length);
  write_hex(out, outcome->error, outcome->error_length);
}

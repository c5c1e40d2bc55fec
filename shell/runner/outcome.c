/*
** outcome.c - how a command ended -> what the recorder is told: three lines, `1` for a success or `0`, and the texts
** that are recorded as output and as error, in hexadecimal.
**
** The texts are the scheduler's own choice: of a success standard output; of a failure standard error, or standard
** output if that is empty. A failure that printed nothing gets words instead. Of a timeout the error is its words
** alone, so that such failures are counted as one kind; what was printed until then is the output.
*/
#include "runner.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static void write_hex(FILE *out, const void *text, size_t length) {
  const unsigned char *bytes = text;
  for (size_t i = 0; i < length; i++) fprintf(out, "%02x", bytes[i]);
  fputc('\n', out);
}

static void write_stripped(FILE *out, const Capture *capture) {
  write_hex(out, capture->stripped.text, capture_stripped_length(capture));
}

static void write_failure(FILE *out, const char *words) {
  fputs("0\n\n", out);
  write_hex(out, words, strlen(words));
}

static void name_signal(int number, char *out, size_t size) {
  const char *name = signal_name(number);
  if (name) snprintf(out, size, "SIG%s", name);
  if (!name) snprintf(out, size, "signal %d", number);
}

static void write_not_started(const Ending *ending, FILE *out) {
  char words[PATH_MAX + 64]; /* Python's */
  snprintf(words, sizeof words, "[Errno %d] %s: '%s'", ending->start_error, strerror(ending->start_error),
           ending->command);
  static Capture text; /* a name may have any bytes */
  capture_bytes(&text, (const unsigned char *)words, strlen(words));
  capture_end(&text);
  fputs("0\n\n", out);
  write_hex(out, text.whole.text, text.whole.length);
}

static void write_silent_failure(const Ending *ending, FILE *out) {
  char words[64], name[32];
  if (ending->interrupted_by) {
    name_signal(ending->interrupted_by, name, sizeof name);
    snprintf(words, sizeof words, "Interrupted (%s)", name);
  } else if (WIFSIGNALED(ending->wait_status)) {
    name_signal(WTERMSIG(ending->wait_status), name, sizeof name);
    snprintf(words, sizeof words, "killed by %s", name);
  } else {
    snprintf(words, sizeof words, "exit status %d", WEXITSTATUS(ending->wait_status));
  }
  write_failure(out, words);
}

void report_write(const Ending *ending, FILE *out) {
  const CaptureHead *shown = &ending->out->whole, *complaint = &ending->err->whole;
  if (ending->start_error) {
    write_not_started(ending, out);
  } else if (ending->timed_out) {
    fputs("0\n", out);
    write_stripped(out, shown->solid_length ? ending->out : ending->err);
    write_hex(out, ending->timeout_words, strlen(ending->timeout_words));
  } else if (ending->is_success) {
    fputs("1\n", out);
    write_stripped(out, ending->out);
    fputc('\n', out);
  } else if (complaint->length || shown->length) {
    fputs("0\n\n", out);
    if (complaint->length) {
      write_hex(out, complaint->text, complaint->length);
    } else {
      write_hex(out, shown->text, shown->length);
    }
  } else {
    write_silent_failure(ending, out);
  }
}

/* messages.c - lines -> messages of a log, when the file changes under the reader. The rest is in
** bats/logs_table.bats. */
#include "tr.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define LONG 5000
#define MAX_LINE 300

static int fd;
static TrLines lines;
static TrMessages messages;

static void begin(const char *text, bool backwards) {
  size_t length = strlen(text);
  CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, text, length, 0) == (ssize_t)length);
  tr_messages_open(&messages, &lines);
  CHECK(tr_lines_open(&lines, fd, 0, (int64_t)length, MAX_LINE, backwards, NULL) == SQLITE_OK);
}

static void two_long_messages(char *text) {
  for (int i = 0; i < 2; i++) {
    text += sprintf(text, "[2026-01-0%dT00:00:00Z] ", i + 1);
    memset(text, 'a' + i, LONG);
    text += LONG;
    *text++ = '\n';
  }
  *text = '\0';
}

static bool is_message(const TrMessage *message, int number) {
  const TrLine *line = &message->line;
  return line->too_long && line->length == LONG + 23 && line->text[10] == '0' + number &&
         line->text[MAX_LINE - 1] == (unsigned char)('a' + number - 1) && message->timestamp.length == 20 &&
         message->words.length == MAX_LINE - 23 && message->cut == LONG + 23 - MAX_LINE;
}

static void a_message_longer_than_a_line_may_be_is_cut(void) {
  static char text[3 * LONG];
  TrMessage message;
  two_long_messages(text);
  for (int backwards = 0; backwards < 2; backwards++) {
    begin(text, backwards);
    for (int i = 0; i < 2; i++) {
      CHECK(tr_messages_next(&messages, &message) == SQLITE_ROW);
      CHECK(is_message(&message, backwards ? 2 - i : 1 + i));
    }
    CHECK(tr_messages_next(&messages, &message) == SQLITE_DONE);
  }
}

/* The message is found, its lines are given up, and it is read again when needed. By then the file may have changed. */
static void a_long_message_that_has_vanished_when_it_is_read_again_is_skipped(void) {
  static char text[3 * LONG];
  TrMessage message;
  two_long_messages(text);
  begin(text, false);
  CHECK(tr_messages_next(&messages, &message) == SQLITE_ROW && is_message(&message, 1));
  CHECK(ftruncate(fd, LONG + 100) == 0);
  CHECK(tr_messages_next(&messages, &message) == SQLITE_DONE);
  CHECK(tr_messages_next(&messages, &message) == SQLITE_DONE);
}

/* Of three lines, the third is long, and is no longer there. The first two still are a message. */
static void a_long_line_that_has_vanished_ends_its_message(void) {
  static char text[3 * LONG];
  TrMessage message;
  int length = sprintf(text, "[2026-01-01T00:00:00Z] one\ntwo\n");
  memset(text + length, 'x', LONG);
  strcpy(text + length + LONG, "\n[2026-01-02T00:00:00Z] next\n");
  begin(text, false);
  CHECK(tr_messages_next(&messages, &message) == SQLITE_ROW && message.line.too_long &&
        message.line.length == (size_t)length + LONG);
  CHECK(memcmp(message.line.text, text, (size_t)length) == 0);
  CHECK(tr_messages_next(&messages, &message) == SQLITE_ROW && !message.line.too_long && message.line.length == 27);
  CHECK(tr_messages_next(&messages, &message) == SQLITE_DONE);
}

int main(void) {
  char path[] = "/tmp/taskresults-messages-XXXXXX";
  fd = mkstemp(path);
  CHECK(fd >= 0);
  unlink(path);
  RUN(a_message_longer_than_a_line_may_be_is_cut);
  RUN(a_long_message_that_has_vanished_when_it_is_read_again_is_skipped);
  RUN(a_long_line_that_has_vanished_ends_its_message);
  tr_messages_close(&messages);
  tr_lines_close(&lines);
  return check_result();
}

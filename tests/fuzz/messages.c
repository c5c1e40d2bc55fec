/*
** messages.c - fuzz target: a log's messages, forwards and backwards, through a buffer of a few bytes. Both directions
** give the same messages, each byte of the file is in one of them, and each timestamp can be read again.
**
** Aimed at ext/scheduler/messages.c and ext/scheduler/event.c.
*/
#include "tr.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

typedef struct Seen {
  int64_t offset;
  uint64_t length;
  size_t held;
  bool terminated, too_long, timed;
  TrEvent event;
} Seen;

typedef struct List {
  Seen *message;
  size_t count;
} List;

static Seen look_at(const TrMessage *message, const uint8_t *file) {
  const TrLine *line = &message->line;
  bool timed = message->timestamp.kind == TR_STRING;
  MUST(timed || line->offset == 0);
  size_t start = timed ? message->timestamp.length + 3 : 0, held = start + message->words.length;
  MUST(message->words.text == (const char *)line->text + start && held + message->cut == line->length);
  MUST(memcmp(line->text, file + line->offset, held) == 0);
  MUST(line->too_long == (message->cut > 0));
  return (Seen){.offset = line->offset,
                .length = line->length,
                .held = held,
                .terminated = line->terminated,
                .too_long = line->too_long,
                .timed = timed,
                .event = tr_event_of(message->words.text, message->words.length)};
}

static List read_all(int fd, const uint8_t *file, size_t size, size_t max_line, bool backwards) {
  List list = {malloc((size + 1) * sizeof(Seen)), 0};
  TrLines lines = {0};
  TrMessages messages = {0};
  TrPoll poll = {0};
  TrMessage message;
  int code;
  MUST(tr_lines_open(&lines, fd, 0, (int64_t)size, max_line, backwards, &poll) == SQLITE_OK);
  tr_messages_open(&messages, &lines);
  while ((code = tr_messages_next(&messages, &message)) == SQLITE_ROW) {
    MUST(list.count <= size && (uint64_t)message.line.offset + message.line.length <= size);
    list.message[list.count++] = look_at(&message, file);
  }
  MUST(code == SQLITE_DONE);
  tr_messages_close(&messages);
  tr_lines_close(&lines);
  return list;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  size_t max_line = 1 + (size_t)fuzz_byte(&data, &size) * 4;
  int fd = memfd_create("log", MFD_CLOEXEC);
  MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
  List forwards = read_all(fd, data, size, max_line, false);
  List backwards = read_all(fd, data, size, max_line, true);
  MUST(forwards.count == backwards.count);
  uint64_t at = 0;
  for (size_t i = 0; i < forwards.count; i++) {
    const Seen *a = &forwards.message[i], *b = &backwards.message[backwards.count - 1 - i];
    MUST((uint64_t)a->offset == at && (a->timed || at == 0));
    MUST(a->offset == b->offset && a->length == b->length && a->held == b->held && a->event == b->event);
    MUST(a->terminated == b->terminated && a->too_long == b->too_long && a->timed == b->timed);
    at += a->length + a->terminated;
  }
  MUST(at == size);
  free(forwards.message);
  free(backwards.message);
  close(fd);
  return 0;
}

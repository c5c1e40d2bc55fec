/*
** messages.c - the lines of a log -> its messages.
**
** A message begins with a line `[TIMESTAMP] words` and includes the lines up to the next such line, because the
** scheduler copies the output of commands into its messages. Lines before the first timestamp form a message without a
** timestamp, so that nothing is dropped. Only an ISO 8601 time with a T and a zone counts: output of a command may
** begin with a bracket too.
**
** Forwards, a message ends where the next one begins, so one line is read ahead. Backwards, its first line comes last;
** if the message has more than one line, it is read again as a whole, which is simpler than joining the lines from the
** end. In both directions up to max_line bytes of a message are kept; the rest is only counted.
*/
#include "scheduler.h"

#include <assert.h>
#include <string.h>

#define MESSAGE_HEAD 64 /* the longest timestamp with its brackets, in bytes */
#define LEAST_HELD 128  /* at least this is kept, however small max_line is */

void tr_messages_open(TrMessages *messages, TrLines *lines) {
  messages->lines = lines;
  messages->held = 0;
  messages->has_pushed_back = false;
}

void tr_messages_close(TrMessages *messages) {
  sqlite3_free(messages->text);
  *messages = (TrMessages){0};
}

/* --- where a message begins --------------------------------------------------------------------------------------- */

#define TIME_AT 11 /* in a timestamp: after the date and the T */

static bool names_a_zone(const char *stamp, size_t length) {
  for (size_t i = TIME_AT; i < length; i++) {
    if (stamp[i] == 'Z' || stamp[i] == 'z' || stamp[i] == '+' || stamp[i] == '-') return true;
  }
  return false;
}

/* The length of the timestamp in `[TIMESTAMP] `, or 0. Looks at no more than MESSAGE_HEAD bytes. */
static size_t stamp_length(const unsigned char *text, size_t length) {
  size_t head = length < MESSAGE_HEAD ? length : MESSAGE_HEAD;
  if (head < 3 || text[0] != '[') return 0;
  const unsigned char *bracket = memchr(text, ']', head - 1);
  if (bracket == NULL || bracket[1] != ' ') return 0;
  const char *stamp = (const char *)text + 1;
  size_t count = (size_t)(bracket - text) - 1;
  int64_t unused;
  if (!tr_timestamp_parse(stamp, count, &unused) || stamp[TIME_AT - 1] == ' ') return 0;
  return names_a_zone(stamp, count) ? count : 0;
}

/* The start of a line that is too long to keep is read again. */
static int find_stamp(TrMessages *messages, const TrLine *line, size_t *stamp) {
  unsigned char head[MESSAGE_HEAD];
  size_t got = 0;
  if (!line->too_long) {
    *stamp = stamp_length(line->text, (size_t)line->length);
    return SQLITE_OK;
  }
  size_t count = line->length < sizeof head ? (size_t)line->length : sizeof head;
  int code = tr_lines_read_again(messages->lines, head, count, line->offset, &got);
  *stamp = stamp_length(head, got);
  return code;
}

/* --- holding one -------------------------------------------------------------------------------------------------- */

static size_t most_held(const TrMessages *messages) {
  return messages->lines->max_line > LEAST_HELD ? messages->lines->max_line : LEAST_HELD;
}

static int messages_reserve(TrMessages *messages, size_t wanted) {
  if (wanted < 1024) wanted = 1024; /* also for an empty message */
  unsigned char *text = tr_array_reserve(messages->text, &messages->room, wanted, 1);
  if (text == NULL) return SQLITE_NOMEM;
  messages->text = text;
  return SQLITE_OK;
}

/* Appends the line, as far as there is room in the message. *shrunk: the file now ends before the line. */
static int hold_line(TrMessages *messages, const TrLine *line, bool *shrunk) {
  size_t left = most_held(messages) - messages->held;
  size_t count = line->length < left ? (size_t)line->length : left, got = count;
  int code = messages_reserve(messages, messages->held + count + 1); /* an empty message is a text too */
  if (code != SQLITE_OK) return code;
  unsigned char *into = messages->text + messages->held;
  if (line->too_long) {
    code = tr_lines_read_again(messages->lines, into, count, line->offset, &got);
  } else {
    memcpy(into, line->text, count);
  }
  messages->held += got;
  *shrunk = got < count;
  return code;
}

static int hold_newline(TrMessages *messages) {
  if (messages->held == most_held(messages)) return SQLITE_OK;
  int code = messages_reserve(messages, messages->held + 1);
  if (code == SQLITE_OK) messages->text[messages->held++] = '\n';
  return code;
}

/* Removes a character that the limit cut in the middle. */
static void trim_last_character(TrMessages *messages) {
  size_t back = 0;
  while (back < 3 && back < messages->held && (messages->text[messages->held - 1 - back] & 0xC0) == 0x80) back++;
  if (back < messages->held && messages->text[messages->held - 1 - back] >= 0xC0) messages->held -= back + 1;
}

static void give_message(TrMessages *messages, size_t stamp, TrMessage *message) {
  TrLine *line = &message->line;
  size_t start = stamp ? stamp + strlen("[] ") : 0;
  assert(start <= messages->held);
  line->too_long = line->length > messages->held;
  if (line->too_long) trim_last_character(messages);
  line->text = messages->text;
  message->cut = line->length - messages->held;
  message->timestamp = (TrSpan){.kind = TR_ABSENT};
  if (stamp) message->timestamp = (TrSpan){.kind = TR_STRING, .start = 1, .length = (uint32_t)stamp};
  message->words = (TrBytes){(const char *)line->text + start, messages->held - start};
}

/* --- forwards ----------------------------------------------------------------------------------------------------- */

/* Adds a line to the message; `first`: it begins the message. */
static int add_line(TrMessages *messages, TrLine *message, const TrLine *line, bool first, bool *shrunk) {
  int code = first ? SQLITE_OK : hold_newline(messages);
  if (code == SQLITE_OK) code = hold_line(messages, line, shrunk);
  if (first) message->offset = line->offset;
  message->length = (uint64_t)(line->offset - message->offset) + line->length;
  message->terminated = line->terminated;
  return code;
}

/* The next line, or the pushed-back one, and the length of its timestamp. SQLITE_ROW, or as tr_lines_next(). */
static int stamped_line(TrMessages *messages, TrLine *line, size_t *stamp) {
  if (messages->has_pushed_back) {
    messages->has_pushed_back = false;
    *line = messages->pushed_back;
    *stamp = messages->pushed_back_stamp;
    return SQLITE_ROW;
  }
  int code = tr_lines_next(messages->lines, line);
  if (code != SQLITE_ROW) return code;
  code = find_stamp(messages, line, stamp);
  return code == SQLITE_OK ? SQLITE_ROW : code;
}

static int next_message_forwards(TrMessages *messages, TrMessage *message) {
  TrLine line;
  size_t stamp = 0, next_stamp;
  bool first = true, shrunk = false;
  int code = stamped_line(messages, &line, &stamp);
  messages->held = 0;
  while (code == SQLITE_ROW) {
    code = add_line(messages, &message->line, &line, first, &shrunk);
    if (code != SQLITE_OK) return code;
    if (shrunk) break;
    first = false;
    code = stamped_line(messages, &line, &next_stamp);
    if (code != SQLITE_ROW || next_stamp == 0) continue;
    messages->pushed_back = line;
    messages->pushed_back_stamp = next_stamp;
    messages->has_pushed_back = true;
    break;
  }
  if (first || (code != SQLITE_ROW && code != SQLITE_DONE)) return shrunk ? SQLITE_DONE : code;
  give_message(messages, stamp, message);
  return SQLITE_ROW;
}

/* --- backwards ---------------------------------------------------------------------------------------------------- */

/* If the message is only this line, it is taken; if it has more lines, it is read again. SQLITE_DONE: the file has
** shrunk. */
static int hold_message(TrMessages *messages, const TrLine *message, const TrLine *line) {
  TrLine whole = *message;
  bool shrunk;
  whole.too_long = true;
  messages->held = 0;
  int code = hold_line(messages, message->length == line->length ? line : &whole, &shrunk);
  return code == SQLITE_OK && shrunk ? SQLITE_DONE : code;
}

/* Lines without a timestamp before them are the first of the file; or the file has shrunk, and their message's first
** line is gone. */
static int next_message_backwards(TrMessages *messages, TrMessage *message) {
  TrLine line;
  size_t stamp;
  int64_t end = -1;
  do {
    int code = stamped_line(messages, &line, &stamp);
    if (code != SQLITE_ROW) return code;
    if (end < 0) {
      end = line.offset + (int64_t)line.length;
      message->line.terminated = line.terminated;
    }
  } while (stamp == 0 && line.offset > 0);
  message->line.offset = line.offset;
  message->line.length = (uint64_t)(end - line.offset);
  int code = hold_message(messages, &message->line, &line);
  if (code != SQLITE_OK) return code;
  give_message(messages, stamp, message);
  return SQLITE_ROW;
}

int tr_messages_next(TrMessages *messages, TrMessage *message) {
  return messages->lines->backwards ? next_message_backwards(messages, message)
                                    : next_message_forwards(messages, message);
}

/*
** messages.c - the lines of a log -> its messages.
**
** A message begins with a line `[TIMESTAMP] words` and has the lines up to the next such one: the scheduler puts what a
** command printed into its messages as it is. The lines before the first timestamp, if there are any, are a message
** without one, so that nothing is dropped. Only an ISO 8601 time with a T and a zone counts: what a command prints may
** begin with a bracket too.
**
** Forwards, a message is over when the next one begins, so one line is read ahead. Backwards, its first line is the
** last to come by; if there was more than one, the whole is read again, which is simpler than putting it together from
** its end. Either way a message is held up to max_line bytes, and its length counted beyond.
*/
#include "scheduler.h"

#include <string.h>

#define LEAST_HELD 128 /* more than TR_MESSAGE_HEAD, however small max_line is */

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

#define TIME_AT 11 /* in a timestamp: behind its date, which has dashes, and the T */

static bool names_a_zone(const char *stamp, size_t length) {
  for (size_t i = TIME_AT; i < length; i++) {
    if (stamp[i] == 'Z' || stamp[i] == 'z' || stamp[i] == '+' || stamp[i] == '-') return true;
  }
  return false;
}

/* The length of the timestamp in `[TIMESTAMP] `, or 0. Looks at no more than TR_MESSAGE_HEAD bytes. */
static size_t stamp_length(const unsigned char *text, size_t length) {
  size_t head = length < TR_MESSAGE_HEAD ? length : TR_MESSAGE_HEAD;
  if (head < 3 || text[0] != '[') return 0;
  const unsigned char *bracket = memchr(text, ']', head - 1);
  if (bracket == NULL || bracket[1] != ' ') return 0;
  const char *stamp = (const char *)text + 1;
  size_t count = (size_t)(bracket - text) - 1;
  int64_t unused;
  if (!tr_timestamp_parse(stamp, count, &unused) || stamp[TIME_AT - 1] == ' ') return 0;
  return names_a_zone(stamp, count) ? count : 0;
}

bool tr_message_parse(const TrLine *message, TrRecord *record) {
  for (int i = 0; i <= TR_FIELD_COUNT; i++) record->field[i] = (TrSpan){.kind = TR_ABSENT};
  size_t length = stamp_length(message->text, message->length);
  if (length == 0) return message->offset == 0;
  record->field[TR_TIMESTAMP] = (TrSpan){.kind = TR_STRING, .start = 1, .length = (uint32_t)length};
  return true;
}

size_t tr_message_start(const TrRecord *record) {
  const TrSpan *stamp = &record->field[TR_TIMESTAMP];
  return stamp->kind == TR_STRING ? stamp->length + 3 : 0;
}

/* A line that is too long to be held is looked at again. */
static int begins_message(TrMessages *messages, const TrLine *line, bool *begins) {
  unsigned char head[TR_MESSAGE_HEAD];
  size_t got = 0;
  if (!line->too_long) {
    *begins = stamp_length(line->text, line->length) > 0;
    return SQLITE_OK;
  }
  size_t count = line->length < sizeof head ? line->length : sizeof head;
  int code = tr_lines_read_again(messages->lines, head, count, line->offset, &got);
  *begins = stamp_length(head, got) > 0;
  return code;
}

/* --- holding one -------------------------------------------------------------------------------------------------- */

static size_t most_held(const TrMessages *messages) {
  return messages->lines->max_line > LEAST_HELD ? messages->lines->max_line : LEAST_HELD;
}

static int messages_reserve(TrMessages *messages, size_t wanted) {
  if (wanted < 1024) wanted = 1024; /* an empty message has a place, too */
  unsigned char *text = tr_array_reserve(messages->text, &messages->room, wanted, 1);
  if (text == NULL) return SQLITE_NOMEM;
  messages->text = text;
  return SQLITE_OK;
}

/* Appends as much of the line as the message may hold. *shrunk: the file ends before the line now. */
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

/* Takes back a character that the limit cut through. */
static void trim_last_character(TrMessages *messages) {
  size_t back = 0;
  while (back < 3 && back < messages->held && (messages->text[messages->held - 1 - back] & 0xC0) == 0x80) back++;
  if (back < messages->held && messages->text[messages->held - 1 - back] >= 0xC0) messages->held -= back + 1;
}

static void give_message(TrMessages *messages, TrLine *message) {
  message->too_long = message->length > messages->held;
  if (message->too_long) trim_last_character(messages);
  message->text = messages->text;
}

/* --- forwards ----------------------------------------------------------------------------------------------------- */

/* Adds a line to the message, whose first one it may be. */
static int add_line(TrMessages *messages, TrLine *message, const TrLine *line, bool first, bool *shrunk) {
  int code = first ? SQLITE_OK : hold_newline(messages);
  if (code == SQLITE_OK) code = hold_line(messages, line, shrunk);
  if (first) message->offset = line->offset;
  message->length = (uint64_t)(line->offset - message->offset) + line->length;
  message->terminated = line->terminated;
  return code;
}

static int next_message_forwards(TrMessages *messages, TrLine *message) {
  TrLine line = messages->pushed_back;
  bool first = true, begins, shrunk = false;
  int code = messages->has_pushed_back ? SQLITE_ROW : tr_lines_next(messages->lines, &line);
  messages->has_pushed_back = false;
  messages->held = 0;
  while (code == SQLITE_ROW) {
    code = add_line(messages, message, &line, first, &shrunk);
    if (code != SQLITE_OK) return code;
    if (shrunk) break;
    first = false;
    code = tr_lines_next(messages->lines, &line);
    if (code != SQLITE_ROW) break;
    int looked = begins_message(messages, &line, &begins);
    if (looked != SQLITE_OK) return looked;
    if (!begins) continue;
    messages->pushed_back = line;
    messages->has_pushed_back = true;
    break;
  }
  if (first || (code != SQLITE_ROW && code != SQLITE_DONE)) return shrunk ? SQLITE_DONE : code;
  give_message(messages, message);
  return SQLITE_ROW;
}

/* --- backwards ---------------------------------------------------------------------------------------------------- */

/* The message is the line, or else begins with it and is read again. SQLITE_DONE: the file has shrunk. */
static int hold_message(TrMessages *messages, const TrLine *message, const TrLine *line) {
  TrLine whole = *message;
  bool shrunk;
  whole.too_long = true;
  messages->held = 0;
  int code = hold_line(messages, message->length == line->length ? line : &whole, &shrunk);
  return code == SQLITE_OK && shrunk ? SQLITE_DONE : code;
}

/* Lines without a beginning are the first of the file; or the file has shrunk, and what they belonged to is gone. */
static int next_message_backwards(TrMessages *messages, TrLine *message) {
  TrLine line;
  int64_t end = -1;
  for (;;) {
    int code = tr_lines_next(messages->lines, &line);
    if (code != SQLITE_ROW) return code;
    if (end < 0) {
      end = line.offset + (int64_t)line.length;
      message->terminated = line.terminated;
    }
    bool begins;
    code = begins_message(messages, &line, &begins);
    if (code != SQLITE_OK) return code;
    if (begins || line.offset == 0) break;
  }
  message->offset = line.offset;
  message->length = (uint64_t)(end - line.offset);
  int code = hold_message(messages, message, &line);
  if (code != SQLITE_OK) return code;
  give_message(messages, message);
  return SQLITE_ROW;
}

int tr_messages_next(TrMessages *messages, TrLine *message) {
  return messages->lines->backwards ? next_message_backwards(messages, message)
                                    : next_message_forwards(messages, message);
}

/*
** event.c - the event that a message of a log reports.
**
** Events are recognised by the scheduler's wording: the words that a message begins with, or, for notifications, the
** words after the name of the channel. Everything else is `other`; no message is left out because of its words.
*/
#include "scheduler.h"

#include <string.h>

const char *tr_event_name(TrEvent event) {
  static const char *const name[TR_EVENT_COUNT] = {
      [TR_EVENT_SCHEDULED] = "scheduled",
      [TR_EVENT_STARTED] = "started",
      [TR_EVENT_SUCCEEDED] = "succeeded",
      [TR_EVENT_FAILED] = "failed",
      [TR_EVENT_TIMED_OUT] = "timed_out",
      [TR_EVENT_EXCEPTION] = "exception",
      [TR_EVENT_NOTIFIED] = "notified",
      [TR_EVENT_NOTIFY_FAILED] = "notify_failed",
      [TR_EVENT_NOTIFY_SKIPPED] = "notify_skipped",
      [TR_EVENT_PAUSED] = "paused",
      [TR_EVENT_RESUMED] = "resumed",
      [TR_EVENT_DELETED] = "deleted",
      [TR_EVENT_UPDATED] = "updated",
      [TR_EVENT_MANUAL_RUN] = "manual_run",
      [TR_EVENT_SKIPPED] = "skipped",
      [TR_EVENT_OTHER] = "other",
  };
  return name[event];
}

typedef struct Wording {
  const char *words;
  TrEvent event;
} Wording;

/* How messages begin. A job that the scheduler disables by itself counts as paused, too. */
static const Wording beginnings[] = {
    {"Scheduled:", TR_EVENT_SCHEDULED},
    {"Scheduled task:", TR_EVENT_SCHEDULED},
    {"Next run recalculated:", TR_EVENT_SCHEDULED},
    {"Starting execution", TR_EVENT_STARTED},
    {"Executing (", TR_EVENT_STARTED},
    {"Execution succeeded", TR_EVENT_SUCCEEDED},
    {"Command executed successfully", TR_EVENT_SUCCEEDED},
    {"Execution failed", TR_EVENT_FAILED},
    {"Command failed", TR_EVENT_FAILED},
    {"Execution timed out", TR_EVENT_TIMED_OUT},
    {"Exception:", TR_EVENT_EXCEPTION},
    {"Job paused", TR_EVENT_PAUSED},
    {"One-time job completed, disabling", TR_EVENT_PAUSED},
    {"Could not calculate next run, disabling job", TR_EVENT_PAUSED},
    {"Job resumed", TR_EVENT_RESUMED},
    {"Job deleted", TR_EVENT_DELETED},
    {"Updated:", TR_EVENT_UPDATED},
    {"Manual run triggered", TR_EVENT_MANUAL_RUN},
    {"Skipped", TR_EVENT_SKIPPED},
};

/* What follows "Notification " at the beginning, or "Telegram notification ". */
static const Wording notifications[] = {
    {"sent to", TR_EVENT_NOTIFIED},
    {"failed", TR_EVENT_NOTIFY_FAILED},
    {"skipped", TR_EVENT_NOTIFY_SKIPPED},
};

static bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Does the text begin with these whole words? "Skipped" does not match "Skippedness". */
static bool begins_with(const char *text, size_t length, const char *words) {
  if (length == 0 || *text != *words) return false;
  size_t count = strlen(words);
  if (length < count || memcmp(text, words, count) != 0) return false;
  return length == count || !is_word_character(words[count - 1]) || !is_word_character(text[count]);
}

static TrEvent look_up(const Wording *wordings, size_t count, const char *text, size_t length) {
  for (size_t i = 0; i < count; i++) {
    if (begins_with(text, length, wordings[i].words)) return wordings[i].event;
  }
  return TR_EVENT_OTHER;
}

/* The text after "Notification " or "CHANNEL notification ", where CHANNEL is short and has no colon. NULL: neither. */
static const char *after_notification(const char *text, size_t length) {
  static const char first[] = "Notification ", later[] = " notification ";
  if (begins_with(text, length, first)) return text + strlen(first);
  size_t head = length < 100 ? length : 100;
  const char *found = memmem(text, head, later, strlen(later));
  if (found == NULL || memchr(text, ':', (size_t)(found - text)) || memchr(text, '\n', (size_t)(found - text)))
    return NULL;
  return found + strlen(later);
}

TrEvent tr_event_of(const char *text, size_t length) {
  TrEvent event = look_up(beginnings, sizeof beginnings / sizeof *beginnings, text, length);
  const char *rest = event == TR_EVENT_OTHER ? after_notification(text, length) : NULL;
  if (rest == NULL) return event;
  return look_up(notifications, sizeof notifications / sizeof *notifications, rest, length - (size_t)(rest - text));
}

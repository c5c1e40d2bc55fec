/* events.c - the event of each wording of the scheduler; and texts that only look like one. */
#include "tr.h"

#include <string.h>

#include "check.h"

static const struct {
  const char *event, *words;
} wordings[] = {
    {"scheduled", "Scheduled: every 5 minutes"},
    {"scheduled", "Scheduled task: My Job (next run: 2026-11-22T20:31:15.846393Z, notify: False, recurring: True)"},
    {"scheduled", "Next run recalculated: 2026-11-23T09:00:00Z"},
    {"started", "Starting execution via agent_manager.py"},
    {"started", "Executing (AI mode): summarize\nthe news"},
    {"started", "Executing (command mode): df -h"},
    {"succeeded", "Execution succeeded"},
    {"succeeded", "Command executed successfully"},
    {"failed", "Execution failed: Connection timeout\n"},
    {"failed", "Execution failed: "},
    {"failed", "Command failed: exit code 2"},
    {"timed_out", "Execution timed out (5 minutes)"},
    {"exception", "Exception: 'utf-8' codec can't decode byte 0xe9"},
    {"notified", "Telegram notification sent to chat_id=42"},
    {"notified", "WebEx notification sent to someone@example.com"},
    {"notified", "Notification sent to Telegram"},
    {"notify_failed", "Telegram notification failed: 403"},
    {"notify_failed", "Notification failed: no route to host"},
    {"notify_skipped", "Notification skipped: no created_by info"},
    {"notify_skipped", "Telegram notification skipped: no chat id"},
    {"notify_skipped", "WebEx notification skipped: no token"},
    {"paused", "Job paused"},
    {"paused", "One-time job completed, disabling"},
    {"paused", "Could not calculate next run, disabling job"},
    {"resumed", "Job resumed"},
    {"deleted", "Job deleted"},
    {"updated", "Updated: ['enabled', 'schedule']"},
    {"manual_run", "Manual run triggered via API (run-now)"},
    {"skipped", "Skipped \xE2\x80\x94 gate 'maintenance' blocked: closed"},
    /* what comes after the first words does not matter */
    {"failed", "Execution failed: Telegram notification sent to chat_id=42"},
    {"failed", "Command failed: Job paused"},
    {"updated", "Updated: Execution succeeded"},
    {"exception", "Exception: Execution timed out"},
    /* texts that only look like a wording are `other` */
    {"other", ""},
    {"other", " Job paused"},
    {"other", "job paused"},
    {"other", "Job pausedly"},
    {"other", "Job"},
    {"other", "Skippedness"},
    {"other", "Executing"},
    {"other", "Notification"},
    {"other", "Notification queued"},
    {"other", "Telegram notification "},
    {"other", "stderr: a notification sent to nobody"},
    {"other", "two lines\nand a notification sent to nobody"},
    {"other", "Restarted the scheduler"},
};

static void every_wording_is_known(void) {
  for (size_t i = 0; i < sizeof wordings / sizeof *wordings; i++) {
    const char *event = tr_event_name(tr_event_of(wordings[i].words, strlen(wordings[i].words)));
    if (strcmp(event, wordings[i].event) != 0) {
      printf("# '%s' is '%s', wanted '%s'\n", wordings[i].words, event, wordings[i].event);
      CHECK(false);
    }
  }
}

/* A message of which only the beginning has been written is `other`, and nothing is read after its end. */
static void nothing_after_the_end_is_read(void) {
  static const char words[] = "Job paused";
  for (size_t length = 0; length < strlen(words); length++) CHECK(tr_event_of(words, length) == TR_EVENT_OTHER);
  CHECK(tr_event_of(words, strlen(words)) == TR_EVENT_PAUSED);
}

/* "Skipped" does not begin "Skippedness": what follows a wording is no letter, digit or underscore. */
static void only_whole_words_match(void) {
  static const char part_of_a_word[] = "azAZ09_", other[] = " :.-@[`{/\xC3";
  char words[] = "Skipped?";
  for (const char *c = part_of_a_word; *c; c++) {
    words[7] = *c;
    CHECK(tr_event_of(words, strlen(words)) == TR_EVENT_OTHER);
  }
  for (const char *c = other; *c; c++) {
    words[7] = *c;
    CHECK(tr_event_of(words, strlen(words)) == TR_EVENT_SKIPPED);
  }
}

static void every_event_has_a_name_of_its_own_and_a_wording(void) {
  for (int event = 0; event < TR_EVENT_COUNT; event++) {
    const char *name = tr_event_name((TrEvent)event);
    int worded = 0;
    for (size_t i = 0; i < sizeof wordings / sizeof *wordings; i++) worded += strcmp(wordings[i].event, name) == 0;
    CHECK(worded > 0);
    for (int other = 0; other < event; other++) CHECK(strcmp(tr_event_name((TrEvent)other), name) != 0);
  }
}

int main(void) {
  RUN(every_wording_is_known);
  RUN(nothing_after_the_end_is_read);
  RUN(only_whole_words_match);
  RUN(every_event_has_a_name_of_its_own_and_a_wording);
  return check_result();
}

/*
** schedule.c - fuzz target: whatever is taken for a schedule means the same in capitals and between blanks, and its
** times ascend, are whole minutes for cron, and are the same from wherever one begins; whatever is refused has a cause.
**
** Aimed at ext/scheduler/schedule.c, ext/scheduler/cron.c and ext/scheduler/schedule_times.c.
*/
#include "tr.h"

#include "fuzz.h"

#define EARLIEST_US INT64_C(-62135596800000000)
#define LATEST_US INT64_C(253402300799999999)
#define MINUTE_US INT64_C(60000000)
#define TIMES 20

/* The same with every letter in the other case, between blanks. The caller frees it. */
static char *other_spelling(const uint8_t *text, size_t size) {
  char *spelled = malloc(size + 2);
  spelled[0] = '\t';
  for (size_t i = 0; i < size; i++) {
    bool is_letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
    spelled[i + 1] = (char)(is_letter ? text[i] ^ 0x20 : text[i]);
  }
  spelled[size + 1] = ' ';
  return spelled;
}

/* Parses; what is refused must say why. */
static bool read_schedule(const char *text, size_t size, TrSchedule *schedule) {
  char *cause = NULL;
  int code = tr_schedule_parse(text, size, schedule, &cause);
  MUST(code == SQLITE_OK || (code == SQLITE_MISMATCH && cause));
  sqlite3_free(cause);
  return code == SQLITE_OK;
}

static size_t list_times(const TrSchedule *schedule, int64_t after_us, int64_t times[TIMES]) {
  TrScheduleTimes walk;
  size_t count = 0;
  tr_schedule_times_begin(&walk, schedule, NULL, after_us);
  while (count < TIMES && tr_schedule_times_next(&walk, &times[count])) count++;
  return count;
}

static void check_times(const TrSchedule *schedule, int64_t after_us) {
  int64_t times[TIMES], rest[TIMES];
  size_t count = list_times(schedule, after_us, times);
  for (size_t i = 0; i < count; i++) {
    MUST(times[i] > (i ? times[i - 1] : after_us) && times[i] <= LATEST_US);
    MUST(schedule->interval_us ? times[i] - (i ? times[i - 1] : after_us) == schedule->interval_us
                               : times[i] % MINUTE_US == 0);
  }
  if (count < 2) return;
  size_t others = list_times(schedule, times[0], rest);
  MUST(others >= count - 1);
  for (size_t i = 0; i + 1 < count; i++) MUST(rest[i] == times[i + 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int64_t after_us = EARLIEST_US + (int64_t)fuzz_byte(&data, &size) * ((LATEST_US - EARLIEST_US) / 255);
  char *text = malloc(size + 1), *spelled = other_spelling(data, size);
  TrSchedule schedule, again;
  if (size > 0) memcpy(text, data, size);
  bool is_read = read_schedule(text, size, &schedule);
  MUST(read_schedule(spelled, size + 2, &again) == is_read);
  if (is_read) {
    MUST(schedule.interval_us == again.interval_us && schedule.cron.minutes == again.cron.minutes);
    MUST(schedule.cron.hours == again.cron.hours && schedule.cron.days == again.cron.days);
    MUST(schedule.cron.months == again.cron.months && schedule.cron.weekdays == again.cron.weekdays);
    check_times(&schedule, after_us);
  }
  free(text);
  free(spelled);
  return 0;
}

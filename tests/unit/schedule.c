/*
** schedule.c - which texts are schedules, at the ends of what can be written; and the first and last times there are.
*/
#include "tr.h"

#include <string.h>

#include "check.h"

#define FIRST_US INT64_C(-62135596800000000) /* 0001-01-01 */
#define LAST_US INT64_C(253402300799999999)  /* the end of 9999 */
#define S TR_US_PER_SECOND

static const char *const taken[] = {
    "every week",          "EVERY 2 WEEKS",         "every second", "every 3 secs", "in 10 minutes",
    "every day at 9",      "every day at 12:05 AM", "@weekly",      " \t@DAILY ",   "every 3659634 days",
    "* * l * *",           "* * 5-L * *",           "* * L,3 * *",  "0 0 * * 5-0",  "* * * jan-mar *",
    "*/2147483647 * * * *"};

static const char *const refused[] = {"",
                                      " ",
                                      "every",
                                      "every ",
                                      "every 5",
                                      "every 5minutes",
                                      "every 0 days",
                                      "every 5 weak",
                                      "every 5 weekss x",
                                      "in 5 weeks",
                                      "in minutes",
                                      "in",
                                      "every 3659635 days",
                                      "every 316192377601 seconds",
                                      "every 316192377600 weeks",
                                      "every day at",
                                      "every day at 24",
                                      "every day at 009",
                                      "every day at 9:5",
                                      "every day at 9:60",
                                      "every day at 13 pm",
                                      "every day at 0 am",
                                      "every day at 9 xm",
                                      "@hourly x",
                                      "@never",
                                      "@",
                                      "* * * *",
                                      "* * * * * *",
                                      "2147483648 * * * *",
                                      "99999999999 * * * *",
                                      "*/99999999999 * * * *",
                                      "*/0 * * * *",
                                      "5- * * * *",
                                      "- * * * *",
                                      "5-3 * * * *",
                                      "* * L-5 * *",
                                      "* * L/2 * *",
                                      "* * * ja *",
                                      "* * * * xyz",
                                      ", * * * *",
                                      "5, * * * *",
                                      "* * * * 8",
                                      "* 24 * * *",
                                      "* * 0 * *",
                                      "1x * * * *"};

static bool is_schedule(const char *text) {
  TrSchedule schedule;
  char *cause = NULL;
  int code = tr_schedule_parse(text, strlen(text), &schedule, &cause);
  CHECK(code == SQLITE_OK || (code == SQLITE_MISMATCH && cause && *cause));
  sqlite3_free(cause);
  return code == SQLITE_OK;
}

static void what_is_a_schedule_and_what_is_none(void) {
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    if (!is_schedule(taken[i])) printf("# refused: '%s'\n", taken[i]);
    CHECK(is_schedule(taken[i]));
  }
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    if (is_schedule(refused[i])) printf("# taken: '%s'\n", refused[i]);
    CHECK(!is_schedule(refused[i]));
  }
}

/* The first times after that one; INT64_MAX: no more. */
static void first_times(const char *text, int64_t after_us, int64_t due_us[2]) {
  TrSchedule schedule;
  TrScheduleTimes times;
  CHECK(tr_schedule_parse(text, strlen(text), &schedule, NULL) == SQLITE_OK);
  tr_schedule_times_begin(&times, &schedule, NULL, after_us);
  for (int i = 0; i < 2; i++) {
    if (!tr_schedule_times_next(&times, &due_us[i])) due_us[i] = INT64_MAX;
  }
}

static void times_are_those_that_can_be_written(void) {
  int64_t due_us[2];
  first_times("@daily", INT64_MIN, due_us);
  CHECK(due_us[0] == FIRST_US && due_us[1] == FIRST_US + 86400 * S);
  first_times("@daily", LAST_US - 86400 * S, due_us);
  CHECK(due_us[0] == LAST_US + 1 - 86400 * S && due_us[1] == INT64_MAX);
  first_times("@daily", INT64_MAX, due_us);
  CHECK(due_us[0] == INT64_MAX);
  first_times("every 1 second", LAST_US - S, due_us);
  CHECK(due_us[0] == LAST_US && due_us[1] == INT64_MAX);
  first_times("every 3659634 days", LAST_US - S, due_us);
  CHECK(due_us[0] == INT64_MAX);
  first_times("every 1 second", INT64_MAX, due_us);
  CHECK(due_us[0] == INT64_MAX);
}

static void a_leap_day_comes_after_eight_years_and_other_days_never(void) {
  int64_t due_us[2], leap_us = tr_days_from_civil(2096, 2, 29) * 86400 * S;
  first_times("0 0 29 2 *", leap_us - 1, due_us);
  CHECK(due_us[0] == leap_us && due_us[1] == tr_days_from_civil(2104, 2, 29) * 86400 * S);
  first_times("0 0 30 2 *", 0, due_us);
  CHECK(due_us[0] == INT64_MAX);
  first_times("0 0 31 2,4,6,9,11 *", 0, due_us);
  CHECK(due_us[0] == INT64_MAX);
  first_times("0 0 l 2 *", 0, due_us);
  CHECK(due_us[0] == tr_days_from_civil(1970, 2, 28) * 86400 * S &&
        due_us[1] == tr_days_from_civil(1971, 2, 28) * 86400 * S);
}

int main(void) {
  RUN(what_is_a_schedule_and_what_is_none);
  RUN(times_are_those_that_can_be_written);
  RUN(a_leap_day_comes_after_eight_years_and_other_days_never);
  return check_result();
}

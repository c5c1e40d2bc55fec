/* time.c - texts for times and lengths of time; and that nothing else is accepted. */
#include "tr.h"

#include <string.h>

#include "check.h"

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define NOW INT64_C(1771119855821425) /* 2026-02-15T01:44:15.821425Z */
#define TODAY INT64_C(1771113600000000)

static bool spans(const char *text, int64_t expected_us) {
  int64_t us = -1;
  return tr_timespan_parse(text, strlen(text), false, &us) && us == expected_us;
}

static bool plain(const char *text, int64_t expected_us) {
  int64_t us = -1;
  return tr_timespan_parse(text, strlen(text), true, &us) && us == expected_us;
}

static bool means(const char *text, int64_t first_us, int64_t last_us) {
  TrTimePoint point = {0};
  return tr_time_parse(text, strlen(text), NOW, NULL, &point) && point.first_us == first_us && point.last_us == last_us;
}

static void reads_every_unit(void) {
  static const struct {
    const char *names[6];
    int64_t us;
  } units[] = {
      {{"s", "sec", "secs", "second", "seconds"}, SECOND},
      {{"m", "min", "mins", "minute", "minutes"}, 60 * SECOND},
      {{"h", "hr", "hrs", "hour", "hours"}, 3600 * SECOND},
      {{"d", "day", "days"}, DAY},
      {{"w", "week", "weeks"}, 7 * DAY},
      {{"mo", "month", "months"}, 30 * DAY},
      {{"y", "yr", "yrs", "year", "years"}, 365 * DAY},
  };
  char text[40];
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    for (const char *const *name = units[i].names; *name; name++) {
      snprintf(text, sizeof text, "3%s", *name);
      CHECK(spans(text, 3 * units[i].us));
      snprintf(text, sizeof text, " 003 \t%s\n", *name);
      CHECK(spans(text, 3 * units[i].us));
    }
  }
}

static void reads_parts_and_capitals(void) {
  CHECK(spans("1d 12h", DAY + 43200 * SECOND));
  CHECK(spans("1d12h", DAY + 43200 * SECOND));
  CHECK(spans("1 Year 2 MONTHS  3 days", (365 + 60 + 3) * DAY));
  CHECK(spans("5MIN", 300 * SECOND));
  CHECK(spans("5MO", 150 * DAY));
  CHECK(spans("0s", 0));
  CHECK(spans("9223372036854s", INT64_C(9223372036854000000)));
}

static void reads_a_plain_number_as_seconds_only_if_asked_to(void) {
  CHECK(plain("90", 90 * SECOND));
  CHECK(plain(" 90 ", 90 * SECOND));
  CHECK(plain("0.5", SECOND / 2));
  CHECK(plain(".5", SECOND / 2));
  CHECK(plain("1.5m", 90 * SECOND));
  CHECK(plain("1.0000009s", SECOND));
  CHECK(plain("1m 1.5s", 61 * SECOND + SECOND / 2));
  CHECK(!plain("1m 30", 90 * SECOND));
  CHECK(!plain("1.", SECOND));
  CHECK(!plain(".", 0));
  CHECK(!plain("", 0));
}

static void refuses_texts_that_are_not_a_length_of_time(void) {
  static const char *const bad[] = {
      "",
      " ",
      "7",
      "d",
      "1.5h",
      "-7d",
      "+7d",
      "7dd",
      "7 d d",
      "1z",
      "1mon",
      "1M",
      "1d 5 M",
      "7d ago",
      "7 fortnights",
      "1d,12h",
      "1d 2",
      "d7",
      "7\302\240d",
      "7daysx",
      "7secondss",
      "9223372036855s",
      "99999999999999999999s",
      "300000y",
      "9223372036854s 1s",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    int64_t us;
    bool accepted = tr_timespan_parse(bad[i], strlen(bad[i]), false, &us);
    if (accepted) printf("# accepted: %s\n", bad[i]);
    CHECK(!accepted);
  }
  int64_t us;
  CHECK(!tr_timespan_parse("7d\0", 3, false, &us));
}

static void reads_instants(void) {
  CHECK(means("now", NOW, NOW));
  CHECK(means(" NOW ", NOW, NOW));
  CHECK(means("2026-02-14T09:30:00Z", INT64_C(1771061400000000), INT64_C(1771061400000000)));
  CHECK(means("2026-02-14 11:30+02:00", INT64_C(1771061400000000), INT64_C(1771061400000000)));
  CHECK(means("90 days", NOW - 90 * DAY, NOW - 90 * DAY));
  CHECK(means("90 days ago", NOW - 90 * DAY, NOW - 90 * DAY));
  CHECK(means("1d 12h AGO", NOW - DAY - DAY / 2, NOW - DAY - DAY / 2));
  CHECK(means("1y", NOW - 365 * DAY, NOW - 365 * DAY));
  CHECK(means("0s", NOW, NOW));
}

static void reads_whole_days(void) {
  CHECK(means("today", TODAY, TODAY + DAY - 1));
  CHECK(means("Yesterday", TODAY - DAY, TODAY - 1));
  CHECK(means(" 2026-02-15\n", TODAY, TODAY + DAY - 1));
  CHECK(means("0001-01-01", INT64_C(-62135596800000000), INT64_C(-62135596800000000) + DAY - 1));
  CHECK(means("9999-12-31", INT64_C(253402300799999999) - DAY + 1, INT64_C(253402300799999999)));
  TrTimePoint point;
  CHECK(tr_time_parse("today", 5, -1, NULL, &point) && point.first_us == -DAY && point.last_us == -1);
  CHECK(tr_time_parse("today", 5, -DAY, NULL, &point) && point.first_us == -DAY);
}

static const char *const no_times[] = {
    "",
    " ",
    "ago",
    " ago",
    "7",
    "tomorrow",
    "in 7 days",
    "7 days from now",
    "7 days agoo",
    "7dago",
    "ago 7d",
    "last monday",
    "1z",
    "a",
    "2026",
    "2026-02",
    "2026-2-1",
    "2026-02-30",
    "20260214",
    "0000-12-31",
    "2026-02-14T",
    "10000-01-01",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "2027y",
    "999999999d",
    "9223372036854s",
    "@0",
    "nowx",
    "2026-02-14 ago",
    "now ago",
    "12:00",
    "-1d",
};

static void refuses_texts_that_are_not_a_time(void) {
  for (size_t i = 0; i < sizeof no_times / sizeof *no_times; i++) {
    TrTimePoint point;
    bool accepted = tr_time_parse(no_times[i], strlen(no_times[i]), NOW, NULL, &point);
    if (accepted) printf("# accepted: %s\n", no_times[i]);
    CHECK(!accepted);
  }
}

static void reads_now(void) {
  CHECK(tr_clock_us() > NOW && tr_clock_us() < INT64_C(253402300799999999));
}

int main(void) {
  RUN(reads_every_unit);
  RUN(reads_parts_and_capitals);
  RUN(reads_a_plain_number_as_seconds_only_if_asked_to);
  RUN(refuses_texts_that_are_not_a_length_of_time);
  RUN(reads_instants);
  RUN(reads_whole_days);
  RUN(refuses_texts_that_are_not_a_time);
  RUN(reads_now);
  return check_result();
}

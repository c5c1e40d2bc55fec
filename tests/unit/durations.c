/* durations.c - which start in a log belongs to a record. Logs are written here in their own order, oldest first. */
#include "tr.h"

#include <string.h>

#include "check.h"

#define S INT64_C(1000000)
#define STARTING "Starting execution via agent_manager.py"

typedef struct Line {
  int64_t second;
  const char *words;
} Line;

static TrDurations durations;

static void read_log(const Line *line, size_t count) {
  tr_durations_begin(&durations);
  while (count-- > 0) {
    TrBytes words = {line[count].words, strlen(line[count].words)};
    CHECK(tr_durations_add(&durations, tr_event_of(words.text, words.length), words, line[count].second * S) ==
          SQLITE_OK);
  }
  tr_durations_end(&durations);
}

#define READ_LOG(...)                                                                                                  \
  do {                                                                                                                 \
    static const Line log[] = {__VA_ARGS__};                                                                           \
    read_log(log, sizeof log / sizeof *log);                                                                           \
  } while (0)

/* The second in which the record's run began, or -1. The record comes a millisecond after the second. */
static int64_t start_of(int64_t second) {
  size_t which;
  return tr_durations_find(&durations, second * S + 1000, &which) ? durations.run[which].start_us / S : -1;
}

static void a_record_gets_the_start_of_its_run(void) {
  READ_LOG({100, "Scheduled task: x"}, {110, STARTING}, {115, "Execution succeeded"}, {115, "Notification skipped: x"},
           {210, STARTING}, {217, "Execution failed: x"}, {310, "Executing (command mode): df"},
           {330, "Command executed successfully"}, {410, STARTING}, {710, "Execution timed out (5 minutes)"},
           {800, STARTING}, {801, "Exception: x"});
  CHECK(start_of(115) == 110 && start_of(217) == 210 && start_of(330) == 310 && start_of(710) == 410 &&
        start_of(801) == 800);
}

static void a_run_may_say_twice_that_it_starts(void) {
  READ_LOG({100, STARTING}, {101, "Executing (AI mode): x"}, {130, "Execution succeeded"}, {200, STARTING},
           {202, "Executing (AI mode): x"}, {230, "Execution succeeded"});
  CHECK(start_of(130) == 100 && start_of(230) == 200);
}

/* Two runs whose own lines say twice that they execute; and two that end in the same instant. */
static void runs_that_look_alike_stay_two(void) {
  READ_LOG({100, "Executing (AI mode): x"}, {101, "Executing (AI mode): x"}, {130, "Execution succeeded"});
  CHECK(start_of(130) == 101);
  READ_LOG({100, STARTING}, {130, "Execution succeeded"}, {120, STARTING}, {130, "Execution succeeded"});
  CHECK(start_of(130) == 100 || start_of(130) == 120);
}

static void a_start_without_a_finish_belongs_to_no_record(void) {
  READ_LOG({100, STARTING}, {200, STARTING}, {250, STARTING}, {260, "Execution succeeded"}, {900, STARTING});
  CHECK(start_of(260) == 250);
  CHECK(start_of(150) == -1 && start_of(205) == -1 && start_of(910) == -1);
  READ_LOG({100, STARTING}, {101, "Executing (AI mode): cut short"}, {200, STARTING}, {201, "Executing (AI mode): x"},
           {260, "Execution succeeded"});
  CHECK(start_of(260) == 200 && durations.count == 1);
}

static void a_record_of_another_writer_gets_no_start_and_takes_none_from_others(void) {
  READ_LOG({100, STARTING}, {160, "Execution succeeded"}, {300, STARTING}, {301, "Execution succeeded"});
  CHECK(start_of(130) == -1); /* in the middle of a run */
  CHECK(start_of(160) == 100);
  CHECK(start_of(200) == -1); /* between two */
  CHECK(start_of(400) == -1);
}

static void the_nearest_finish_counts_up_to_five_seconds_away(void) {
  READ_LOG({100, STARTING}, {110, "Execution succeeded"}, {111, STARTING}, {114, "Execution succeeded"});
  CHECK(start_of(111) == 100 && start_of(113) == 111 && start_of(118) == 111 && start_of(119) == -1);
  CHECK(start_of(106) == 100 && start_of(104) == -1);
}

static void the_rest_of_a_log_that_was_cut_off_counts(void) {
  READ_LOG({115, "Execution succeeded"}, {210, STARTING}, {217, "Execution failed: x"});
  CHECK(start_of(115) == -1 && start_of(217) == 210);
  read_log(NULL, 0);
  CHECK(start_of(115) == -1);
}

static void a_clock_set_back_between_two_runs_changes_nothing(void) {
  READ_LOG({1000, STARTING}, {1030, "Execution succeeded"}, {1060, STARTING}, {1090, "Execution succeeded"},
           {1015, STARTING}, {1049, "Execution succeeded"}, {1075, STARTING}, {1100, "Execution succeeded"});
  CHECK(start_of(1030) == 1000 && start_of(1090) == 1060 && start_of(1049) == 1015 && start_of(1100) == 1075);
}

static void a_clock_set_back_within_a_run_gives_a_start_after_its_finish(void) {
  READ_LOG({1000, STARTING}, {400, "Execution succeeded"}, {500, STARTING}, {510, "Execution succeeded"});
  CHECK(start_of(400) == 1000 && start_of(510) == 500);
}

static void in_a_log_without_any_finish_the_last_start_before_the_record_counts(void) {
  READ_LOG({100, STARTING}, {200, STARTING}, {300, STARTING});
  CHECK(start_of(99) == -1 && start_of(107) == 100 && start_of(199) == 100 && start_of(200) == 200 &&
        start_of(5000) == 300);
}

static void of_too_many_runs_the_last_are_kept(void) {
  TrBytes starting = {STARTING, strlen(STARTING)}, succeeded = {"Execution succeeded", 19};
  int64_t second = 1 << 30, count = 0;
  tr_durations_begin(&durations);
  for (; !tr_durations_are_full(&durations); count++, second -= 20) {
    CHECK(tr_durations_add(&durations, TR_EVENT_SUCCEEDED, succeeded, second * S) == SQLITE_OK);
    CHECK(tr_durations_add(&durations, TR_EVENT_STARTED, starting, (second - 3) * S) == SQLITE_OK);
  }
  tr_durations_end(&durations);
  CHECK(count == 1 << 20);
  CHECK(start_of(1 << 30) == (1 << 30) - 3 && start_of(second + 20) == second + 17 && start_of(second) == -1);
}

int main(void) {
  RUN(a_record_gets_the_start_of_its_run);
  RUN(a_run_may_say_twice_that_it_starts);
  RUN(runs_that_look_alike_stay_two);
  RUN(a_start_without_a_finish_belongs_to_no_record);
  RUN(a_record_of_another_writer_gets_no_start_and_takes_none_from_others);
  RUN(the_nearest_finish_counts_up_to_five_seconds_away);
  RUN(the_rest_of_a_log_that_was_cut_off_counts);
  RUN(a_clock_set_back_between_two_runs_changes_nothing);
  RUN(a_clock_set_back_within_a_run_gives_a_start_after_its_finish);
  RUN(in_a_log_without_any_finish_the_last_start_before_the_record_counts);
  RUN(of_too_many_runs_the_last_are_kept);
  tr_durations_free(&durations);
  return check_result();
}

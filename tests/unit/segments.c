/*
** segments.c - names of segments, and which of a job's files are its history at one moment.
*/
#include "tr.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

/* --- names -------------------------------------------------------------------------------------------------------- */

typedef struct Expected {
  const char *path, *job;
  TrSegmentKind kind;
  TrCodec codec;
  int64_t number;
} Expected;

static void a_name_says_whose_segment_it_is(void) {
  static const Expected expected[] = {
      {"a.jsonl", "a", TR_SEGMENT_LIVE, TR_CODEC_PLAIN, 0},
      {".jsonl", "", TR_SEGMENT_LIVE, TR_CODEC_PLAIN, 0},
      {"...jsonl.7", "..", TR_SEGMENT_ROTATED, TR_CODEC_PLAIN, 7},
      {"a.jsonl.0", "a", TR_SEGMENT_ROTATED, TR_CODEC_PLAIN, 0},
      {"a.jsonl.12.gz", "a", TR_SEGMENT_ROTATED, TR_CODEC_GZIP, 12},
      {"a.jsonl.1.jsonl.2.zst", "a.jsonl.1", TR_SEGMENT_ROTATED, TR_CODEC_ZSTD, 2},
      {"host/results/a.jsonl-20260102", "a", TR_SEGMENT_ROTATED, TR_CODEC_PLAIN, 2026010200},
      {"a.jsonl-2026010223.xz", "a", TR_SEGMENT_ROTATED, TR_CODEC_FOREIGN, 2026010223},
      {".taskresults/archive/a.jsonl/20260101T000000Z-3.jsonl.zst", "a", TR_SEGMENT_ARCHIVED, TR_CODEC_ZSTD, 3},
      {"h/.taskresults/archive/a.jsonl/none-4.jsonl.zst.pending-99", "a", TR_SEGMENT_ARCHIVED, TR_CODEC_ZSTD, 4},
      {".taskresults/archive/a.jsonl/none-4.jsonl.zst.pending-18446744073709551615", "a", TR_SEGMENT_ARCHIVED,
       TR_CODEC_ZSTD, 4},
  };
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    const Expected *want = &expected[i];
    TrSegmentName name;
    bool good = tr_segment_name_parse(want->path, &name) && name.kind == want->kind && name.codec == want->codec &&
                name.number == want->number && name.job.length == strlen(want->job) &&
                memcmp(name.job.text, want->job, name.job.length) == 0;
    if (!good) printf("# %s\n", want->path);
    CHECK(good);
  }
}

static void other_names_are_none(void) {
  static const char *const others[] = {"",
                                       "a",
                                       "a.json",
                                       "a.jsonl.",
                                       "a.jsonl.01",
                                       "a.jsonl-1",
                                       "a.jsonl-2026010",
                                       "a.jsonl-202601011",
                                       "a.jsonl.1.bak",
                                       "a.jsonl.gz",
                                       "a.jsonl.1.gz.gz",
                                       ".1",
                                       "a.jsonl.1234567890123456789",
                                       "a.jsonl-20260101-1",
                                       ".taskresults/archive/a.jsonl/none-4.jsonl",
                                       ".taskresults/archive/a.jsonl/none.jsonl.zst",
                                       ".taskresults/archive/a/none-4.jsonl.zst",
                                       ".taskresults/archive/a.jsonl/none-4.jsonl.zst.pending-",
                                       ".taskresults/archive/a.jsonl/none-4.jsonl.zst.pending-18446744073709551616",
                                       ".taskresults/archive/a.jsonl/none-4.jsonl.zst.new",
                                       ".taskresults/archive/a.jsonl/-4.jsonl.zst"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    TrSegmentName name;
    bool found = tr_segment_name_parse(others[i], &name);
    if (found) printf("# %s\n", others[i]);
    CHECK(!found);
  }
}

static void other_stores_have_other_names(void) {
  const TrStore store = {.prefix = "run-", .prefix_length = 4, .suffix = ".nd", .suffix_length = 3};
  static const char *const files[] = {
      "run-a.nd",     "run-a.nd.7",       "run-a.nd-20260102.gz",
      "h/run-a.nd.1", "h/run-a.nd.2.zst", ".taskresults/archive/run-a.nd/x-4.jsonl.zst"};
  static const char *const others[] = {"a.nd",        "a.nd.1",         "run-a.jsonl.1", "run-.n",
                                       "run-a.nd.01", "run-a.nd.1.bak", "r.nd"};
  TrSegmentName name;
  char live[TR_NAME_SIZE];
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    CHECK(tr_segment_name_parse_in(&store, files[i], &name) && name.job.length == 1 && *name.job.text == 'a');
    CHECK(tr_segment_live_name(&store, name.job, live) == 8 && strcmp(live, "run-a.nd") == 0);
  }
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    CHECK(!tr_segment_name_parse_in(&store, others[i], &name));
}

static void a_path_says_where_the_results_are(void) {
  CHECK(tr_segment_directory("a.jsonl.1") == 0);
  CHECK(tr_segment_directory("h/results/a.jsonl.1") == strlen("h/results/"));
  CHECK(tr_segment_directory(".taskresults/archive/a.jsonl/none-4.jsonl.zst") == 0);
  CHECK(tr_segment_directory("h/r/.taskresults/archive/a.jsonl/none-4.jsonl.zst") == strlen("h/r/"));
}

/* --- a job's history ---------------------------------------------------------------------------------------------- */

#define ARCHIVE ".taskresults/archive/a.jsonl/"

static char place[] = "/tmp/segments-XXXXXX";

static void make_directory(const char *path) {
  CHECK(mkdirat(AT_FDCWD, path, 0755) == 0);
}

static void write_file(const char *path, const char *time) {
  FILE *file = fopen(path, "w");
  CHECK(file != NULL);
  if (file == NULL) return;
  fprintf(file, "{\"timestamp\": \"2026-01-01T%sZ\"}\n", time);
  fclose(file);
}

/* The names of the job's segments, in order, each with a space behind it. */
static const char *names_of_history(char *text, size_t size) {
  TrPoll poll = {0};
  TrDir dir;
  TrHistory history;
  char *message = NULL;
  text[0] = '\0';
  CHECK(tr_dir_open(&dir, &tr_results_store, ".", &message) == SQLITE_OK);
  tr_history_init(&history, &dir, &poll, TR_DEFAULT_MAX_LINE);
  CHECK(tr_history_open(&history, "a.jsonl", &message) == SQLITE_OK);
  for (; tr_history_next(&history); history.at++) {
    TrFile file;
    TrEntry entry;
    const char *path = tr_history_next(&history)->path;
    CHECK(tr_history_take(&history, &file, &entry, &message) == SQLITE_OK);
    CHECK(entry == TR_ENTRY_READABLE && file.segment == history.at + 1);
    CHECK(file.has_more == (history.at + 1 < history.count));
    tr_file_close(&file);
    strncat(text, path, size - strlen(text) - 2);
    strcat(text, " ");
  }
  tr_history_end(&history);
  tr_dir_close(&dir);
  if (message) printf("# %s\n", message);
  sqlite3_free(message);
  return text;
}

#define CHECK_HISTORY(expected)                                                                                        \
  do {                                                                                                                 \
    char found[4096];                                                                                                  \
    bool good = strcmp(names_of_history(found, sizeof found), (expected)) == 0;                                        \
    if (!good) printf("# found: %s\n", found);                                                                         \
    CHECK(good);                                                                                                       \
  } while (0)

static void go_to_a_new_directory(void) {
  CHECK(mkdtemp(place) != NULL && chdir(place) == 0);
}

static void remove_all(void) {
  char command[100];
  snprintf(command, sizeof command, "rm -rf /tmp/segments-%s", place + strlen("/tmp/segments-"));
  CHECK(chdir("/") == 0 && system(command) == 0);
  strcpy(place + strlen("/tmp/segments-"), "XXXXXX");
}

static void of_a_plain_file_and_a_compressed_one_of_the_same_name_the_plain_one_counts(void) {
  go_to_a_new_directory();
  write_file("a.jsonl.1", "10:00:00");
  write_file("a.jsonl.1.gz", "10:00:00");
  write_file("a.jsonl.1.zst", "10:00:00");
  write_file("a.jsonl.10", "09:00:00");
  write_file("a.jsonl", "11:00:00");
  CHECK_HISTORY("a.jsonl.10 a.jsonl.1 a.jsonl ");
  CHECK(unlink("a.jsonl.1") == 0);
  char found[4096];
  CHECK(strstr(names_of_history(found, sizeof found), "a.jsonl.1.gz ") && !strstr(found, "a.jsonl.1.zst "));
  remove_all();
}

/* Before a prune that archives: two segments, and a pending one that takes the place of the second. */
static void make_pending(char pending[200]) {
  struct stat live;
  go_to_a_new_directory();
  make_directory(".taskresults");
  make_directory(".taskresults/archive");
  make_directory(".taskresults/archive/a.jsonl");
  write_file(ARCHIVE "none-1.jsonl.zst", "08:00:00");
  write_file(ARCHIVE "none-2.jsonl.zst", "09:00:00");
  write_file("a.jsonl", "10:00:00");
  CHECK(stat("a.jsonl", &live) == 0);
  snprintf(pending, 200, ARCHIVE "none-2.jsonl.zst.pending-%llu", (unsigned long long)live.st_ino);
  write_file(pending, "09:00:00");
}

static void a_pending_segment_counts_from_the_exchange_on_until_it_has_its_name(void) {
  char pending[200], expected[400], source[TR_LEFTOVER_NAME_SIZE];
  make_pending(pending);
  tr_leftover_name("a", 1, ".new", source);
  CHECK_HISTORY(ARCHIVE "none-1.jsonl.zst " ARCHIVE "none-2.jsonl.zst a.jsonl ");
  write_file(source, "10:00:00"); /* the temporary */
  CHECK_HISTORY(ARCHIVE "none-1.jsonl.zst " ARCHIVE "none-2.jsonl.zst a.jsonl ");
  CHECK(tr_exchange_names(AT_FDCWD, "a.jsonl", source) == 0);
  snprintf(expected, sizeof expected, ARCHIVE "none-1.jsonl.zst %s a.jsonl ", pending);
  CHECK_HISTORY(expected); /* in place of none-2 */
  CHECK(unlink("a.jsonl") == 0);
  snprintf(expected, sizeof expected, ARCHIVE "none-1.jsonl.zst %s ", pending);
  CHECK_HISTORY(expected);
  CHECK(rename(pending, ARCHIVE "none-2.jsonl.zst") == 0);
  CHECK_HISTORY(ARCHIVE "none-1.jsonl.zst " ARCHIVE "none-2.jsonl.zst ");
  remove_all();
}

static void of_a_prune_offline_the_source_has_a_name_of_its_own(void) {
  char pending[200], expected[400], source[TR_LEFTOVER_NAME_SIZE];
  make_pending(pending);
  tr_leftover_name("a", 1, ".old", source);
  CHECK(link("a.jsonl", source) == 0);
  CHECK_HISTORY(ARCHIVE "none-1.jsonl.zst " ARCHIVE "none-2.jsonl.zst a.jsonl ");
  write_file("b", "10:00:00");
  CHECK(rename("b", "a.jsonl") == 0);
  snprintf(expected, sizeof expected, ARCHIVE "none-1.jsonl.zst %s a.jsonl ", pending);
  CHECK_HISTORY(expected);
  remove_all();
}

/* A prune was killed before the exchange, and then the job's file was rotated. */
static void a_pending_segment_that_was_left_behind_never_counts(void) {
  char pending[200], temporary[TR_LEFTOVER_NAME_SIZE];
  make_pending(pending);
  tr_leftover_name("a", 1, ".new", temporary);
  write_file(temporary, "10:00:00");
  CHECK(rename("a.jsonl", "a.jsonl.1") == 0);
  write_file("a.jsonl", "11:00:00");
  CHECK_HISTORY(ARCHIVE "none-1.jsonl.zst " ARCHIVE "none-2.jsonl.zst a.jsonl.1 a.jsonl ");
  CHECK(unlink(temporary) == 0);
  CHECK_HISTORY(ARCHIVE "none-1.jsonl.zst " ARCHIVE "none-2.jsonl.zst a.jsonl.1 a.jsonl ");
  CHECK(unlink("a.jsonl") == 0 && unlink("a.jsonl.1") == 0);
  CHECK_HISTORY(ARCHIVE "none-1.jsonl.zst " ARCHIVE "none-2.jsonl.zst ");
  remove_all();
}

static void an_archive_behind_a_link_is_an_error(void) {
  TrDir dir;
  char *message = NULL;
  int fd;
  go_to_a_new_directory();
  make_directory("elsewhere");
  CHECK(symlink("elsewhere", ".taskresults") == 0);
  CHECK(tr_dir_open(&dir, &tr_results_store, ".", &message) == SQLITE_OK);
  CHECK(tr_archive_open(&dir, (TrBytes){"a", 1}, &fd, &message) == SQLITE_CANTOPEN && fd == -1);
  CHECK(message && strstr(message, ".taskresults"));
  sqlite3_free(message);
  tr_dir_close(&dir);
  remove_all();
}

int main(void) {
  RUN(a_name_says_whose_segment_it_is);
  RUN(other_names_are_none);
  RUN(other_stores_have_other_names);
  RUN(a_path_says_where_the_results_are);
  RUN(of_a_plain_file_and_a_compressed_one_of_the_same_name_the_plain_one_counts);
  RUN(a_pending_segment_counts_from_the_exchange_on_until_it_has_its_name);
  RUN(of_a_prune_offline_the_source_has_a_name_of_its_own);
  RUN(a_pending_segment_that_was_left_behind_never_counts);
  RUN(an_archive_behind_a_link_is_an_error);
  return check_result();
}

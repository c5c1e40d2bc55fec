/*
** prune_inodes.c - the copy that a prune makes must not get an inode that a mark of `taskresults ship` names: the mark
** would seem to be of the copy. (The job's old file had it once, and the file system gives it out again.)
*/
#include "tr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

#define MARKED 12345
#define RECORD "{\"timestamp\": \"2026-01-01T00:00:00Z\", \"success\": true}\n"

static char directory[64];
static int marked_left; /* so many new files seem to have the marked inode */
static bool unlink_fails;

int fstat(int fd, struct stat *found) {
  int code = (int)syscall(SYS_newfstatat, fd, "", found, 0x1000 /* AT_EMPTY_PATH */);
  bool is_copy = code == 0 && S_ISREG(found->st_mode) && (found->st_mode & 0777) == 0600 && found->st_size == 0;
  if (is_copy && marked_left > 0 && marked_left--) found->st_ino = MARKED;
  return code;
}

int unlinkat(int dir_fd, const char *name, int flags) {
  size_t length = strlen(name);
  if (!unlink_fails || length < 4 || strcmp(name + length - 4, ".new") != 0)
    return (int)syscall(SYS_unlinkat, dir_fd, name, flags);
  unlink_fails = false;
  errno = EIO;
  return -1;
}

static void write_text(const char *name, const char *text) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE *file = fopen(path, "w");
  CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, 0644) == 0);
}

static void make_folder(const char *name) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  CHECK(mkdir(path, 0755) == 0);
}

/* Four records, all shipped; and a mark of a file with the other inode. */
static void make_job(void) {
  struct stat found;
  char path[256], marks[512];
  strcpy(directory, "/tmp/taskresults-unit-XXXXXX");
  CHECK(mkdtemp(directory) != NULL);
  write_text("j.jsonl", RECORD RECORD RECORD RECORD);
  snprintf(path, sizeof path, "%s/j.jsonl", directory);
  CHECK(stat(path, &found) == 0);
  unsigned long long dev = found.st_dev, inode = found.st_ino;
  make_folder(".taskresults");
  make_folder(".taskresults/shipped");
  snprintf(marks, sizeof marks,
           "{\"taskresults_marks\":1}\n{\"file\":\"j.jsonl\",\"dev\":%llu,\"inode\":\"%llu\",\"end\":%lld}\n", dev,
           inode, (long long)found.st_size);
  write_text(".taskresults/shipped/one.jsonl", marks);
  snprintf(marks, sizeof marks,
           "{\"taskresults_marks\":1}\n{\"file\":\"j.jsonl\",\"dev\":%llu,\"inode\":\"%llu\",\"end\":%lld}\n"
           "{\"file\":\"j.jsonl\",\"dev\":%llu,\"inode\":%d,\"end\":1}\n"
           "{\"file\":\"j.jsonl\",\"dev\":1,\"inode\":7,\"end\":1}\n",
           dev, inode, (long long)found.st_size, dev, MARKED);
  write_text(".taskresults/shipped/two.jsonl", marks);
}

static void remove_job(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -r %s", directory);
  CHECK(system(command) == 0);
}

static int count_entries(const char *path, const char *ending) {
  int count = 0;
  DIR *stream = opendir(path);
  for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
    size_t length = strlen(entry->d_name), wanted = strlen(ending);
    count += length >= wanted && strcmp(entry->d_name + length - wanted, ending) == 0;
  }
  closedir(stream);
  return count;
}

/* Marks are of no account with 'unshipped', but the copy must not look like what they name all the same. */
static int prune(int marked, char *said, size_t size) {
  sqlite3 *db;
  sqlite3_stmt *statement;
  CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK && sqlite3_taskresults_init(db, NULL, NULL) == SQLITE_OK);
  int open_files = count_entries("/proc/self/fd", "");
  marked_left = marked;
  CHECK(sqlite3_prepare_v2(db, "SELECT taskresults_prune('j', 'keep', 1, 'unshipped', 1, 'dir', ?)", -1, &statement,
                           NULL) == SQLITE_OK);
  sqlite3_bind_text(statement, 1, directory, -1, SQLITE_STATIC);
  int code = sqlite3_step(statement);
  snprintf(said, size, "%s", code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : sqlite3_errmsg(db));
  code = sqlite3_finalize(statement);
  CHECK(count_entries("/proc/self/fd", "") == open_files && sqlite3_close(db) == SQLITE_OK);
  return code;
}

static long size_of_job(void) {
  struct stat found;
  char path[256];
  snprintf(path, sizeof path, "%s/j.jsonl", directory);
  return stat(path, &found) == 0 ? (long)found.st_size : -1;
}

static void copies_with_a_marked_inode_are_set_aside_and_none_is_left(void) {
  char said[512];
  for (int marked = 0; marked < 5; marked++) {
    make_job();
    CHECK(prune(marked, said, sizeof said) == SQLITE_OK && strstr(said, "\"kept\":1,") && marked_left == 0);
    CHECK(size_of_job() == (long)strlen(RECORD) && count_entries(directory, ".new") == 0);
    remove_job();
  }
}

static void a_prune_does_not_try_for_ever(void) {
  char said[512];
  make_job();
  CHECK(prune(17, said, sizeof said) == SQLITE_OK && strstr(said, "\"kept\":1,") && marked_left == 0);
  CHECK(size_of_job() == (long)strlen(RECORD) && count_entries(directory, ".new") == 0);
  remove_job();
}

static void a_copy_that_cannot_be_removed_is_told_and_nothing_is_changed(void) {
  char said[512];
  make_job();
  unlink_fails = true;
  CHECK(prune(1, said, sizeof said) == SQLITE_IOERR);
  CHECK(strstr(said, "a temporary beside it cannot be created: Input/output error") &&
        strstr(said, "nothing was changed"));
  CHECK(size_of_job() == 4 * (long)strlen(RECORD));
  remove_job();
}

static void set_old(const char *name) {
  struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
  char path[256];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
}

/* Other prunes append to the file of moves, which changes nothing that is seen of its folder. */
static void a_move_that_another_prune_appends_is_seen_before_the_next_job(void) {
  TrDir dir = {.fd = -1};
  TrMarks marks = {.folder.fd = -1};
  TrPoll poll = {0};
  struct stat found, moved;
  const char *sink;
  char path[256], moves[512];
  make_job();
  snprintf(path, sizeof path, "%s/j.jsonl", directory);
  CHECK(stat(path, &found) == 0 && tr_dir_open(&dir, &tr_results_store, directory, NULL) == SQLITE_OK);
  snprintf(path, sizeof path, "%s/.taskresults/shipped/two.jsonl", directory);
  CHECK(unlink(path) == 0);
  write_text(".taskresults/shipped/moves", "\n");
  set_old(".taskresults/shipped");
  CHECK(tr_marks_read(&marks, &dir, &poll, NULL) == SQLITE_OK);
  moved = found;
  moved.st_ino = MARKED;
  moved.st_size = (off_t)strlen(RECORD);
  CHECK(tr_marks_end(&marks, "j.jsonl", &found, &sink) == found.st_size);
  CHECK(tr_marks_end(&marks, "j.jsonl", &moved, &sink) == 0);
  snprintf(moves, sizeof moves,
           "\n{\"file\":\"j.jsonl\",\"dev\":%llu,\"inode\":\"%llu\",\"end\":%lld,\"new_inode\":%d,\"new_end\":%lld}\n",
           (unsigned long long)found.st_dev, (unsigned long long)found.st_ino, (long long)found.st_size, MARKED,
           (long long)moved.st_size);
  write_text(".taskresults/shipped/moves", moves);
  CHECK(tr_marks_refresh(&marks, &dir, &poll, NULL) == SQLITE_OK);
  CHECK(tr_marks_end(&marks, "j.jsonl", &moved, &sink) == moved.st_size);
  tr_marks_free(&marks);
  tr_dir_close(&dir);
  remove_job();
}

static int reads_of_moves;

int openat(int fd, const char *name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  reads_of_moves += strcmp(name, "moves") == 0 && (flags & O_ACCMODE) == O_RDONLY;
  return (int)syscall(SYS_openat, fd, name, flags, mode);
}

/* Otherwise, the marks would be read again for each of many jobs. */
static void our_own_moves_are_no_reason_to_read_the_marks_again(void) {
  sqlite3 *db;
  char *statement;
  make_job();
  for (const char *name = "abcdefgh"; *name; name++) {
    char file[16] = {*name, '.', 'j', 's', 'o', 'n', 'l'};
    write_text(file, RECORD RECORD RECORD RECORD);
  }
  write_text(".taskresults/shipped/moves", "\n");
  set_old(".taskresults/shipped");
  reads_of_moves = 0;
  CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK && sqlite3_taskresults_init(db, NULL, NULL) == SQLITE_OK);
  statement = sqlite3_mprintf("SELECT taskresults_prune_all('keep', 1, 'unshipped', 1, 'dir', %Q)", directory);
  CHECK(sqlite3_exec(db, statement, NULL, NULL, NULL) == SQLITE_OK && reads_of_moves == 1);
  CHECK(size_of_job() == (long)strlen(RECORD));
  sqlite3_free(statement);
  CHECK(sqlite3_close(db) == SQLITE_OK);
  remove_job();
}

static void check_exact(uint64_t number, const char *wanted) {
  sqlite3_str *out = sqlite3_str_new(NULL);
  tr_json_append_exact(out, "inode", number);
  char *text = sqlite3_str_finish(out);
  CHECK(text && strcmp(text, wanted) == 0);
  sqlite3_free(text);
}

static void numbers_that_a_double_cannot_hold_are_written_as_texts(void) {
  check_exact(0, "\"inode\":0");
  check_exact(9007199254740991, "\"inode\":9007199254740991");
  check_exact(9007199254740992, "\"inode\":\"9007199254740992\"");
  check_exact(UINT64_MAX, "\"inode\":\"18446744073709551615\"");
}

int main(void) {
  RUN(copies_with_a_marked_inode_are_set_aside_and_none_is_left);
  RUN(a_prune_does_not_try_for_ever);
  RUN(a_copy_that_cannot_be_removed_is_told_and_nothing_is_changed);
  RUN(a_move_that_another_prune_appends_is_seen_before_the_next_job);
  RUN(our_own_moves_are_no_reason_to_read_the_marks_again);
  RUN(numbers_that_a_double_cannot_hold_are_written_as_texts);
  return check_result();
}

/*
** lanes.c - how fast each fast lane reads that this processor has: `make bench-lanes`.
**
** usage: lanes ROUNDS FILE...
**
** Each round reads the file once with each lane, one after the other, so that what else the machine does falls on
** all of them; of each lane, the least CPU time counts. "alone" is the lane over the file in memory; "reading" is
** all that a scan does up to the records, system calls included. Shares are of AVX2's speed, or of the best lane's
** where there is no AVX2.
*/
#include "tr.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_LANES 4

typedef struct Timed {
  const TrLane *lane;
  double alone_s, reading_s; /* the least */
  unsigned long alone_records, records;
} Timed;

typedef struct Input {
  const char *path;
  int fd;
  size_t size;
  unsigned char *bytes; /* and TR_PADDING more */
} Input;

static void give_up(const char *what) {
  perror(what);
  exit(3);
}

static double cpu_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static Input load(const char *path) {
  struct stat stat;
  Input input = {.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
  if (input.fd < 0 || fstat(input.fd, &stat) != 0) give_up(path);
  input.size = (size_t)stat.st_size;
  input.bytes = calloc(1, input.size + TR_PADDING);
  if (input.bytes == NULL || read(input.fd, input.bytes, input.size) != stat.st_size) give_up(path);
  return input;
}

static unsigned long walk(const TrLane *lane, const Input *input) {
  TrLayout layout = {0};
  TrRecord record;
  unsigned long records = 0;
  for (const unsigned char *p = input->bytes, *end = p + input->size; p < end; p++) {
    const unsigned char *behind = lane->native(p, &layout, &record);
    records += behind != NULL;
    p = behind ? behind : memchr(p, '\n', (size_t)(end - p));
    if (p == NULL) break;
  }
  return records;
}

static unsigned long scan(const TrLane *lane, const Input *input) {
  TrPoll poll = {0};
  TrLines lines = {0};
  TrParser parser;
  TrParsed parsed;
  unsigned long records = 0;
  tr_parser_init(&parser);
  parser.fast = lane->native;
  if (tr_lines_open(&lines, input->fd, 0, (int64_t)input->size, TR_DEFAULT_MAX_LINE, false, &poll) != SQLITE_OK) {
    give_up(input->path);
  }
  while (tr_parse_next(&parser, &lines, &parsed) == SQLITE_ROW) records += parsed.reason == TR_OK;
  tr_lines_close(&lines);
  return records;
}

static void time_lane(Timed *timed, const Input *input) {
  double begin = cpu_s();
  timed->alone_records = walk(timed->lane, input);
  double middle = cpu_s();
  timed->records = scan(timed->lane, input);
  double end = cpu_s();
  if (timed->alone_s == 0 || middle - begin < timed->alone_s) timed->alone_s = middle - begin;
  if (timed->reading_s == 0 || end - middle < timed->reading_s) timed->reading_s = end - middle;
}

static void compare_lanes(int rounds, const char *path) {
  Input input = load(path);
  Timed timed[MOST_LANES] = {0};
  unsigned count = 0;
  const Timed *measure = &timed[0];
  for (; count < MOST_LANES && (timed[count].lane = tr_fast_lane(count)) != NULL; count++) {
    if (strcmp(timed[count].lane->name, "AVX2") == 0) measure = &timed[count];
  }
  for (int round = 0; round < rounds; round++) {
    for (unsigned i = 0; i < count; i++) time_lane(&timed[i], &input);
  }
  printf("%s\n%-10s %12s %6s %14s %6s %10s\n", path, "lane", "alone MB/s", "share", "reading MB/s", "share", "records");
  for (const Timed *t = timed; t < timed + count; t++) {
    double megabytes = (double)input.size / 1e6;
    printf("%-10s %12.0f %6.2f %14.0f %6.2f %10lu\n", t->lane->name, megabytes / t->alone_s,
           measure->alone_s / t->alone_s, megabytes / t->reading_s, measure->reading_s / t->reading_s, t->records);
    if (t->alone_records > t->records) exit(1);
  }
  free(input.bytes);
  close(input.fd);
}

int main(int argc, char **argv) {
  int rounds = argc > 2 ? atoi(argv[1]) : 0;
  if (rounds < 1) {
    fprintf(stderr, "usage: lanes ROUNDS FILE...\n");
    return 2;
  }
  for (int i = 2; i < argc; i++) compare_lanes(rounds, argv[i]);
  return 0;
}

/*
** files.c - a call that fails must set its results to the promised "nothing", not leave old values in them.
*/
#include "tr.h"

#include <fcntl.h>
#include <unistd.h>

#include "check.h"

static void a_failed_read_sets_its_results_to_nothing(void) {
  char bytes[4] = {0};
  bool whole = true;
  CHECK(tr_read_at(-1, bytes, sizeof bytes, 0, &whole) != 0 && !whole);
  int directory = open("/", O_RDONLY | O_CLOEXEC);
  whole = true;
  CHECK(tr_read_at(directory, bytes, sizeof bytes, 0, &whole) != 0 && !whole);
  close(directory);
  int empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
  whole = true;
  CHECK(tr_read_at(empty, bytes, sizeof bytes, 0, &whole) == 0 && !whole);
  CHECK(tr_read_at(empty, bytes, 0, 0, &whole) == 0 && whole);
  close(empty);
}

int main(void) {
  RUN(a_failed_read_sets_its_results_to_nothing);
  return check_result();
}

/*
** sqlite3_init.c - what makes a sqlite3 program `taskresults-sqlite3`: each of its connections has taskresults. SQLite
** calls it once, as it was compiled with -DSQLITE_EXTRA_INIT=taskresults_at_start.
*/
#include "taskresults.h"

int taskresults_at_start(const char *unused);

int taskresults_at_start(const char *unused) {
  (void)unused;
  return sqlite3_auto_extension((void (*)(void))sqlite3_taskresults_init);
}

/*
** tr.h - the map of taskresults: every folder below ext with its header, from the lowest to the highest. A folder's
** header includes those of lower folders only; .ci/lint keeps the order. Tests include this file, the sources do not.
**
**   base/       errors, polling, threads, names, text, Linux, time spans, output files: what every folder may use
**   mapping/    JSON that says what the keys of other programs mean -> a table of keys
**   read/       directory -> file -> lines -> record -> value
**   figures/    records -> figures: the one meaning of success, a job's statistics, groups of its errors. No SQL
**   scheduler/  what the scheduler keeps beside the results: logs, jobs.json, checkpoints
**   write/      a row -> one line -> the end of a job's file
**   export/     rows -> a CSV file
**   codec/      a compressed file <-> its text: gzip, zstd, and the frames of our archives
**   history/    a job -> its segments: the live file, what rotations and archives keep of it; receipts of prunes
**   index/      a cache of what the lines of a job's live file say, so that only new ones have to be read
**   query/      what a query asks for: of which directory, which files and which lines
**   seal/       a job's lines -> the head of a chain over them, and whether they still lead there
**   marks/      how far `taskresults ship` has come in the files of jobs
**   prune/      a job's file -> the same file with fewer lines, beside a writer that takes no lock
**   scan/       what a query asks for -> the files and the lines that it wants
**   tables/     one file a virtual table
**   functions/  one file a SQL function, or a family of them
**   extension.c the entry points
**
** Conventions
**   - A function that can fail returns an SQLITE_* code. One that can explain itself takes `char **message`, which it
**     sets to a text from sqlite3_mprintf() (see tr_error); the caller frees it or hands it to SQLite.
**   - Spans borrow: a TrLine, and every TrSpan of a TrRecord, point into the reader's buffer and live until the next
**     line is read. What SQLite is to free comes from sqlite3_malloc64().
**   - Offsets and lengths are bytes; times are microseconds since the Unix epoch, UTC, and named `..._us`.
**   - Nothing is global: all state hangs on a connection, a table or a cursor, under SQLite's own mutex. Helper threads
**     (base/thread.c) have what they work on to themselves, and call nothing of SQLite's.
*/
#ifndef TR_H
#define TR_H

#include "base/base.h"
#include "mapping/mapping.h"
#include "read/read.h"
#include "figures/figures.h"
#include "scheduler/scheduler.h"
#include "write/write.h"
#include "export/export.h"
#include "codec/codec.h"
#include "history/history.h"
#include "index/index.h"
#include "seal/seal.h"
#include "query/query.h"
#include "marks/marks.h"
#include "prune/prune.h"
#include "scan/scan.h"
#include "tables/tables.h"
#include "functions/functions.h"

#endif /* TR_H */

/*
** taskresults.h - the public interface of taskresults, for applications that link it statically.
**
** Most users need no header: they load `taskresults.so` (`.load ./taskresults`, load_extension(), ...). An application
** that has SQLite linked in compiles the sources under ext/ with -DSQLITE_CORE (or links libtaskresults.a, made by
** `make static`, which exports the three symbols below and nothing else) and then either
**
**     sqlite3_auto_extension((void (*)(void))sqlite3_taskresults_init);   // every connection opened from now on
** or
**     sqlite3_taskresults_init(db, &message, NULL);                       // this connection only
** or, for a connection whose statements come from visitors,
**     sqlite3_taskresults_readonly_init(db, &message, NULL);
**
** See examples/embed.c for a whole program.
*/
#ifndef TASKRESULTS_H
#define TASKRESULTS_H

#include <sqlite3.h>

#define TASKRESULTS_VERSION "0.1.0"
#define TASKRESULTS_VERSION_NUMBER 1000 /* major * 1,000,000 + minor * 1,000 + patch, as SQLite counts */

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3_api_routines;

/*
** Registers the tables and functions of taskresults on `db`, those that act on files included.
**
** db        the connection; its thread owns everything registered here.
** message   if not NULL, set on failure to a text for sqlite3_free().
** api       the routines handed over by SQLite's loader; ignored (may be NULL) when built with -DSQLITE_CORE.
**
** Returns SQLITE_OK, SQLITE_NOMEM, SQLITE_INTERRUPT, or SQLITE_ERROR: when the running SQLite is older than 3.38, when
** `db` was loaded without the power to act (below), or when it will not tell what is loaded (an authorizer that forbids
** PRAGMA function_list: set it after loading).
** Thread safety: as for any call on `db`. Nothing global is set up; calling it again on one connection is harmless.
** Source: ext/extension.c
*/
int sqlite3_taskresults_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

/* The same, under the name that SQLite looks for in a file called mod_taskresults.so. */
int sqlite3_modtaskresults_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

/*
** Registers what reads, and nothing that acts: the tables without INSERT, and the functions that touch no file. There
** is no taskresults_prune(), taskresults_prune_all(), taskresults_export_csv() or taskresults_writable(), and no table
** takes a path as an argument (dir=, logs=, file=, results=), so that visitors read the directories that the
** environment names and no others. SQLite's loader wants the name: sqlite3_load_extension(db, file,
** "sqlite3_taskresults_readonly_init", ...).
**
** What is loaded stays: it is an error on a connection that was loaded with the power to act, and the other way round.
** Calling it again is harmless. Arguments, codes and thread safety are those of sqlite3_taskresults_init().
**
** This limits taskresults, not SQLite: what ATTACH, PRAGMA or other functions of the host can do, they can
** (ext/SECURITY.md). Source: ext/extension.c
*/
int sqlite3_taskresults_readonly_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif

#endif /* TASKRESULTS_H */

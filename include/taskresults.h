/*
** taskresults.h - the public interface of taskresults, for programs that link it statically.
**
** You do not need this header to load `taskresults.so` (`.load ./taskresults`, load_extension(), ...). A program that
** has SQLite linked in compiles the sources under ext/ with -DSQLITE_CORE, or links libtaskresults.a, which
** `make static` builds, and which exports only the three symbols below. Then it calls
**
**     sqlite3_auto_extension((void (*)(void))sqlite3_taskresults_init);   // for every new connection
** or
**     sqlite3_taskresults_init(db, &message, NULL);                       // for this connection only
** or, for a connection that runs statements of other people,
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
** Registers the tables and functions of taskresults on `db`, including those that change files.
**
** db        the connection; use everything that is registered here in the thread of this connection.
** message   if not NULL, it is set to an error message on failure; free it with sqlite3_free().
** api       the routines that SQLite's loader passes; ignored, and may be NULL, if built with -DSQLITE_CORE.
**
** Returns SQLITE_OK, SQLITE_NOMEM, SQLITE_INTERRUPT, or SQLITE_ERROR. It is an error if SQLite is older than 3.38, if
** the read-only entry point (below) was called on `db` before, or if an authorizer forbids PRAGMA function_list, which
** is needed to find out what is loaded: set such an authorizer after loading.
** Thread safety: as for any call on `db`. Nothing global is created. A second call on the same connection is harmless.
** Source: ext/extension.c
*/
int sqlite3_taskresults_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

/* The same, under the name that SQLite looks for in a file called mod_taskresults.so. */
int sqlite3_modtaskresults_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

/*
** Registers only what reads: the tables without INSERT, and the functions that do not change files. There is no
** taskresults_prune(), taskresults_prune_all(), taskresults_export_csv() or taskresults_writable(), and no table takes
** a path as an argument (dir=, logs=, file=, results=). So statements can read only the directories that the
** environment names. To load it from a file, pass the name of this function: sqlite3_load_extension(db, file,
** "sqlite3_taskresults_readonly_init", ...).
**
** It is an error if sqlite3_taskresults_init() was called on the same connection before, and the other way round.
** Calling it again is harmless. Arguments, result codes and thread safety are those of sqlite3_taskresults_init().
**
** This limits taskresults, not SQLite: ATTACH, PRAGMA and other functions of the host still work (ext/SECURITY.md).
** Source: ext/extension.c
*/
int sqlite3_taskresults_readonly_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif

#endif /* TASKRESULTS_H */

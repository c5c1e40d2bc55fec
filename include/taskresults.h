/*
** taskresults.h - the public interface of taskresults, for applications that link it statically.
**
** Most users need no header: they load `taskresults.so` (`.load ./taskresults`, load_extension(), ...). An application
** that has SQLite linked in compiles the sources under ext/ with -DSQLITE_CORE (or links libtaskresults.a, made by
** `make static`, which exports this one symbol and nothing else) and then either
**
**     sqlite3_auto_extension((void (*)(void))sqlite3_taskresults_init);   // every connection opened from now on
** or
**     sqlite3_taskresults_init(db, &message, NULL);                       // this connection only
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
** Registers the tables and functions of taskresults on `db`.
**
** db        the connection; its thread owns everything registered here.
** message   if not NULL, set on failure to a text for sqlite3_free().
** api       the routines handed over by SQLite's loader; ignored (may be NULL) when built with -DSQLITE_CORE.
**
** Returns SQLITE_OK, or SQLITE_ERROR when the running SQLite is older than 3.38, or SQLITE_NOMEM.
** Thread safety: as for any call on `db`. Nothing global is set up; calling it again on one connection is harmless.
** Source: ext/sql/extension.c
*/
int sqlite3_taskresults_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif

#endif /* TASKRESULTS_H */

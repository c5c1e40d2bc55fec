/*
** transaction.c - SQLite's transaction and savepoints -> the pending rows.
**
** SQLite calls xBegin before the first statement of a transaction that writes to the table; then xSavepoint for each
** statement that could fail half-way, as for the user's own savepoints; and at the end xSync, then xCommit if xSync of
** all tables went well, or xRollback. The files are written in xSync: xCommit cannot report a failure. xSync may be
** called again: if a database is locked, COMMIT returns SQLITE_BUSY after xSync, and the host tries again. By then
** nothing is pending, so nothing is written twice; but a ROLLBACK can no longer undo the write.
*/
#include "tables.h"

static TrPending *pending_of(sqlite3_vtab *vtab) {
  return &((TrTable *)vtab)->pending;
}

int tr_transaction_begin(sqlite3_vtab *vtab) {
  tr_pending_begin(pending_of(vtab));
  return SQLITE_OK;
}

int tr_transaction_sync(sqlite3_vtab *vtab) {
  TrTable *table = (TrTable *)vtab;
  return tr_commit(&table->pending, &table->poll, &table->connection->written, &vtab->zErrMsg);
}

int tr_transaction_commit(sqlite3_vtab *vtab) {
  tr_pending_end(pending_of(vtab));
  ((TrTable *)vtab)->connection->written = 0;
  return SQLITE_OK;
}

int tr_transaction_rollback(sqlite3_vtab *vtab) {
  return tr_transaction_commit(vtab);
}

int tr_transaction_savepoint(sqlite3_vtab *vtab, int savepoint) {
  return tr_pending_savepoint(pending_of(vtab), savepoint);
}

int tr_transaction_release(sqlite3_vtab *vtab, int savepoint) {
  tr_pending_release(pending_of(vtab), savepoint);
  return SQLITE_OK;
}

int tr_transaction_rollback_to(sqlite3_vtab *vtab, int savepoint) {
  tr_pending_rollback_to(pending_of(vtab), savepoint);
  return SQLITE_OK;
}

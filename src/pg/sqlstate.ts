/** One table of the SQLSTATEs that mean something to us. Source: PostgreSQL appendix A. */

/** The attempt left nothing behind and may be made again: a lock that did not come, a deadlock lost, a serialization failure, our own statement_timeout. */
const retryable = new Set(['55P03', '40P01', '40001', '57014']);
export const isRetryable = (sqlstate: string): boolean => retryable.has(sqlstate);

/** The connection is gone; whether the last statement took effect must be read from the journal, never assumed (gh-ost #444). */
export const isConnectionLost = (sqlstate: string): boolean =>
  sqlstate.startsWith('08') || ['57P01', '57P02', '57P03', 'ECONNRESET', 'EPIPE'].includes(sqlstate);

/** What to do next, by SQLSTATE. */
export const hints: Readonly<Record<string, string>> = {
  '42501': 'Grant the role what is missing (docs/phases.md lists it), or connect as the owner.',
  '53100': "The server's disk is full. Free or add space; nothing of this statement was kept.",
  '53300': 'The server has no free connection. Raise max_connections or run when it is less busy.',
  '28P01': 'The password is wrong. Correct the secret that holds the connection URL.',
  '28000':
    "The server does not let this role in. Check user, database and pg_hba.conf (or the provider's allow list); servers that insist on TLS need sslmode=require in the URL.",
  '3D000': 'The database in the connection URL does not exist.',
  '42804': 'A type does not fit: an explicit USING expression is needed.',
  '22P02': 'A value does not fit the new type: give `using:`, or let such rows go to quarantine with `unfit: quarantine`.',
  '25006': 'This session is read-only on purpose; a statement tried to write.',
  '57014': 'The statement was cancelled by its timeout or by somebody.',
  '55P03': 'Another session holds a lock on the object. Run again when it has ended.',
};

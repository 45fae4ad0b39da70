import { parseTarget, type SessionKind, type Target } from '../../src/pg/connect.js';
import { connect, type Db } from '../../src/pg/db.js';

/** Sessions of the product's own kind in a test: everything opened is closed by `closeAll`. */
export interface Sessions {
  open(url: string, kind?: SessionKind): Promise<Db>;
  target(url: string, role?: Target['role']): Target;
  closeAll(): Promise<void>;
}

export function sessions(): Sessions {
  const closers: (() => Promise<void>)[] = [];
  const target: Sessions['target'] = (url, role = 'production') => parseTarget(url, role, `${role}-url`, '');
  return {
    target,
    async open(url, kind = 'worker') {
      const { db, close } = await connect(target(url), kind, {
        report: () => undefined,
        signal: new AbortController().signal,
        clock: { now: () => new Date(), sleep: (ms) => new Promise((r) => setTimeout(r, ms)) },
        name: 'lossless test',
        patienceMs: 5000,
      });
      closers.push(close);
      return db;
    },
    async closeAll() {
      for (const close of closers.splice(0)) await close();
    },
  };
}

/** How one process learns that another has committed to the same SQLite file. */
import type { ChangeSignal } from '../live/source.ts';
import { StoreBusyError } from '../ports/store.ts';
import type { Database } from './database.ts';

const pollMs = 5;

/** A poll is one PRAGMA (2.7 us). */
export function dataVersionSignal(db: Database): ChangeSignal {
  return {
    watch(watcher) {
      // What was written before the first poll counts as new.
      let seen = Number.NaN;
      const timer = setInterval(() => {
        try {
          const version = db.foreignVersion();
          if (version === seen) return;
          seen = version;
          watcher.onChange();
        } catch (error) {
          if (!(error instanceof StoreBusyError)) watcher.onFailure(error);
        }
      }, pollMs);
      timer.unref();
      return () => {
        clearInterval(timer);
      };
    },
  };
}

/** The API key, where the gateway wants one: kept for this tab, or on this computer if its user says so. */

const name = 'turnkeep.key';

export function readKey(): string | undefined {
  return read(sessionStorage) ?? read(localStorage);
}

/** @param stays past the end of this tab */
export function keepKey(key: string, stays: boolean): void {
  forgetKey();
  (stays ? localStorage : sessionStorage).setItem(name, key);
}

export function forgetKey(): void {
  sessionStorage.removeItem(name);
  localStorage.removeItem(name);
}

function read(storage: Storage): string | undefined {
  return storage.getItem(name) ?? undefined;
}

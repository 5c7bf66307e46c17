/**
 * How many bytes of request bodies a gateway holds at once, in all and of each tenant, from the first byte until the
 * request is accepted or refused: slow uploads, and requests that a busy database keeps waiting, must not use up the
 * memory of the process (T14).
 */
import { ApiError } from './errors.ts';

export interface BodyBudgetLimits {
  readonly totalBytes: number;
  readonly tenantBytes: number;
}

export class BodyBudget {
  readonly #limits: BodyBudgetLimits;
  readonly #ofTenant = new Map<string, number>();
  #total = 0;

  constructor(limits: BodyBudgetLimits) {
    this.#limits = limits;
  }

  /** Bytes that are held now. */
  get heldBytes(): number {
    return this.#total;
  }

  /** For the body of one request. */
  open(tenant: string): BodyHold {
    return new BodyHold((bytes) => this.#hold(tenant, bytes));
  }

  #hold(tenant: string, bytes: number): void {
    const ofTenant = (this.#ofTenant.get(tenant) ?? 0) + bytes;
    const { totalBytes, tenantBytes } = this.#limits;
    if (bytes > 0 && (ofTenant > tenantBytes || this.#total + bytes > totalBytes)) throw tooMuchAtOnce();
    this.#total += bytes;
    if (ofTenant === 0) this.#ofTenant.delete(tenant);
    else this.#ofTenant.set(tenant, ofTenant);
  }
}

/** What one body takes of the budget. */
export class BodyHold {
  readonly #hold: (bytes: number) => void;
  #bytes = 0;

  constructor(hold: (bytes: number) => void) {
    this.#hold = hold;
  }

  /** The body has this size, or has grown to it. @throws ApiError 429 when that is too much just now */
  grow(toBytes: number): void {
    if (toBytes <= this.#bytes) return;
    this.#hold(toBytes - this.#bytes);
    this.#bytes = toBytes;
  }

  /** The body is needed no more. Twice is harmless. */
  release(): void {
    this.#hold(-this.#bytes);
    this.#bytes = 0;
  }
}

function tooMuchAtOnce(): ApiError {
  return new ApiError({
    status: 429,
    code: 'too_many_bytes',
    message: 'Too much is being sent at once (TURNKEEP_MAX_BODY_BYTES_AT_ONCE). Try again when other requests have been taken in.',
    headers: { 'retry-after': '1' },
  });
}

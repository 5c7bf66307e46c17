/** Of the port to the journals: who may write a turn, for how long, and which turns nobody writes who should. */

/** The right to be the only one who writes a turn, for as long as it is renewed. */
export interface Lease {
  /** The process that holds it. */
  readonly holder: string;
  readonly lengthMs: number;
}

export interface Beat {
  readonly lease: Lease;
  /** Ids of the turns whose attempts the holder runs. */
  readonly turns: readonly string[];
}

export interface TurnPulse {
  readonly turn: string;
  /** Other than the attempt's own: it has been fenced. */
  readonly epoch: number;
  readonly isSealed: boolean;
  readonly isCancelRequested: boolean;
  /** See `requestSteer`. */
  readonly isSteerRequested: boolean;
}

export interface OverdueQuery {
  readonly dueForMs: number;
  readonly limit: number;
}

/** A turn that nobody asks for, and somebody should. */
export interface OverdueTurn {
  readonly turn: string;
  readonly tenant: string;
  /** The step that is to be asked for. */
  readonly step: number;
  readonly epoch: number;
  readonly isCancelRequested: boolean;
}

export interface ExpiredLease extends OverdueTurn {
  readonly hasStarted: boolean;
  /** Its answer may be read on, and its lease ended less than `keptForMs` ago. */
  readonly isKept: boolean;
}

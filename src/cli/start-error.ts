/** Why a command cannot start, as one line that says the way out. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
